"""What is in the local store of an engine: images, and what it keeps of checkpointed containers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.listing import TagEntry, TagKind, describe_document, stored_size
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.sources.base import BlobStore
from ckpt_tui.sources.browse import EntryKind, list_folder
from ckpt_tui.sources.containerd import ContentStore, NamedImage, named_images
from ckpt_tui.sources.containers import stored_images
from ckpt_tui.sources.kept import Kept, containerd_kept, docker_kept, podman_kept
from ckpt_tui.sources.oci import load
from ckpt_tui.sources.stores import DRIVERS, Location, Store, StoreKind

IN_ORDER = ("checkpoint", "log", "artifact", "index", "image", "")
"""Kinds of entries as a person looks for them."""


@dataclass(frozen=True, slots=True)
class StoreEntry:
    """An image, a checkpoint or a log in a store; empty and None is what is not known."""

    name: str
    target: str
    """What opens it; of a log its path, for `diagnose --log`."""
    kind: TagKind | Literal["log"]
    engine: str = ""
    container: str = ""
    image: str = ""
    """That the container was made from."""
    criu: str = ""
    namespace: str = ""
    """Of containerd."""
    digest: str = ""
    size: int | None = None
    created: datetime | None = None
    optimized: bool = False


def list_store(
    store: Store, progress: Progress, told: Callable[[CkptError], None]
) -> Iterator[StoreEntry]:
    """Yield what is in a store. Progress counts entries.

    `told` hears what cannot be read, why, and what to try; the rest goes on.
    """
    for part in _parts(store, progress):
        try:
            yield from part
        except CkptError as error:
            told(error)


def _parts(store: Store, progress: Progress) -> Iterator[Iterator[StoreEntry]]:
    match store.kind:
        case StoreKind.CONTAINERS:
            for driver in DRIVERS:
                location = Location(Path(store.root), driver)
                yield map(_kept("podman"), podman_kept(location, progress))
            for driver in DRIVERS:
                yield _stored(Location(Path(store.root), driver), progress)
        case StoreKind.CONTAINERD:
            yield map(_kept("containerd"), containerd_kept(store.root, progress))
            yield _named(store.root, progress)
        case StoreKind.DOCKER:
            yield map(_kept("docker"), docker_kept(store.root, progress))
        case StoreKind.KUBELET:
            yield _archives(store.root, progress)


def _kept(engine: str) -> Callable[[Kept], StoreEntry]:
    def entry(kept: Kept) -> StoreEntry:
        return StoreEntry(
            name=" ".join(filter(None, (kept.container, kept.name))),
            target=kept.path,
            kind="log" if kept.is_log else "checkpoint",
            engine=engine,
            container=kept.container,
            image=kept.image,
            size=kept.size,
            created=_time(kept.mtime),
        )

    return entry


def _stored(location: Location, progress: Progress) -> Iterator[StoreEntry]:
    for name, created, image in stored_images(location, progress):
        described = describe_document(name, image.descriptor, image.document)
        size = stored_size(image.store, image.document)
        yield _image(described, image.target, size, time_of(created))


def _named(root: str, progress: Progress) -> Iterator[StoreEntry]:
    content = ContentStore(root)
    try:
        for image in named_images(root, progress):
            yield _described(root, image, content)
    finally:
        content.close()


def _described(root: str, image: NamedImage, content: BlobStore) -> StoreEntry:
    """Return what an image of containerd is; one whose content is gone by its name alone."""
    target = f"containerd:[{image.namespace}@{root}]{image.name}"
    try:
        document, _ = load(content, image.descriptor)
        described = describe_document(image.name, image.descriptor, document)
        size = stored_size(content, document)
    except CkptError:
        described, size = TagEntry(image.name, image.descriptor.digest), None
    entry = _image(described, target, size, image.created)
    return replace(entry, namespace=image.namespace)


def _image(
    described: TagEntry, target: str, size: int | None, created: datetime | None
) -> StoreEntry:
    return StoreEntry(
        name=described.tag,
        target=target,
        kind=described.kind,
        engine=described.engine,
        container=described.container,
        criu=described.criu,
        digest=described.digest,
        size=size,
        created=described.created or created,
        optimized=described.optimized,
    )


def _archives(root: str, progress: Progress) -> Iterator[StoreEntry]:
    for entry in list_folder(root, progress):
        if entry.kind is EntryKind.ARCHIVE:
            created = _time(entry.mtime)
            yield StoreEntry(entry.name, entry.path, "checkpoint", size=entry.size, created=created)


def _time(mtime: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(mtime, UTC) if mtime else None
    except (OverflowError, ValueError, OSError):
        return None
