"""Archives read from start to end, from a stream or from a window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ckpt_tui.archive.compression import PlainStream
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow


class Blocks(Protocol):
    """An archive, read from start to end."""

    @property
    def position(self) -> int:
        """Bytes read or skipped so far."""

    def read(self, length: int) -> bytes:
        """Return the next `length` bytes; fewer only at the end."""

    def skip(self, length: int) -> None:
        """Pass over `length` bytes; stop at the end."""


_ZEROS = bytes(CHUNK)

SKIPPED = 128 << 10
"""Bytes of a stream passed over at a time: they stay in the cache of a core, a tenth is saved."""


AHEAD = 64 << 10
"""Bytes read at a time where members are smaller: one read then serves many headers."""


class WindowBlocks:
    """An archive in a window; what is skipped is not read, unless it lies between small members."""

    def __init__(self, window: ByteWindow, progress: Progress, ahead: int = AHEAD) -> None:
        self._window = window
        self._most_ahead = ahead
        self._progress = progress
        self._size = window.size
        self._ahead = b""
        self._ahead_at = 0
        self.position = 0

    def read(self, length: int) -> bytes:
        start = self.position - self._ahead_at
        data = self._ahead[start : start + length]
        if len(data) < length:
            data = self._fetch(length)
        self.position += len(data)
        return data

    def skip(self, length: int) -> None:
        self.position = min(self.position + length, self._size)

    def _fetch(self, length: int) -> bytes:
        self._progress.tick(self.position - self._ahead_at)
        passed = self.position - self._ahead_at - len(self._ahead)
        is_near = self._ahead and passed < self._most_ahead
        self._ahead_at = self.position
        if is_near:
            try:
                self._ahead = self._window.read(self.position, max(length, self._most_ahead))
                return self._ahead[:length]
            except CkptError:  # perhaps only in bytes that are not needed
                pass
        self._ahead = self._window.read(self.position, length)
        return self._ahead


class PieceStream:
    """Pieces as they come, as a plain stream."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(next(self._pieces, b""))
        self.head = bytes(self._rest[:4])

    def readinto(self, buffer: memoryview, /) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._pieces, b""))
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


class StreamBlocks:
    """An archive in a stream, whose errors come once all bytes before them are read."""

    def __init__(self, stream: PlainStream) -> None:
        self._stream = stream
        self._scratch = memoryview(bytearray(CHUNK))
        self._position = 0
        self._error: DamagedInput | None = None

    @property
    def position(self) -> int:
        return self._position

    def read(self, length: int) -> bytes:
        view = self._scratch if length <= CHUNK else memoryview(bytearray(length))
        filled = 0
        while filled < length:
            try:
                count = self._fill(view[filled:length])
            except DamagedInput:
                if filled:
                    break  # first what is there; the error comes with the next read
                raise
            if not count:
                break
            filled += count
        return bytes(view[:filled])

    def skip(self, length: int) -> None:
        while length > 0 and (count := self._fill(self._scratch[: min(length, SKIPPED)])):
            length -= count

    def drain(self) -> int:
        """Read to the end; return the bytes in pieces that are not all zeros."""
        foreign = 0
        while count := self._fill(self._scratch):
            if bytes(self._scratch[:count]) != _ZEROS[:count]:
                foreign += count
        return foreign

    def _fill(self, buffer: memoryview) -> int:
        if self._error:
            raise self._error  # what a decoder gives after an error is not to be trusted
        try:
            count = self._stream.readinto(buffer)
        except DamagedInput as error:
            self._error = error
            raise
        self._position += count
        return count
