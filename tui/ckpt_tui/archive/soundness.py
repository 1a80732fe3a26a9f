"""One pass over all bytes of an archive: what is damaged, and what a checksum has proven."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.archive.compression import FrameScan, PlainStream, decompressed, sniff
from ckpt_tui.archive.seekable import SeekTable, decoded_frame
from ckpt_tui.archive.tar import Walk
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import quiet


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `offset` counts the bytes as stored; None where it is not known."""

    text: str
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Soundness:
    """What a pass found. `checksum` is zstd or gzip where every byte of the content is covered by
    a checksum of that format, empty elsewhere."""

    faults: tuple[Fault, ...]
    checksum: str


class _PassingWindow:
    """Pieces in a row as a window that is read from start to end."""

    def __init__(self, pieces: Iterator[bytes], size: int) -> None:
        self.size = size
        self._pieces = pieces
        self._buffer = b""
        self._start = 0
        self._frames: FrameScan | None = None
        self.compression = sniff(self.read(0, 4))
        if self.compression == "zstd":
            self._frames = FrameScan()
            self._frames.feed(self._buffer)

    def read(self, offset: int, length: int) -> bytes:
        self._buffer, self._start = self._buffer[offset - self._start :], offset
        while len(self._buffer) < length and (piece := self._next()):
            self._buffer += piece
        return self._buffer[:length]

    def checksum(self) -> str:
        """Take all that is left, which ends the check of a digest, and return what covers the
        content."""
        while self._next():
            pass
        if self.compression == "plain" or (self._frames and self._frames.unchecked):
            return ""
        return self.compression

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        if self._frames:
            self._frames.feed(piece)
        return piece


class _Watched:
    """A stream that remembers its failure: the walk through a tar makes a sentence of it."""

    def __init__(self, stream: PlainStream) -> None:
        self._stream = stream
        self.failure: DamagedInput | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            return self._stream.readinto(buffer)
        except DamagedInput as error:
            self.failure = error
            raise


def check_archive(
    pieces: Iterator[bytes], size: int, name: str, table: SeekTable | None
) -> Soundness:
    """Read a tar archive of `size` bytes as it is stored, and check its frames, checksums and
    headers. With the seek table, if it has one, every damaged frame is found.

    Raises: what `pieces` raises.
    """
    window = _PassingWindow(pieces, size)
    faults = [*_frames(window, table, name)] if table else _headers(window, name)
    return Soundness(tuple(faults), window.checksum())


def check_read(pieces: Iterator[bytes], size: int) -> Soundness:
    """Read an archive whose content was decompressed and checked already.

    Raises: what `pieces` raises.
    """
    return Soundness((), _PassingWindow(pieces, size).checksum())


def _frames(window: _PassingWindow, table: SeekTable, name: str) -> Iterator[Fault]:
    for number in range(len(table.packed) - 1):
        start, end = table.packed[number : number + 2]
        size = table.plain[number + 1] - table.plain[number]
        try:
            decoded_frame(window.read(start, end - start), size, name, start)
        except DamagedInput as error:
            yield Fault(f"frame {number}: {error.problem}", start)


def _headers(window: _PassingWindow, name: str) -> list[Fault]:
    stream = _Watched(decompressed(window, window.compression, quiet(), name))
    members = Walk(stream, name)
    try:
        for _ in members:
            pass
    except CkptError as error:
        if stream.failure is None:
            return [Fault(error.why or error.what, 0)]
    if stream.failure is not None:
        return [Fault(stream.failure.problem, stream.failure.offset)]
    return [Fault(note) for note in members.notes]
