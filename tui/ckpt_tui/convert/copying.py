"""Copies images between registries, layouts and archives; podman's local store only gives.

A blob is moved as it is. Two things are made on the way: an optimized image that goes to another
repository than it names is moved there (FORMAT rule 6, `repoint`), and layers that podman's store
keeps unpacked are compressed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from ckpt_tui.convert.destination import (
    Destination,
    destination_of,
    file_sink,
    sink_of,
    writing,
)
from ckpt_tui.convert.recrypt import recrypt
from ckpt_tui.convert.repoint import repoint
from ckpt_tui.convert.staged import (
    StagedStore,
    compressed,
    own_names,
    repository_named_in,
    staged_image,
)
from ckpt_tui.convert.staging import BlobSink, Staging
from ckpt_tui.core.errors import KeyNeeded, UsageError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import Descriptor, OpenedImage
from ckpt_tui.sources.containers import StoredImage
from ckpt_tui.sources.key_wrap import recipient
from ckpt_tui.sources.reference import SCHEME, TAG, Reference, parse_reference
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.transfer import (
    BlobState,
    BlobStep,
    CopyTotals,
    Pieces,
    contents,
    copy_image,
)


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a copy does to the layers."""

    recipients: tuple[str, ...] = ()
    """Whom to encrypt for, each `jwe:FILE`; see `Request`."""
    decrypt: bool = False

    @property
    def changes(self) -> bool:
        """Whether layers are to be other than they are."""
        return self.decrypt or bool(self.recipients)


KEEP = Encryption()


@dataclass(frozen=True, slots=True)
class CopiedImage:
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
    encryption: Encryption = KEEP,
) -> CopiedImage:
    """Copy an image from one target to another: docker://, oci:, oci-archive:.

    Raises:
        KeyNeeded: a layer has to be decrypted, and no key at hand opens it.
        UsageError: a target cannot be copied from or to.
        CkptError: as `copy_image`; nothing is to be seen at the destination then.
    """
    place = destination_of(destination)
    tag = place.tag or _tag_of(source)
    if encryption.changes:
        return _recrypted(source, destination, replace(place, tag=tag), progress, encryption)
    if place.repository is None:
        return _copy_to_layout(source, destination, replace(place, tag=tag), progress, told)
    with _opened(source, progress) as image:
        reference = replace(place.repository, tag=tag or "latest")
        return _copy_to_registry(image, reference, progress, told)


def _recrypted(
    source: str, destination: str, place: Destination, progress: Progress, encryption: Encryption
) -> CopiedImage:
    """Copy with layers that are encrypted or decrypted on the way."""
    recipients = tuple(map(recipient, dict.fromkeys(encryption.recipients)))
    with writing(destination), _opened(source, progress) as image:
        named = repository_named_in(image, progress)
        repository = place.repository.name if place.repository else named
        tag = place.tag or "latest" if place.repository else place.tag
        with sink_of(place, progress, recipients) as sink:
            sink.begin([image.target])
            progress.start(f"copying {image.target}", sum(b.size for b in contents(image).blobs))
            root = recrypt(image, repository, sink, progress)
            sink.check(progress)
            sink.publish(root, tag, progress)
    return CopiedImage(source, destination, CopyTotals(root.digest), bool(named))


def _copy_to_registry(
    image: OpenedImage,
    reference: Reference,
    progress: Progress,
    told: Callable[[BlobStep], None],
) -> CopiedImage:
    from ckpt_tui.sources.registry_destination import RegistryDestination
    from ckpt_tui.sources.registry_store import RegistryStore, open_repository

    near: tuple[str, ...] = ()
    inner = image.store.inner if isinstance(image.store, StagedStore) else image.store
    if isinstance(inner, RegistryStore) and inner.client.host == reference.server:
        near = (inner.repository,)
    try:
        named = repository_named_in(image, progress)
    except KeyNeeded:
        named = ""  # it stays as it is, and names the repository that it was made for
    moved = bool(named) and named != reference.name
    if moved and own_names(image):
        raise UsageError(
            f"{image.target} is encrypted, and made for {named}:",
            "to name another repository in it, it has to be encrypted anew.",
            "Name its recipients with --encrypt-to jwe:FILE, or decrypt it with --decrypt.",
        )
    with ExitStack() as closing:
        if moved:
            staging = closing.enter_context(Staging(cache_dir() / "copying"))
            index = repoint(image, reference.name, staging, progress)
            image = staged_image(image, staging, index)
            closing.callback(image.store.close)
        target = open_repository(reference)
        closing.callback(target.close)
        place = RegistryDestination(target.client, reference, near)
        names = own_names(image)
        copied = copy_image(image, place, reference.tag, progress, told, names)
    return CopiedImage(image.target, str(reference), copied, moved)


def _copy_to_layout(
    source: str,
    destination: str,
    place: Destination,
    progress: Progress,
    told: Callable[[BlobStep], None],
) -> CopiedImage:
    with _opened(source, progress) as image:
        copied = _copy_to_files(image, place, progress, told)
    return CopiedImage(source, destination, copied, moved=False)


def copy_opened(image: OpenedImage, destination: str, progress: Progress) -> CopyTotals:
    """Copy an opened image to oci: or oci-archive:.

    Raises:
        CkptError: as `copy_image`.
    """
    return _copy_to_files(image, destination_of(destination), progress, lambda _step: None)


def _copy_to_files(
    image: OpenedImage,
    place: Destination,
    progress: Progress,
    told: Callable[[BlobStep], None],
) -> CopyTotals:
    sink = file_sink(place)
    with writing(str(place.path)), sink:
        names = own_names(image)
        return copy_image(image, _SinkTarget(sink), place.tag, progress, told, names)


@contextmanager
def _opened(source: str, progress: Progress) -> Iterator[OpenedImage]:
    opened = resolve(source, progress)
    try:
        if not isinstance(opened, OpenedImage):
            raise UsageError(
                f"{source} is not an image.", "Only images are copied.", "Convert it first."
            )
        if isinstance(opened.store, StoredImage):
            with Staging(cache_dir() / "copying") as staging:
                made = compressed(opened, opened.store, staging, progress)
                try:
                    yield made
                finally:
                    made.store.close()
        else:
            yield opened
    finally:
        opened.close()


class _SinkTarget:
    """A layout or an archive, filled by several threads."""

    def __init__(self, sink: BlobSink) -> None:
        self._sink = sink
        self._lock = threading.Lock()

    def settled(
        self, blob: Descriptor, bases: tuple[Reference, ...], progress: Progress
    ) -> BlobState | None:
        del bases, progress
        return "present" if self._sink.holds(blob.digest, blob.size) else None

    def put(self, blob: Descriptor, pieces: Pieces, progress: Progress) -> None:
        with self._lock:
            copy = self._sink.new_blob(blob.digest)  # the pieces come verified
        for piece in pieces():
            copy.write(piece)
            progress.tick(len(piece))
        with self._lock:
            self._sink.keep(copy)

    def put_manifest(self, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        self.put(manifest, lambda: iter((data,)), progress)

    def name_manifest(
        self, manifest: Descriptor, data: bytes, tag: str, progress: Progress
    ) -> None:
        del data, progress
        self._sink.other_names.append((manifest, tag))

    def publish(self, root: Descriptor, data: bytes, tag: str, progress: Progress) -> None:
        self.put_manifest(root, data, progress)
        self._sink.publish(Descriptor(root.media_type, root.digest, root.size), tag, progress)


def _tag_of(source: str) -> str:
    """Return the tag that a source is named by, to name the copy by it."""
    if source.startswith(SCHEME):
        return parse_reference(source).tag
    tag = source.rpartition(":")[2]
    return tag if source.count(":") > 1 and TAG.fullmatch(tag) else ""
