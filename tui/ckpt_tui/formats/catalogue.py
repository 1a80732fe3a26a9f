"""PLACES: the kinds of places that can be listed, for `ls` and for the browser.

A new kind of place is one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.places import engine, folder, image, layout, registry
from ckpt_tui.formats.roots import registries


@dataclass(frozen=True, slots=True)
class Place:
    """One kind of place."""

    kinds: tuple[Kind, ...]
    """Kinds of entries that are such a place."""
    at: Callable[[str], Entry | None]
    """Return the place that a target names, None where it is of another kind."""
    children: Callable[[Entry, Progress], Iterable[Entry]]
    """Yield what is in a place, as it becomes known."""


PLACES: tuple[Place, ...] = (
    Place((Kind.REGISTRIES,), registry.registry_at, lambda *_: registries().parts or ()),
    Place((Kind.REGISTRY,), registry.registry_at, registry.repositories),
    Place((Kind.REPOSITORY,), registry.registry_at, registry.tags),
    Place((Kind.IMAGE, Kind.TAG), image.image_at, image.children),
    Place((Kind.IMAGE_ARCHIVE, Kind.ARCHIVE), layout.archive_at, layout.archive_images),
    Place((Kind.LAYOUT,), layout.layout_at, layout.layout_images),
    Place((Kind.STORE,), engine.store_place, engine.children),
    Place((Kind.FOLDER,), folder.folder_at, folder.children),
)
"""The first that a target names counts; the last one takes what is left."""


def place_at(target: str) -> Entry:
    """Return the place that a target names; any other path is a folder, which may be absent.

    Raises:
        UsageError: it is written wrong.
    """
    return next(entry for place in PLACES if (entry := place.at(target)))


def children(entry: Entry, progress: Progress) -> Iterator[Entry]:
    """Yield what is in a place, in the order in which it is shown.

    Raises:
        CkptError: it cannot be read, or does not answer. What is damaged in it is an entry with a
            `problem`, and the rest goes on.
        Cancelled: the result is not wanted any more.
    """
    place = next(place for place in PLACES if entry.kind in place.kinds)
    yield from place.children(entry, progress)
