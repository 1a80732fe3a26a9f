"""`sizes`: layers, breakdowns, and what the pages hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from heapq import nsmallest
from typing import Any

from ckpt_tui.checkpoint.layerstack import StackLayer
from ckpt_tui.checkpoint.model import Checkpoint, Share, StoredPart
from ckpt_tui.checkpoint.pagecount import Dump, PageCounts, count_checkpoint
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_heading, print_json
from ckpt_tui.cli.several import run_each
from ckpt_tui.cli.tables import print_table
from ckpt_tui.cli.telling import told_progress
from ckpt_tui.convert.rootfs import Origin, image_stack, layer_origins, rootfs_layers
from ckpt_tui.core.errors import CkptError, NotACheckpoint
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, human_count
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.table import resolve
from ckpt_tui.views.size_rows import (
    CHANGE_COLUMNS,
    LAYER_COLUMNS,
    PAGE_KINDS,
    STACK_COLUMNS,
    layer_rows,
    share_rows,
    stack_changes,
    stack_rows,
)
from ckpt_tui.views.table import Column
from ckpt_tui.views.tables import SIZED

COLUMNS = (
    Column("PART", width=28, shrink="middle"),
    SIZED,
    Column("DETAIL", share=1, optional=True),
)

Stack = Sequence[StackLayer]

MOST_FILES = 200
"""Largest files of the delta in `--json`; `inspect` has all."""

LISTED_FILES = 20
"""Largest files in the text; `--json` has more."""


def sizes(targets: Sequence[str], **options: Any) -> int:
    """Print where the bytes of each target are; return the highest exit code.

    `as_json`; `pages`: count what they hold; `others`: checkpoints whose pages are looked for;
    `layers`: those of the root filesystem, with their files; `base`: the image that the container
    ran from. Of an image that holds no checkpoint the layers are printed.
    """
    return run_each(targets, partial(_sizes, **options))


def _sizes(
    target: str,
    as_json: bool,
    pages: bool = False,
    others: Sequence[str] = (),
    layers: bool = False,
    base: str = "",
) -> None:
    with ExitStack() as closing:
        try:
            opened, progress = closing.enter_context(opened_target(target, locked=True))
        except NotACheckpoint:
            found = _plain_image(target)
            if as_json:
                print_json({"schema_version": 1, "source": target, "rootfs": _rootfs(found)})
            else:
                _print_stack(found)
            return
        checkpoint = opened.load(progress)
        counts = stack = problem = None
        if pages or others:
            dumps = [_dump(closing.enter_context(opened_target(other))) for other in others]
            counts = count_checkpoint((opened.images, checkpoint), progress, dumps)
        if layers or base:
            try:
                stack = rootfs_layers(opened, checkpoint, base, progress)
            except CkptError as error:  # the rest is printed all the same
                problem = error
        origins = layer_origins(opened.source) if checkpoint.sizes.layers else {}
    if as_json:
        print_json(sizes_document(target, checkpoint, origins, counts, stack))
    else:
        _print(checkpoint, origins)
        if stack is not None:
            _print_stack(stack)
        if counts is not None:
            _print_counts(counts)
    if problem is not None:
        raise problem


def _plain_image(target: str) -> Stack:
    with told_progress() as progress:
        source = resolve(target, progress)
        try:
            return image_stack(source, progress)
        finally:
            source.close()


def _dump(opened: tuple[OpenCheckpoint, Progress]) -> Dump:
    return opened[0].images, opened[0].load(opened[1])


def sizes_document(
    target: str,
    checkpoint: Checkpoint,
    origins: Mapping[str, Origin],
    counts: PageCounts | None,
    stack: Stack | None = None,
) -> dict[str, Any]:
    """Return the sizes as JSON; `pages` is None if not counted, `rootfs` if not asked for.
    All numbers are bytes; `origins` are those of layers by digest."""
    pages = None
    if counts is not None:
        pages = {
            "complete": counts.complete,
            "bytes": counts.total("pages"),
            **{kind: counts.total(kind) for kind, *_ in PAGE_KINDS},
            "parent": counts.parent,
            "parts": plain(counts.parts),
        }
    return {
        "schema_version": 1,
        "source": target,
        "sizes": {
            **plain(checkpoint.sizes),
            "layers": [_layer(layer, origins) for layer in checkpoint.sizes.layers],
            "delta": plain(_largest_changes(checkpoint, MOST_FILES)),
        },
        "pages": pages,
        "rootfs": None if stack is None else _rootfs(stack),
    }


def _layer(layer: StoredPart, origins: Mapping[str, Origin]) -> dict[str, Any]:
    created, command = origins.get(layer.digest, (None, ""))
    return {**plain(layer), "created": plain(created), "command": command}


def _largest_changes(checkpoint: Checkpoint, count: int) -> tuple[Share, ...]:
    """Return the largest files of the delta, with how they came there."""
    entries = (e for e in checkpoint.delta.entries if e.size and e.change != "deleted")
    largest = nsmallest(count, entries, key=lambda e: (-e.size, e.path))
    return tuple(Share(entry.path, entry.size, entry.change) for entry in largest)


def _rootfs(stack: Stack) -> list[dict[str, Any]]:
    return [
        {**plain(layer), "plain": layer.plain, "wasted": layer.wasted, "counts": {**layer.counts}}
        for layer in stack
    ]


def _print_stack(stack: Stack) -> None:
    print_heading("Layers of the root filesystem, the lowest first")
    print_table(STACK_COLUMNS, stack_rows(stack))
    changes = stack_changes(stack)
    if changes:
        print_heading("What they hide, change and delete")
        print_table(CHANGE_COLUMNS, changes)


def _print(checkpoint: Checkpoint, origins: Mapping[str, Origin]) -> None:
    found = checkpoint.sizes
    print(f"{human_bytes(found.packed)} packed, {human_bytes(found.plain)} plain")
    if found.layers:
        print_heading("Layers")
        print_table(LAYER_COLUMNS, layer_rows(found.layers, origins))
    for title, shares, meaning in (
        ("By component", found.components, "pages"),
        ("By process", found.processes, "pages"),
        ("By kind of memory", found.memory, "pages"),
        ("By kind of image", found.images, "images"),
        ("Largest files", found.files[:LISTED_FILES], "metadata"),
        ("Largest files of the delta", _largest_changes(checkpoint, LISTED_FILES), "delta"),
    ):
        if shares:
            print_heading(title)
            print_table(COLUMNS, share_rows(shares, meaning))


def _print_counts(counts: PageCounts) -> None:
    """Print what the pages hold, all of them first."""
    shares = tuple(
        Share(f"all: {name}", counts.total(kind))
        for kind, _, name in PAGE_KINDS
        if counts.total(kind) or kind != "shared"
    )
    shares += tuple(
        Share(f"{part.label}: {name}", getattr(part, kind) * part.page_size, _pages(part, kind))
        for part in counts.parts
        for kind, _, name in PAGE_KINDS
        if getattr(part, kind) or kind != "shared"
    )
    if counts.parent:
        shares += (Share("left to the previous dump", counts.parent),)
    print_heading("Pages")
    print_table(COLUMNS, share_rows(shares, "pages"))
    for part in counts.parts:
        if part.problem:
            narrate(f"{part.label}: {part.problem}")
    if not counts.complete:
        narrate("Too many distinct pages to remember: some duplicates count as unique.")


def _pages(part: object, kind: str) -> str:
    return human_count(getattr(part, kind), "page")
