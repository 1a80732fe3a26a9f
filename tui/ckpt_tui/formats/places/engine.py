"""The local stores of engines as places: images, and what is kept of checkpointed containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import natural_key
from ckpt_tui.formats.describing import describe_stored
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.formats.places.folder import list_folder
from ckpt_tui.formats.places.kept import containerd_kept, docker_kept, podman_kept
from ckpt_tui.sources.base import BlobStore
from ckpt_tui.sources.containerd import ContentStore, NamedImage, named_images
from ckpt_tui.sources.containers import stored_images
from ckpt_tui.sources.oci import load
from ckpt_tui.sources.stores import DRIVERS, Location, Store, StoreKind, store_at

IN_ORDER = ("checkpoint", "log", "artifact", "index", "image", "")
"""Contents of entries as a person looks for them."""


def store_place(target: str) -> Entry | None:
    """Return the store whose root is at a path."""
    store = store_at(target)
    if store is None:
        return None
    return Entry(Kind.STORE, os.path.basename(target), target, engine=store.kind.value)


def children(place: Entry, progress: Progress) -> list[Entry]:
    """Return what is in a store, checkpoints first; what cannot be read comes last, as problems."""
    store = store_at(place.path) or Store(StoreKind(place.engine), place.path)
    found = [replace(entry, path=store.root) for entry in list_store(store, progress)]
    return sorted(found, key=_order)


def _order(entry: Entry) -> tuple[object, ...]:
    is_problem = entry.kind is Kind.PROBLEM
    place = IN_ORDER.index(entry.content)
    return is_problem, place, natural_key(entry.namespace), natural_key(entry.name)


def list_store(store: Store, progress: Progress) -> Iterator[Entry]:
    """Yield what is in a store, as it is stored; what cannot be read there is a problem, and the
    rest goes on. Progress counts entries."""
    for part in _parts(store, progress):
        try:
            yield from part
        except CkptError as error:
            yield Entry(Kind.PROBLEM, str(error), problem=error)


def _parts(store: Store, progress: Progress) -> Iterator[Iterator[Entry]]:
    match store.kind:
        case StoreKind.CONTAINERS:
            for driver in DRIVERS:
                location = Location(Path(store.root), driver)
                yield podman_kept(location, progress)
            for driver in DRIVERS:
                yield _stored(Location(Path(store.root), driver), progress)
        case StoreKind.CONTAINERD:
            yield containerd_kept(store.root, progress)
            yield _named(store.root, progress)
        case StoreKind.DOCKER:
            yield docker_kept(store.root, progress)
        case StoreKind.KUBELET:
            yield _archives(store.root, progress)


def _stored(location: Location, progress: Progress) -> Iterator[Entry]:
    for name, created, image in stored_images(location, progress):
        entry = describe_stored(name, image.store, image.descriptor, image.document)
        yield replace(entry, target=image.target, created=entry.created or time_of(created))


def _named(root: str, progress: Progress) -> Iterator[Entry]:
    content = ContentStore(root)
    try:
        for image in named_images(root, progress):
            entry = _described(image, content)
            yield replace(
                entry,
                target=f"containerd:[{image.namespace}@{root}]{image.name}",
                namespace=image.namespace,
                created=entry.created or image.created,
            )
    finally:
        content.close()


def _described(image: NamedImage, content: BlobStore) -> Entry:
    """Return what an image of containerd is; one whose content is gone by its name alone."""
    one = image.descriptor
    try:
        return describe_stored(image.name, content, one, load(content, one)[0])
    except CkptError:
        return Entry(Kind.IMAGE, image.name, descriptor=one)


def _archives(root: str, progress: Progress) -> Iterator[Entry]:
    for entry in list_folder(root, progress):
        if entry.kind in (Kind.ARCHIVE, Kind.IMAGE_ARCHIVE):
            yield replace(entry, kind=Kind.ARCHIVE, content="checkpoint")
