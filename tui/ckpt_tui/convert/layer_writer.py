"""Writes layers: tar streams, compressed in frames, with both digests learned on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ckpt_tui.archive.compression import Compression, plain_pieces, sniff
from ckpt_tui.archive.seekable import FRAME_SIZE, SeekableZstdWriter
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.digest import Digest, hashed
from ckpt_tui.convert.header_writer import END, header, padding
from ckpt_tui.convert.roles import DELTA, DEVSHM, VOLUMES, PlannedLayer
from ckpt_tui.convert.seal import Seal, unsealed
from ckpt_tui.convert.staging import BlobSink, Staging
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, counted
from ckpt_tui.core.window import ByteWindow, chunks
from ckpt_tui.formats.images import LAYER_ROLE_KEY
from ckpt_tui.sources.base import MEDIA_LAYER, Descriptor
from ckpt_tui.sources.layer_cipher import ENCRYPTED, LayerKey

LEVEL = 1
"""Of zstd. Memory pages compress little better at 3, and take twice as long."""

NESTED = (DEVSHM, VOLUMES)
"""Roles of files that are archives, whose digests the way back needs."""

_SUFFIXES: dict[Compression, str] = {"zstd": "+zstd", "gzip": "+gzip", "plain": ""}


@dataclass(frozen=True, slots=True)
class WrittenLayer:
    """A layer as written."""

    descriptor: Descriptor
    diff_id: str
    plain_size: int
    frames: bytes = b""
    """SHA-256 of each zstd frame, one after the other; empty where it is stored otherwise."""
    key: LayerKey | None = None
    """What opens it, if it was encrypted."""

    @property
    def plain_digest(self) -> str:
        """Digest of the blob before it was encrypted."""
        return self.key.digest if self.key else self.descriptor.digest


class LayerWriter:
    """One layer on its way into the staging folder; as a context manager it lets go of threads."""

    def __init__(self, staging: Staging, role: str, *, plain: bool = False) -> None:
        self._staging = staging
        self._role = role
        self._digest = staging.new_digest()
        self._blob = staging.new_blob()
        self._seal = staging.new_seal(self._blob, role)
        self._sink = self._seal or self._blob
        self._zstd = None if plain else SeekableZstdWriter(self._sink, level=LEVEL)
        self.size = 0

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(self, *error: object) -> None:
        if self._zstd:
            self._zstd.__exit__(*error)

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes of the tar."""
        if self._zstd:
            self._zstd.write(data)
        else:
            self._sink.write(data)
        self._digest.update(data)
        self.size += len(data)

    def add(self, member: Member, pieces: Iterable[bytes]) -> None:
        """Add a member with its data.

        Raises:
            CkptError: there are more or fewer bytes than the member has.
        """
        self.write(header(member))
        if member.kind is MemberKind.FILE:
            self.add_data(member, pieces)

    def add_data(self, member: Member, pieces: Iterable[bytes]) -> None:
        """Add the data of a member whose header was written; see `add`.

        A large file has frames of its own: a reader gets at the headers around it without its data,
        and at a page without the one before.
        """
        before = self.size
        if member.size >= FRAME_SIZE:
            self.end_frame()
        for piece in pieces:
            self.write(piece)
        if self.size - before != member.size:
            raise CkptError(
                f"{member.name} changed while it was read:",
                f"it has {self.size - before:,} bytes instead of {member.size:,}.",
            )
        if member.size >= FRAME_SIZE:
            self.end_frame()
        self.write(padding(member.size))

    def end_frame(self) -> None:
        """Let what follows be read without what came before."""
        if self._zstd:
            self._zstd.end_frame()

    def finish(self, *, end: bool = True) -> WrittenLayer:
        """Write the end mark, unless it is there already, and stage the blob."""
        if end:
            self.write(END)
        frames = self._zstd.close().digests if self._zstd else b""
        media_type = MEDIA_LAYER + ("+zstd" if self._zstd else "")
        digest, size = self._staging.keep(self._blob, needed=self._role == DELTA)
        roles = {LAYER_ROLE_KEY: self._role} if self._role else {}
        descriptor, key = sealed(Descriptor(media_type, digest, size, roles), self._seal)
        return WrittenLayer(descriptor, self._digest.value(), self.size, frames, key)


def sealed(layer: Descriptor, seal: Seal | None) -> tuple[Descriptor, LayerKey | None]:
    """Return a layer as a manifest names it once it was encrypted, and what opens it."""
    if seal is None:
        return layer, None
    key, annotations = seal.close()
    media_type = layer.media_type + ENCRYPTED
    return replace(
        layer, media_type=media_type, annotations={**layer.annotations, **annotations}
    ), key


@dataclass(frozen=True, slots=True)
class OwnLayer:
    """A layer of one large file, as written."""

    members: tuple[Member, ...]
    layer: WrittenLayer
    digest: str
    """sha256:… of the file, where that is an archive of its own."""


def write_own_layer(
    staging: Staging, planned: PlannedLayer, pieces: Iterable[bytes], *, plain: bool = False
) -> OwnLayer:
    """Write the layer of one file from its bytes, the folders above it before it.

    Raises: as `LayerWriter.add`.
    """
    digest = staging.new_digest() if planned.role in NESTED else None
    with LayerWriter(staging, planned.role, plain=plain) as writer:
        for folder in planned.members[:-1]:
            writer.add(folder, ())
        writer.add(planned.members[-1], hashed(pieces, digest) if digest else pieces)
        layer = writer.finish()
    return OwnLayer(planned.members, layer, digest.value() if digest else "")


def pass_through(
    staging: Staging, pieces: Iterable[bytes], role: str, progress: Progress
) -> WrittenLayer:
    """Stage a blob byte for byte; its diff id is that of its decompressed bytes.

    Raises:
        DamagedInput: it does not decompress.
    """
    blob = staging.new_blob()
    seal = staging.new_seal(blob, role)
    sink = seal or blob
    for piece in pieces:
        sink.write(piece)
    digest, size = staging.keep(blob, needed=True)
    roles = {LAYER_ROLE_KEY: role}
    descriptor, key = sealed(Descriptor(MEDIA_LAYER, digest, size, roles), seal)
    with staging.window(digest) as stored:
        window = unsealed(stored, key)
        suffix = _SUFFIXES[sniff(window.read(0, 4))]
        diff_id, plain_size = plain_digest(window, progress)
    media_type = MEDIA_LAYER + suffix + (ENCRYPTED if key else "")
    return WrittenLayer(replace(descriptor, media_type=media_type), diff_id, plain_size, key=key)


def plain_digest(window: ByteWindow, progress: Progress) -> tuple[str, int]:
    """Return the digest and the size of the decompressed bytes."""
    plain, size = Digest(), 0
    for piece in plain_pieces(window, progress, "the layer"):
        plain.update(piece)
        size += len(piece)
    return plain.value(), size


def copy_blob(sink: BlobSink, descriptor: Descriptor, blob: ByteWindow, progress: Progress) -> None:
    """Stage a blob of another image as it is.

    Raises:
        CkptError: its bytes are not those that its digest promises.
    """
    if sink.holds(descriptor.digest, descriptor.size):
        return
    copy = sink.new_blob()
    for piece in counted(chunks(blob), progress):
        copy.write(piece)
    digest, _ = sink.keep(copy)
    if digest != descriptor.digest:
        raise CkptError(
            f"The layer {descriptor.digest} is damaged:", f"its bytes have the digest {digest}."
        )


def compress_layer(
    staging: Staging, tar: ByteWindow, diff_id: str, progress: Progress
) -> WrittenLayer:
    """Stage the tar of a layer of which no distributed form is at hand.

    Raises:
        CkptError: its bytes are not those that its diff id promises.
    """
    with LayerWriter(staging, "") as writer:
        for piece in counted(chunks(tar), progress):
            writer.write(piece)
        layer = writer.finish(end=False)
    if layer.diff_id != diff_id:
        raise CkptError(
            f"The layer {diff_id} of the base image is damaged:", f"it has {layer.diff_id} now."
        )
    return layer
