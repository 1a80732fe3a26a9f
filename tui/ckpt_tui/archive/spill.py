"""Random access to a stream that can only be read from its start: keep ranges, or spill it."""

from __future__ import annotations

import os
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import BinaryIO

from ckpt_tui.archive.compression import PlainStream
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import CHUNK

MAX_PRELOAD = 48 << 20
"""Bytes of ranges that are kept in memory; more than that is spilled instead."""

Span = tuple[int, int]
"""First byte and the one after the last, in the plain stream."""


def unlinked_file() -> BinaryIO:
    """Return a file in the cache folder that has no name, and so is gone with the process.

    Raises:
        CkptError: the folder cannot be made or written.
    """
    folder = cache_dir()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder)
    except OSError as error:
        raise _no_spill(error) from error


def _no_spill(error: OSError) -> CkptError:
    return CkptError(
        "The data cannot be kept for random access.",
        f"{cache_dir()}: {error.strerror}.",
        "Set XDG_CACHE_HOME to a folder with more room.",
    )


class RereadWindow:
    """The plain bytes of a compressed archive, as far as they lie in `spans`.

    The first read spills all spans in one pass; `preload` makes that needless for ranges that are
    known beforehand.
    """

    def __init__(self, restart: Callable[[Progress], PlainStream], size: int) -> None:
        """`restart` begins the stream of `size` plain bytes anew."""
        self._restart = restart
        self._size = size
        self._spans: list[Span] = []
        self._kept: list[tuple[Span, bytes]] = []
        self._file: BinaryIO | None = None
        self._file_offsets: list[int] = []
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        return self._size

    def allow(self, spans: list[Span]) -> None:
        """Set what may be read; called once, before the first read."""
        self._spans = sorted(spans)

    def read(self, offset: int, length: int) -> bytes:
        with self._lock:
            for (start, end), data in self._kept:
                if start <= offset and offset + length <= end:
                    return data[offset - start : offset - start + length]
            if self._file is None:
                self._spill(quiet())
            return self._read_spilled(offset, length)

    def preload(self, spans: list[Span], progress: Progress) -> None:
        """Keep `spans` in memory in place of those kept before, or spill if they are too large."""
        spans = _merged(spans)
        with self._lock:
            if self._file is not None or all(map(self._is_kept, spans)):
                return
            if sum(end - start for start, end in spans) > MAX_PRELOAD:
                self._spill(progress)
                return
            self._kept = []
            kept = [(span, b"".join(pieces)) for span, pieces in self._pass(spans, progress)]
            self._kept = kept

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()

    def _is_kept(self, span: Span) -> bool:
        return any(start <= span[0] and span[1] <= end for (start, end), _ in self._kept)

    def _spill(self, progress: Progress) -> None:
        file = unlinked_file()
        offsets = []
        try:
            for _span, pieces in self._pass(self._spans, progress):
                offsets.append(file.tell())
                for piece in pieces:
                    file.write(piece)
            file.flush()
        except OSError as error:
            file.close()
            raise _no_spill(error) from error
        except BaseException:
            file.close()
            raise
        self._file, self._file_offsets, self._kept = file, offsets, []

    def _read_spilled(self, offset: int, length: int) -> bytes:
        number = bisect_right(self._spans, (offset, self._size)) - 1
        if self._file is None or not 0 <= number < len(self._file_offsets):
            return b""
        start, end = self._spans[number]
        length = min(length, end - offset)
        place = self._file_offsets[number] + offset - start
        return os.pread(self._file.fileno(), length, place) if length > 0 else b""

    def _pass(
        self, spans: list[Span], progress: Progress
    ) -> Iterator[tuple[Span, Iterator[bytes]]]:
        """Go through the stream once, up to the last span; what is damaged ends it early."""
        stream = self._restart(progress)
        position = 0
        for start, end in spans:
            _skip(stream, start - position)
            yield (start, end), _take(stream, end - start)
            position = end


def _skip(stream: PlainStream, length: int) -> None:
    for _ in _fill(stream, length):
        pass


def _take(stream: PlainStream, length: int) -> Iterator[bytes]:
    return map(bytes, _fill(stream, length))


def _fill(stream: PlainStream, length: int) -> Iterator[memoryview]:
    """Yield the next `length` bytes; each piece is good until the next one."""
    buffer = memoryview(bytearray(min(length, CHUNK)))
    while length > 0:
        try:
            count = stream.readinto(buffer[:length])
        except DamagedInput:
            return  # the index has a note of it, and no member beyond
        if not count:
            return
        length -= count
        yield buffer[:count]


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged
