"""Searching checkpoints, one or many: in folders, stores, repositories and registries, too."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from ckpt_tui.checkpoint.hits import Hit, hits
from ckpt_tui.checkpoint.passages import Content, Inside
from ckpt_tui.checkpoint.patterns import Finder
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.core.errors import CkptError, NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.catalogue import children, place_at
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.fetching import BeforeFetching
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.formats.places.folder import is_folder_of_checkpoints
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import config_of, is_manifest_type, load, manifests, open_image

MAX_DEPTH = 8
"""Folders in each other that are looked into."""

MAX_TARGETS = 10_000
"""Checkpoints of one place that are searched."""

_ROOMS = (Kind.FOLDER, Kind.STORE, Kind.LAYOUT, Kind.REGISTRY, Kind.REPOSITORY)
"""Kinds of places that hold others."""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a search of a target met: a place, or what could not be searched."""

    target: str
    hit: Hit | None = None
    problem: str = ""
    error: CkptError | None = None
    """Why all of the target could not be searched."""
    opened: OpenCheckpoint | None = None
    """The checkpoint that `hit` is in, open until the next target comes."""


def search_targets(
    target: str,
    finder: Finder,
    progress: Progress,
    kinds: Collection[Content] = (),
    before_fetching: BeforeFetching | None = None,
) -> Iterator[Found]:
    """Yield what is found in a checkpoint, or in all those of a place, as it is found.

    Raises:
        CkptError: the place cannot be read. What cannot be opened in it is yielded.
        Cancelled: the caller gave up.
    """
    for one, opened in opened_checkpoints(target, progress, before_fetching):
        if isinstance(opened, CkptError):
            yield Found(one, error=opened)
            continue
        try:
            yield from search_opened(one, opened, finder, progress, kinds)
        except CkptError as error:
            yield Found(one, error=error)


def opened_checkpoints(
    target: str, progress: Progress, before_fetching: BeforeFetching | None = None
) -> Iterator[tuple[str, OpenCheckpoint | CkptError]]:
    """Yield a checkpoint, or all those of a place, each with its target and open until the next one
    is asked for; of one that cannot be opened the reason.

    Raises:
        CkptError: the place cannot be read, or there is no checkpoint in it.
        Cancelled: the caller gave up.
    """
    checkpoints = 0
    for one in targets_at(target, progress):
        try:
            opened = open_checkpoint(one, progress, before_fetching=before_fetching)
        except CkptError as error:
            if one == target:
                raise
            if not isinstance(error, NotACheckpoint):
                checkpoints += 1
                yield one, error
            continue
        checkpoints += 1
        try:
            yield one, opened
        finally:
            opened.close()
    if not checkpoints:
        raise NotACheckpoint(f"No checkpoint found in {target}.")


def search_opened(
    target: str,
    opened: OpenCheckpoint,
    finder: Finder,
    progress: Progress,
    kinds: Collection[Content] = (),
) -> Iterator[Found]:
    """Yield what is found in one checkpoint, and after it what could not be read.

    Raises:
        CkptError: it cannot be decoded.
        Cancelled: the caller gave up.
    """
    problems: list[Note] = []
    for hit in hits(inside_of(opened, progress), finder, progress, problems, kinds):
        yield Found(target, hit, opened=opened)
    for note in problems:
        yield Found(target, problem=f"{note.where}: {note.text}")


def inside_of(opened: OpenCheckpoint, progress: Progress) -> Inside:
    """Return an opened checkpoint as it is looked through; all but its pages are decoded."""
    checkpoint = opened.load(progress)
    source = opened.source
    documents = image_documents(source) if isinstance(source, OpenedImage) else {}
    return Inside(
        checkpoint,
        opened.tree,
        opened.images,
        opened.memory,
        opened.kind.images,
        opened.open_delta,
        documents,
    )


def image_documents(image: OpenedImage) -> Mapping[str, bytes]:
    """Return the manifests and configs of an image by what they are; those that are missing or
    damaged are left out."""
    found: dict[str, bytes] = {}
    inner = [image]
    if image.is_index:
        found["index"] = image.data
        inner = []
        for one in manifests(image.store, image.document, "the index"):
            with suppress(CkptError):
                if is_manifest_type(one.media_type):
                    inner.append(open_image(image.target, image.store, one))
    for number, one_image in enumerate(inner, 1):
        mark = f" {number}" if image.is_index else ""
        found[f"manifest{mark}"] = one_image.data
        with suppress(CkptError):
            found[f"config{mark}"] = load(one_image.store, config_of(one_image))[1]
    return found


def targets_at(target: str, progress: Progress) -> Iterator[str]:
    """Yield the targets of what is in the place that a target names, or the target itself where it
    is no such place.

    Raises:
        CkptError: the place cannot be read.
    """
    place = place_at(target)
    is_room = place.kind in _ROOMS
    if place.kind is Kind.FOLDER:
        is_room = os.path.isdir(place.path) and is_folder_of_checkpoints(place.path)
    if not is_room:
        yield target
        return
    seen: set[str] = set()
    for found in _in_room(place, progress, 0):
        if found not in seen and len(seen) < MAX_TARGETS:
            seen.add(found)
            yield found


def _in_room(place: Entry, progress: Progress, depth: int) -> Iterator[str]:
    for entry in children(place, progress):
        progress.tick(0)
        if entry.target and entry.kind is not Kind.LOG:
            yield entry.target
        elif entry.kind in _ROOMS and depth < MAX_DEPTH:
            try:
                yield from _in_room(entry, progress, depth + 1)
            except CkptError:  # of a folder that may not be read
                continue
