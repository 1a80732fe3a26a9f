"""From what a person asked for to a plan: the source opened, the base found."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.inventory import build_criu_facts
from ckpt_tui.checkpoint.places import build_mounts
from ckpt_tui.checkpoint.validated import validated_files
from ckpt_tui.convert.base import BaseImage, find_base
from ckpt_tui.convert.plan import Destination, Options, Plan, RecordedFile, make_plan
from ckpt_tui.convert.source import Source, archive_source, tree_source
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.sources.browse import EntryKind, list_folder

GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64": "ppc64le", "arm": "arm"}
"""CRIU's names of architectures to those of OCI platforms; others are the same."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to convert and whereto."""

    target: str
    destination: str = ""
    """oci:DIR[:TAG] or oci-archive:FILE[:TAG]; empty: the own store."""
    base: str = ""
    """Target of the base image; empty: podman's local store."""
    repository: str = ""
    """HOST/REPO in which a local result will live."""
    keep_delta_tar: bool = False


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan with what it keeps open. Close it when it was run, or was not wanted."""

    plan: Plan
    close: Callable[[], None]


def destination_of(text: str) -> Destination:
    """Return where a result goes.

    Raises:
        UsageError: it is neither an OCI layout nor an OCI archive.
    """
    if not text:
        return Destination(own_store())
    scheme, _, rest = text.partition(":")
    path, tag = _path_and_tag(rest)
    if scheme not in ("oci", "oci-archive") or not path:
        raise UsageError(
            f"{text} is no place to convert into.",
            "It is written oci:DIR[:TAG] or oci-archive:FILE[:TAG].",
            "A registry takes two steps: convert into a layout, then copy that.",
        )
    return Destination(Path(path), tag, archive=scheme == "oci-archive")


def _path_and_tag(rest: str) -> tuple[str, str]:
    path, colon, tag = rest.rpartition(":")
    return (path, tag) if colon and "/" not in tag else (rest, "")


def prepare(request: Request, progress: Progress) -> Prepared:
    """Open the source and the base image, and plan the conversion.

    Raises:
        CkptError: the source or the named base cannot be read. What only forbids the conversion
            is among the plan's problems.
        Cancelled: nobody wants it.
    """
    destination = destination_of(request.destination)
    opened = open_checkpoint(request.target, progress)
    base: BaseImage | None = None
    try:
        if opened.format.optimized:
            raise UsageError(
                f"{request.target} is in the optimized format already.",
                hint="Use `--to archive` for the way back.",
            )
        source = _source(opened)
        if not request.keep_delta_tar:
            base = _base_of(source, request.base, progress)
        plan = make_plan(
            source,
            base,
            destination,
            request.repository,
            _options(opened, request),
            _recorded(opened),
            progress,
        )
    except BaseException:
        _close(opened, base)
        raise
    return Prepared(plan, lambda: _close(opened, base))


def base_for(opened: OpenCheckpoint, named: str, progress: Progress) -> BaseImage | None:
    """Find the image a checkpoint's container ran from: `named`, in podman's local store, or
    beside the checkpoint. The caller closes it.

    Raises:
        CkptError: the named one cannot be read, or is no image.
    """
    return _base_of(_source(opened), named, progress)


def _base_of(source: Source, named: str, progress: Progress) -> BaseImage | None:
    found = find_base(source, named, progress)
    return found or _base_beside(source.label, source, progress)


def _base_beside(target: str, source: Source, progress: Progress) -> BaseImage | None:
    """Return the image the container ran from, if it lies beside the checkpoint as an OCI layout
    or archive. Only one whose config has the digest that the engine recorded is taken."""
    folder = os.path.dirname(target) or "."
    wanted = f"sha256:{source.container.image_id}"
    if not os.path.isfile(target) or not source.container.image_id:
        return None
    for entry in list_folder(folder, progress):
        is_image = entry.kind is EntryKind.LAYOUT or entry.compression == "plain"
        if not is_image or os.path.samefile(entry.path, target):
            continue
        try:
            found = find_base(source, entry.path, progress)
        except CkptError:
            continue
        if found is not None and found.config_digest == wanted:
            return found
        if found is not None:
            found.close()
    return None


def _close(opened: OpenCheckpoint, base: BaseImage | None) -> None:
    opened.close()
    if base is not None:
        base.close()


def _source(opened: OpenCheckpoint) -> Source:
    container = opened.kind.container(opened.metadata)
    if isinstance(opened.tree, ArchiveTree):
        return archive_source(
            opened.tree.stored,
            opened.target,
            opened.format.name,
            opened.format.engine,
            opened.tree.compression,
            opened.tree,
            container,
        )
    return tree_source(
        opened.target,
        opened.format.name,
        opened.format.engine,
        opened.tree,
        container,
        opened.metadata.annotations,
        stored_size=opened.source_size,
    )


def _options(opened: OpenCheckpoint, request: Request) -> Options:
    facts = build_criu_facts(opened.images, opened.tree, opened.metadata.annotations, [])
    architecture = GO_ARCHITECTURES.get(facts.architecture, facts.architecture)
    return Options(
        keep_delta_tar=request.keep_delta_tar,
        plain_pages=facts.compressed_pages or facts.encrypted,
        architecture=architecture,
    )


def _recorded(opened: OpenCheckpoint) -> list[RecordedFile]:
    files = validated_files(FileTable(opened.images), build_mounts(opened.images))
    return [
        RecordedFile(
            file.path.lstrip("/"),
            file.size,
            stat.S_IMODE(file.mode) if file.mode is not None else None,
        )
        for file in files
        if file.size is not None
    ]
