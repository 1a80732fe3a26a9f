"""Copies images between registries, layouts and archives; podman's local store only gives.

A blob is moved as it is. Two things are made on the way: an optimized image that goes to another
repository than it names is moved there (FORMAT rule 6, `repoint`), and layers that podman's store
keeps unpacked are compressed.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ckpt_tui.convert.destination import Destination as Place
from ckpt_tui.convert.destination import destination_of
from ckpt_tui.convert.layout import Staging
from ckpt_tui.convert.repoint import repoint
from ckpt_tui.convert.staged import StagedStore, compressed, repository_named_in, staged_image
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import Descriptor, OpenedImage
from ckpt_tui.sources.containers import StoredImage
from ckpt_tui.sources.reference import SCHEME, Reference, parse_reference
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.transfer import BlobStep, CopyTotals, Pieces, copy_image


@dataclass(frozen=True, slots=True)
class Result:
    """What was copied and where it is."""

    source: str
    destination: str
    copied: CopyTotals
    moved: bool
    """Whether config.dump was changed to name the repository that the image is in."""


def copy(
    source: str,
    destination: str,
    progress: Progress,
    told: Callable[[BlobStep], None] = lambda _step: None,
) -> Result:
    """Copy an image from one target to another: docker://, oci:, oci-archive:.

    Raises:
        UsageError: a target cannot be copied from or to.
        CkptError: as `copy_image`; nothing is to be seen at the destination then.
    """
    place = destination_of(destination)
    tag = place.tag or _tag_of(source)
    if place.repository is None:
        return _copy_to_layout(source, destination, replace(place, tag=tag), progress, told)
    with _opened(source, progress) as image:
        reference = replace(place.repository, tag=tag or "latest")
        return _copy_to_registry(image, reference, progress, told)


def _copy_to_registry(
    image: OpenedImage,
    reference: Reference,
    progress: Progress,
    told: Callable[[BlobStep], None],
) -> Result:
    from ckpt_tui.sources.registry_destination import RegistryDestination
    from ckpt_tui.sources.registry_store import RegistryStore, open_repository

    near: tuple[str, ...] = ()
    inner = image.store.inner if isinstance(image.store, StagedStore) else image.store
    if isinstance(inner, RegistryStore) and inner.client.host == reference.server:
        near = (inner.repository,)
    named = repository_named_in(image, progress)
    moved = bool(named) and named != reference.name
    with ExitStack() as closing:
        if moved:
            staging = closing.enter_context(Staging(cache_dir() / "copying", final=False))
            index = repoint(image, reference.name, staging, progress)
            image = staged_image(image, staging, index)
            closing.callback(image.store.close)
        target = open_repository(reference)
        closing.callback(target.close)
        place = RegistryDestination(target.client, reference, near)
        copied = copy_image(image, place, progress, told)
    return Result(image.target, str(reference), copied, moved)


def _copy_to_layout(
    source: str,
    destination: str,
    place: Place,
    progress: Progress,
    told: Callable[[BlobStep], None],
) -> Result:
    folder = place.path.parent if place.archive else place.path
    try:
        with (
            _opened(source, progress) as image,
            Staging(folder, final=not place.archive) as staging,
        ):
            copied = copy_image(image, _LayoutDestination(staging, place), progress, told)
    except OSError as error:
        raise CkptError(
            f"{place.path} cannot be written:",
            f"{error.strerror or error}.",
            "Free some space or name another place.",
        ) from error
    return Result(source, destination, copied, moved=False)


@contextmanager
def _opened(source: str, progress: Progress) -> Iterator[OpenedImage]:
    opened = resolve(source, progress)
    try:
        if not isinstance(opened, OpenedImage):
            raise UsageError(
                f"{source} is no image.", "Only images are copied.", "Convert it first."
            )
        if isinstance(opened.store, StoredImage):
            with Staging(cache_dir() / "copying", final=False) as staging:
                made = compressed(opened, opened.store, staging, progress)
                try:
                    yield made
                finally:
                    made.store.close()
        else:
            yield opened
    finally:
        opened.close()


class _LayoutDestination:
    """A layout or an archive of one, filled by way of a staging folder, blobs side by side."""

    def __init__(self, staging: Staging, place: Place) -> None:
        self._staging = staging
        self._place = place
        self._lock = threading.Lock()

    def has(self, blob: Descriptor, progress: Progress) -> bool:
        del progress
        return self._staging.holds(blob.digest, blob.size)

    def mount(self, blob: Descriptor, bases: tuple[Reference, ...], progress: Progress) -> bool:
        del blob, bases, progress
        return False

    def put(self, blob: Descriptor, pieces: Pieces, progress: Progress) -> None:
        with self._lock:
            copy = self._staging.new_blob(blob.digest)  # the pieces come verified
        for piece in pieces():
            copy.write(piece)
            progress.tick(len(piece))
        with self._lock:
            self._staging.keep(copy)

    def put_manifest(self, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        self.put(manifest, lambda: iter((data,)), progress)

    def publish(self, root: Descriptor, data: bytes, progress: Progress) -> None:
        self.put_manifest(root, data, progress)
        written = Descriptor(root.media_type, root.digest, root.size)
        if self._place.archive:
            self._staging.publish_archive(written, self._place.tag, self._place.path, progress)
        else:
            self._staging.publish(written, self._place.tag)


def _tag_of(source: str) -> str:
    """Return the tag that a source is named by, to name the copy by it."""
    if source.startswith(SCHEME):
        return parse_reference(source).tag
    tag = source.rpartition(":")[2]
    return tag if source.count(":") > 1 and re.fullmatch(r"\w[\w.-]{0,127}", tag) else ""
