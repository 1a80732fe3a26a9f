"""containerd's local store: its content by digest, and which of it are images, from its database.

After github.com/containerd/containerd: core/metadata/buckets.go and plugins/content/local. The
program need not run, and is asked nothing.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ckpt_tui.archive.directory import FileBeneath, open_beneath, open_folder
from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.errors import DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.sources.base import Descriptor, OpenedImage, checked_digest
from ckpt_tui.sources.bolt import Bolt, Bucket
from ckpt_tui.sources.oci import layer_archive, missing_blob, open_image
from ckpt_tui.sources.stores import CONTAINERD_ROOT, DATABASE, stored_target

_CONTENT = "io.containerd.content.v1.content"

ATTEMPTS = 3
"""Times that the database is read where it changes meanwhile."""

MAX_IMAGES = 100_000

_TIME = struct.Struct(">BqI")
"""Start of a time as Go packs it: version 1, seconds since year 1, nanoseconds."""


@dataclass(frozen=True, slots=True)
class NamedImage:
    """A name in a store, and what it stands for."""

    namespace: str
    """`default` of ctr, `k8s.io` of the kubelet, `moby` of Docker."""
    name: str
    descriptor: Descriptor
    created: datetime | None
    """When it was given that name."""


class ContentStore:
    """The blobs of a store."""

    def __init__(self, root: str) -> None:
        """Raises `SourceUnreachable` where it is absent or may not be read."""
        self._folder = open_folder(os.path.join(root, _CONTENT))

    def blob(self, digest: str) -> ByteWindow:
        algorithm, _, digits = checked_digest(digest, "the manifest").partition(":")
        name = f"blobs/{algorithm}/{digits}"
        try:
            file = open_beneath(self._folder, name)
        except SourceUnreachable as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise missing_blob(digest) from error
            raise
        size = file.size
        file.close()
        return FileBeneath(self._folder, name, size)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        return layer_archive(self, layer, progress)

    def close(self) -> None:
        os.close(self._folder)


def named_images(root: str, progress: Progress) -> tuple[NamedImage, ...]:
    """Return the images of a store, namespace by namespace. Progress counts them.

    Raises:
        SourceUnreachable: there is no such store, or it may not be read.
        DamagedInput: its database is damaged.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return tuple(_read_names(root, progress))
        except DamagedInput:  # a page may have been written anew meanwhile
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def open_containerd(target: str, progress: Progress) -> OpenedImage:
    """Open an image by name; `[NAMESPACE@CONTAINERD_ROOT]` before it says where it is looked for.

    Raises:
        SourceUnreachable: it is not there, or the store may not be read.
        UsageError: the name is empty.
    """
    stored = stored_target(target)
    if stored is None or not stored.name:
        raise UsageError(f"{target} names no image.")
    root, space, name = stored.root or CONTAINERD_ROOT, stored.within, stored.name
    images = [i for i in named_images(root, progress) if space in ("", i.namespace)]
    for image in images:
        if _is_called(image, name):
            store = ContentStore(root)
            try:
                return open_image(target, store, image.descriptor)
            except BaseException:
                store.close()
                raise
    where = f"namespace {space}" if space else "any namespace"
    raise SourceUnreachable(
        f"{name} is in no image store of containerd.",
        f"Looked for it in {where} of {root}.",
        "`ckpt-tui ls` lists what is there.",
    )


def _is_called(image: NamedImage, wanted: str) -> bool:
    """Compare with the whole name, or with it as docker and ctr let one shorten it."""
    if wanted.removeprefix("@") == image.descriptor.digest:
        return True
    full = wanted if "@" in wanted or ":" in wanted.rpartition("/")[2] else f"{wanted}:latest"
    prefixes = ("", "docker.io/", "docker.io/library/")
    return image.name == wanted or image.name in [f"{prefix}{full}" for prefix in prefixes]


def _read_names(root: str, progress: Progress) -> Iterator[NamedImage]:
    folder = open_folder(root)
    try:
        file = open_beneath(folder, DATABASE)
    finally:
        os.close(folder)
    try:
        spaces = Bolt(file, "meta.db").root.bucket("v1")
        count = 0
        for space, bucket in spaces.buckets() if spaces else ():
            progress.tick(0)
            images = bucket.bucket("images")
            for name, image in images.buckets() if images else ():
                progress.tick()
                count += 1
                if count > MAX_IMAGES:
                    raise DamagedInput("meta.db", 0, "it names images without end.")
                yield _named(space, name, image)
    finally:
        file.close()


def _named(space: str, name: str, image: Bucket) -> NamedImage:
    target = image.bucket("target")
    if target is None:
        raise DamagedInput("meta.db", 0, f"image {name} in it stands for nothing.")
    descriptor = Descriptor(
        media_type=target.value("mediatype").decode("utf-8", "replace"),
        digest=checked_digest(target.value("digest").decode("utf-8", "replace"), "meta.db"),
        size=_number(target.value("size")),
    )
    return NamedImage(space, name, descriptor, _time(image.value("createdat")))


def _number(data: bytes) -> int:
    """Return a number as Go's `binary.PutVarint` packs it: zigzag, seven bits a byte."""
    packed = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data[:10]))
    return packed >> 1 if not packed & 1 else 0  # none is below zero


def _time(data: bytes) -> datetime | None:
    if len(data) < _TIME.size or data[0] not in (1, 2):
        return None
    _, seconds, _ = _TIME.unpack_from(data)
    try:
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return None
