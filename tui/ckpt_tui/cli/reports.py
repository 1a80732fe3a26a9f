"""`inspect`, `images` and `decode`: what the screens show, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ckpt_tui.checkpoint.export import checkpoint_document, plain
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.raw import RawImage, has_lines, raw_lines
from ckpt_tui.checkpoint.secret_values import masked_checkpoint
from ckpt_tui.cli.tables import (
    narrate,
    print_facts,
    print_heading,
    print_json,
    print_sections,
    print_table,
)
from ckpt_tui.cli.telling import asking_before_fetching, tell_transferred, told_progress
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.masks import masked, masked_bytes
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.criu.decode import DecodedImage
from ckpt_tui.criu.values import Host
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.views import isolation, processes, tables
from ckpt_tui.views.decoded import value_text
from ckpt_tui.views.details import filter_facts, process_sections
from ckpt_tui.views.overview import overview_sections

LONG_SECTIONS = ("Registers", "Auxiliary vector", "Limits", "Files", "Seccomp")
"""What a person does not want to scroll through for each process; --json has it. Filters of system
calls are told once."""


@contextmanager
def opened_target(target: str) -> Iterator[tuple[OpenCheckpoint, Progress]]:
    """Open a target, telling a person at a terminal what takes long."""
    with told_progress() as progress:
        opened = open_checkpoint(target, progress, before_fetching=asking_before_fetching())
        try:
            yield opened, progress
        finally:
            opened.close()
    tell_transferred(opened.transferred)


def inspect(target: str, as_json: bool, reveal: bool) -> int:
    """Print everything known of a checkpoint; return 1 if damage was met."""
    with opened_target(target) as (opened, progress):
        checkpoint = opened.load(progress)
    if as_json:
        document = checkpoint_document(masked_checkpoint(checkpoint, reveal))
        fetched = {} if opened.transferred is None else {"transferred": opened.transferred}
        print_json({**document, **fetched})
    else:
        _print_checkpoint(checkpoint, reveal)
    return int(checkpoint.is_damaged)


def _print_checkpoint(checkpoint: Checkpoint, reveal: bool) -> None:
    print_sections(overview_sections(checkpoint))
    print_heading("Processes")
    print_table(processes.COLUMNS, processes.process_rows(checkpoint))
    for process in checkpoint.processes:
        print_heading(f"Process {process.pid}")
        sections = process_sections(checkpoint, process, reveal)
        print_facts(
            (f"{section.title.lower()} {fact.label}".strip(), fact.value)
            for section in sections
            if not section.title.startswith(LONG_SECTIONS)
            for fact in section.facts
        )
    for one in checkpoint.seccomp:
        print_heading("Seccomp filter " + ", ".join(map(str, one.numbers)))
        print_facts((fact.label, fact.value) for fact in filter_facts(one))
    for title, columns, rows in (
        ("Files", tables.FILE_COLUMNS, tables.file_rows(checkpoint)),
        ("Sockets", tables.SOCKET_COLUMNS, tables.socket_rows(checkpoint)),
        ("Mounts", tables.MOUNT_COLUMNS, tables.mount_rows(checkpoint, reveal)),
        ("Namespaces", isolation.COLUMNS, isolation.namespace_rows(checkpoint)),
        ("Cgroups", isolation.COLUMNS, isolation.cgroup_rows(checkpoint)),
        ("Root filesystem", tables.DELTA_COLUMNS, tables.delta_rows(checkpoint)),
    ):
        print_heading(title)
        print_table(columns, rows) if rows else print_facts([("", "none")])
    for title, values in isolation.properties(checkpoint, reveal):
        print_heading(title)
        print_facts(values)


def images(target: str, as_json: bool) -> None:
    """List the CRIU images."""
    with opened_target(target) as (opened, progress):
        listing = opened.images.listing(progress)
    if as_json:
        print_json({"schema_version": 1, "source": target, "images": plain(listing)})
        return
    print_table(tables.IMAGE_COLUMNS, tables.listing_rows(listing))
    for image in listing:
        if image.problem:
            narrate(f"{image.name}: {image.problem}")


def decode(target: str, name: str, as_json: bool, crit: bool, pretty: bool, reveal: bool) -> None:
    """Print one decoded image."""
    from ckpt_tui.criu.crit import to_crit

    with opened_target(target) as (opened, progress):
        if name not in opened.images:
            near = [n for n in opened.images.names if n.split("-")[0] == name.split("-")[0]]
            raise UsageError(
                f"There is no image {name} in {target}.",
                hint=f"There are: {', '.join(near or opened.images.names[:12])}.",
            )
        image = opened.images.image(name, progress)
        if image is None:
            raise CkptError(f"{name} cannot be read:", *(n.text for n in opened.images.notes[-1:]))
        if crit:
            print_json(to_crit(image, opened.images.window(name), pretty=pretty))
            return
        lines: list[str] = []
        if has_lines(name):
            raw = RawImage(name, opened.images, opened.load(progress))
            lines = [masked(printable(line), reveal) for line in raw_lines(raw, progress)]
        if as_json:
            print_json(_image_document(image, lines, opened.images.host, reveal))
        else:
            _print_image(image, lines, opened.images.host, reveal)


def _image_document(
    image: DecodedImage, lines: list[str], host: Host, reveal: bool
) -> dict[str, Any]:
    from ckpt_tui.criu.render import Rendering, to_plain

    form = Rendering(
        host=host,
        text=lambda text: masked(text, reveal),
        data=lambda data: masked_bytes(data, reveal),
    )

    return {
        "schema_version": 1,
        "image": image.name,
        "kind": image.kind.name if image.kind else None,
        "records": image.count,
        "unknown_fields": image.unknown_fields,
        "problem": image.problem,
        "lines": lines,
        "entries": [
            {
                "offset": entry.offset,
                "size": entry.size,
                "extra": {"offset": entry.extra[0], "size": entry.extra[1]},
                "problem": entry.problem,
                "message": None if entry.message is None else to_plain(entry.message, form),
            }
            for entry in image.entries
        ],
    }


def _print_image(image: DecodedImage, lines: list[str], host: Host, reveal: bool) -> None:
    from ckpt_tui.criu.render import fields, walk

    kind = f"{image.kind.name}: {image.kind.description}" if image.kind else "unknown kind"
    print(f"{printable(image.name)}  {kind}")
    for line in lines:
        print(f"  {line}")
    for index, entry in enumerate(image.entries):
        print(f"\n[{index}] at byte {entry.offset}, {entry.size} bytes")
        if entry.message is not None:
            for depth, view in walk(fields(entry.message, host)):
                print(f"  {'  ' * depth}{printable(view.name)}  {value_text(view, reveal)}")
        if entry.extra[1]:
            print(f"  and {entry.extra[1]} bytes of its own at byte {entry.extra[0]}")
    if image.left_out:
        narrate(f"{image.left_out:,} more records of {image.name} are not decoded.")
    if image.problem:
        narrate(image.problem)
