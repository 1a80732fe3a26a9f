"""Copies an image from store to store: what is there already stays, the name comes last.

An index is copied with all of its manifests, byte for byte, so that digests stay what they are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, runtime_checkable

from ckpt_tui.core.document import text_at
from ckpt_tui.core.errors import DamagedInput, UsageError
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress, Uncounted
from ckpt_tui.core.window import chunks
from ckpt_tui.sources.base import (
    BASE_NAME,
    MEDIA_INDEX,
    MEDIA_MANIFEST,
    BlobStore,
    Descriptor,
    OpenedImage,
)
from ckpt_tui.sources.digests import verified
from ckpt_tui.sources.oci import (
    MAX_DEPTH,
    MAX_DESCRIPTORS,
    descriptor_of,
    descriptors_of,
    is_index_type,
    is_manifest_type,
    load,
)
from ckpt_tui.sources.reference import Reference, parse_reference

AT_ONCE = 3
"""Blobs that are copied at a time: enough to hide the waiting for answers."""

Pieces = Callable[[], Iterator[bytes]]
"""Gives the bytes of a blob, from the start at each call."""


@runtime_checkable
class StreamingStore(Protocol):
    """A store that gives a blob as a stream better than as a window."""

    def pieces(self, blob: Descriptor, progress: Progress) -> Iterator[bytes]:
        """Yield a blob from start to end."""


BlobState = Literal["present", "mounted", "copying", "copied"]


class CopyTarget(Protocol):
    """A place to copy into. Progress counts bytes of blobs."""

    def settled(
        self, blob: Descriptor, bases: tuple[Reference, ...], progress: Progress
    ) -> BlobState | None:
        """Tell how a blob is there without being sent: "present", or "mounted" from the repository
        of a base image; None: it has to be put."""

    def put(self, blob: Descriptor, pieces: Pieces, progress: Progress) -> None:
        """Store a blob."""

    def put_manifest(self, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        """Store a manifest or index that another one names."""

    def name_manifest(
        self, manifest: Descriptor, data: bytes, tag: str, progress: Progress
    ) -> None:
        """Store a manifest that another one names under a name of its own, too."""

    def publish(self, root: Descriptor, data: bytes, tag: str, progress: Progress) -> None:
        """Store the manifest or index that was copied, and give it its name."""


@dataclass(frozen=True, slots=True)
class BlobStep:
    """What happens to one of the blobs of a copy."""

    number: int
    """From 1."""
    count: int
    blob: Descriptor
    state: BlobState
    done: int = 0
    """Bytes of it so far."""


@dataclass(slots=True)
class CopyTotals:
    """What a copy did; bytes by what was done with them."""

    digest: str
    blobs: dict[BlobState, int] = field(default_factory=dict)
    """How many were present, mounted or copied."""
    bytes: dict[BlobState, int] = field(default_factory=dict)

    def add(self, state: BlobState, size: int) -> None:
        self.blobs[state] = self.blobs.get(state, 0) + 1
        self.bytes[state] = self.bytes.get(state, 0) + size


@dataclass(frozen=True, slots=True)
class Contents:
    """All that an image is made of."""

    manifests: tuple[tuple[Descriptor, bytes], ...]
    """Children before what names them; the image itself is the last."""
    blobs: tuple[Descriptor, ...]
    bases: tuple[Reference, ...]
    """The base images that it names."""


def contents(image: OpenedImage) -> Contents:
    """Read every manifest of an image.

    Raises:
        SourceUnreachable: a manifest is not in the store.
        DamagedInput: one is damaged, or they are nested without end.
    """
    manifests: dict[str, tuple[Descriptor, bytes]] = {}
    blobs: dict[str, Descriptor] = {}
    bases: dict[Reference, None] = {}

    def visit(descriptor: Descriptor, document: Mapping[str, Any], data: bytes, depth: int) -> None:
        if depth > MAX_DEPTH or len(manifests) + len(blobs) > MAX_DESCRIPTORS:
            raise DamagedInput("the index", 0, "its indexes are nested without end.")
        for child in descriptors_of(document, "manifests", "the index"):
            if not is_index_type(child.media_type) and not is_manifest_type(child.media_type):
                blobs[child.digest] = child
            elif child.digest not in manifests:
                visit(child, *load(image.store, child), depth + 1)
        if "layers" in document or "config" in document:
            layers = descriptors_of(document, "layers", "the manifest")
            config = descriptor_of(document.get("config"), "the manifest")
            blobs.update((blob.digest, blob) for blob in (*layers, config))
        with suppress(UsageError):
            if base := text_at(document, "annotations", BASE_NAME):
                bases[parse_reference(base)] = None
        manifests[descriptor.digest] = (descriptor, data)

    visit(image.descriptor, image.document, image.data, 0)
    return Contents(tuple(manifests.values()), tuple(blobs.values()), tuple(bases))


def copy_image(
    image: OpenedImage,
    target: CopyTarget,
    tag: str,
    progress: Progress,
    told: Callable[[BlobStep], None] = lambda _step: None,
    names: Mapping[str, str] | None = None,
) -> CopyTotals:
    """Copy an image, some blobs at a time, to be `tag` there; `told` hears what happens to each.
    `names` are those of manifests in it that have one of their own, by digest.

    Raises:
        CkptError: a blob is missing or damaged, or the destination does not take it. The name is
            given last, so that until then there is no image to be seen at the destination.
    """
    progress.start(f"reading {image.target}")
    found = contents(image)
    copied = CopyTotals(image.descriptor.digest)
    progress.start(f"copying {image.target}", sum(blob.size for blob in found.blobs))
    telling = threading.Lock()

    def job(number: int, blob: Descriptor) -> Callable[[Progress], None]:
        def tell(state: BlobState, done: int = 0) -> None:
            with telling:
                told(BlobStep(number, len(found.blobs), blob, state, done))

        def copy(own: Progress) -> None:
            state = target.settled(blob, found.bases, own)
            if state is None:
                tell("copying")
                counted = _Told(own, lambda done: tell("copying", done))
                target.put(blob, _source(image.store, blob, counted), counted)
                state = "copied"
            else:
                own.tick(blob.size)
            with telling:
                copied.add(state, blob.size)
            tell(state, blob.size)

        return copy

    jobs = (job(number, blob) for number, blob in enumerate(found.blobs, 1))
    side_by_side(jobs, AT_ONCE, progress)
    progress.ask()
    *children, (root, data) = found.manifests
    for child, child_data in children:
        typed = _typed(child, child_data)
        target.put_manifest(typed, child_data, progress)
        if names and child.digest in names:
            target.name_manifest(typed, child_data, names[child.digest], progress)
    target.publish(_typed(root, data), data, tag, progress)
    return copied


class _Told(Progress):
    """Counts into another progress and now and then says how far it is."""

    def __init__(self, inner: Progress, told: Callable[[int], None]) -> None:
        super().__init__(lambda _step, done, _total: told(done))
        self._inner = inner

    def tick(self, amount: int = 1) -> None:
        self._inner.tick(amount)
        super().tick(amount)


def verified_pieces(store: BlobStore, blob: Descriptor, progress: Progress) -> Iterator[bytes]:
    """Yield a blob from start to end; that it has its digest is known at the end.

    Raises:
        DamagedInput: it has not.
        SourceUnreachable: it is not there.
    """
    if isinstance(store, StreamingStore):
        return store.pieces(blob, Uncounted(progress))
    return verified(chunks(store.blob(blob.digest)), blob.digest)


def _source(store: BlobStore, blob: Descriptor, progress: Progress) -> Pieces:
    return partial(verified_pieces, store, blob, progress)


def _typed(manifest: Descriptor, data: bytes) -> Descriptor:
    """Return the descriptor with a media type; containerd leaves it out of its manifests."""
    if manifest.media_type:
        return manifest
    is_index = isinstance(json.loads(data).get("manifests"), list)
    media_type = MEDIA_INDEX if is_index else MEDIA_MANIFEST
    return Descriptor(media_type, manifest.digest, manifest.size, manifest.annotations)
