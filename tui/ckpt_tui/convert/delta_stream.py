"""Turns rootfs-diff.tar into the delta layer while it streams by, and back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.archive.seekable import FRAME_SIZE
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.convert.delta import DeltaPlan, NewHeader
from ckpt_tui.convert.digest import Digest
from ckpt_tui.convert.header_writer import END, header
from ckpt_tui.convert.record import Bytes, DeltaRecord, FromLayer, Piece, Zeros
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.errors import DamagedInput

MAX_KEPT = 1 << 20
"""Bytes of replaced headers and overwritten members that the record keeps. Engines write none;
more means a foreign tar, which is then made again from the layer, with other headers."""


class MemberDigests:
    """Digests of the files in a tar whose bytes come by from start to end.

    Those of large files are worked out in the digests of `new_digest`.
    """

    def __init__(
        self, entries: Sequence[TarEntry], new_digest: Callable[[], Digest] = Digest
    ) -> None:
        self._new_digest = new_digest
        self._entries = [
            (index, entry)
            for index, entry in enumerate(entries)
            if entry.member.kind is MemberKind.FILE
        ]
        self._next = 0
        self._position = 0
        self._digest = self._next_digest()
        self._found: dict[int, str] = {}
        self._late: dict[int, Digest] = {}

    def found(self) -> dict[int, str]:
        """Return index of the entry → SHA-256 of its data."""
        while self._late:
            index, digest = self._late.popitem()
            self._found[index] = digest.hexdigest()
        return self._found

    def _next_digest(self) -> Digest:
        large = self._next < len(self._entries) and self._is_large()
        return self._new_digest() if large else Digest()

    def _is_large(self) -> bool:
        return self._entries[self._next][1].member.size >= FRAME_SIZE

    def update(self, piece: bytes) -> None:
        """Take the next bytes of the tar; they must not change any more."""
        view = memoryview(piece)
        start, end = self._position, self._position + len(piece)
        while self._next < len(self._entries):
            index, entry = self._entries[self._next]
            last = entry.data + entry.member.size
            self._digest.update(view[max(entry.data - start, 0) : max(last - start, 0)])
            if end < last:
                break
            if self._is_large():
                self._late[index] = self._digest  # its value would wait for the hashing
            else:
                self._found[index] = self._digest.hexdigest()
            self._next += 1
            self._digest = self._next_digest()
        self._position = end


class _TarBytes:
    """The nested tar as a run of bytes with a position."""

    def __init__(
        self, pieces: Iterable[bytes], digests: MemberDigests, new_digest: Callable[[], Digest]
    ) -> None:
        self._pieces = iter(pieces)
        self._digests = digests
        self._digest = new_digest()
        self._buffer = memoryview(b"")
        self.position = 0

    def upto(self, end: int) -> Iterator[memoryview]:
        """Yield the bytes from here to `end`."""
        while self.position < end:
            piece = self._some()
            if not piece:
                raise DamagedInput("rootfs-diff.tar", self.position, "it ends too early.")
            taken = piece[: end - self.position]
            self._buffer = piece[len(taken) :]
            self.position += len(taken)
            yield taken

    def rest(self) -> Iterator[memoryview]:
        while piece := self._some():
            self._buffer = memoryview(b"")
            self.position += len(piece)
            yield piece

    def _some(self) -> memoryview:
        if not self._buffer:
            piece = next(self._pieces, b"")
            self._digest.update(piece)
            self._digests.update(piece)
            self._buffer = memoryview(piece)
        return self._buffer

    @property
    def digest(self) -> str:
        return self._digest.value()


@dataclass(slots=True)
class _Pieces:
    """The recipe for the way back, as it grows."""

    found: list[Piece]
    kept: int = 0
    exact: bool = True

    def from_layer(self, offset: int, length: int) -> None:
        if length:
            self.found.append(FromLayer(offset, length))

    def keep(self, data: memoryview) -> None:
        """Keep bytes that the layer lacks, as far as there is room."""
        last = self.found[-1] if self.found else None
        self.kept += len(data)
        if self.kept > MAX_KEPT:
            self.exact = False
        elif any(data):
            self.found.append(Bytes(bytes(data)))
        elif isinstance(last, Zeros):
            self.found[-1] = Zeros(last.length + len(data))
        else:
            self.found.append(Zeros(len(data)))


def write_delta(
    plan: DeltaPlan,
    entries: Sequence[TarEntry],
    pieces: Iterable[bytes],
    write: Callable[[bytes | memoryview], object],
    end_frame: Callable[[], object] = lambda: None,
    new_digest: Callable[[], Digest] = Digest,
) -> tuple[DeltaRecord, MemberDigests]:
    """Write the layer of `plan` from the bytes of rootfs-diff.tar, in one pass.

    `end_frame` is called around the data of large files, see `LayerWriter.add_data`.
    Returns how to make the tar again, and the digests of the files in it.

    Raises:
        DamagedInput: the tar is shorter than its own headers say.
    """
    digests = MemberDigests(entries, new_digest)
    tar = _TarBytes(pieces, digests, new_digest)
    recipe = _Pieces([])
    position = 0
    edges = sorted(edge for e in entries if e.member.size >= FRAME_SIZE for edge in (e.data, e.end))
    for part in plan.parts:
        if isinstance(part, NewHeader):
            block = header(part.member)
            write(block)
            position += len(block)
            continue
        for data in tar.upto(part.start):
            recipe.keep(data)
        for edge in edges[bisect_right(edges, part.start) : bisect_right(edges, part.end)]:
            for data in tar.upto(edge):
                write(data)
            end_frame()
        for data in tar.upto(part.end):
            write(data)
        recipe.from_layer(position, part.end - part.start)
        position += part.end - part.start
    for data in tar.rest():
        recipe.keep(data)
    write(END)
    made = (m.name for m, source in zip(plan.members, plan.sources, strict=True) if source is None)
    record = DeltaRecord(
        tar.position,
        tar.digest,
        exact=recipe.exact,
        pieces=tuple(recipe.found) if recipe.exact else (),
        synthetic=tuple(made),
    )
    return record, digests


def rebuild(record: DeltaRecord, layer: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes of an exact rootfs-diff.tar, made from the delta layer as a tar.

    Raises:
        DamagedInput: the record asks for bytes that the layer does not have.
    """
    waiting = iter(layer)
    buffer, start = b"", 0
    for piece in record.pieces:
        if isinstance(piece, Bytes):
            yield piece.data
        elif isinstance(piece, Zeros):
            yield bytes(min(piece.length, MAX_KEPT))
        else:
            position, end = piece.offset, piece.offset + piece.length
            while position < end:
                while start + len(buffer) <= position:
                    start += len(buffer)
                    buffer = next(waiting, b"")
                    if not buffer:
                        raise DamagedInput("the delta layer", start, "it ends too early.")
                if position < start:
                    raise DamagedInput("conversion.json", 0, "its pieces run backwards.")
                taken = buffer[position - start : end - start]
                position += len(taken)
                yield taken
