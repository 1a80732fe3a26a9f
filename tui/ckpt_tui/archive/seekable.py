"""The seekable zstd format: independent frames, and a table of them at the end.

As in zstd's contrib/seekable_format (version 0.1.0): the table is a skippable frame, so that every
zstd decoder reads the file as an ordinary one. Numbers are little endian.
"""

from __future__ import annotations

import hashlib
import struct
import sys
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

import zstandard

from ckpt_tui.core.byte_cache import ByteCache
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import ByteWindow

if TYPE_CHECKING:
    from concurrent.futures import Future

FRAME_SIZE = 1 << 20
"""Plain bytes of a frame, by default: small enough to read one page quickly, large enough to cost
about 3 % of size against a single frame."""

MAX_FRAME = 16 << 20
"""Plain bytes of a frame that is still read at random; with larger ones a stream is quicker."""

MAX_FRAMES = 1 << 22
"""Frames of a file: 4 TiB in frames of 1 MiB."""

READ_AT_ONCE = 4
"""Frames that are read at once where a read has as many."""

TAIL = 32 << 10
"""Bytes from the end in which the seek table is looked for: that of 4 GiB, in one read."""

CACHE_SIZE = 16 << 20
"""Plain bytes of the frames last read that are kept."""

_TABLE_MAGIC = 0x184D2A5E
_FOOTER_MAGIC = 0x8F92EAB1
_HEADER = struct.Struct("<II")
_FOOTER = struct.Struct("<IBI")
_ENTRY = struct.Struct("<II")
_HAS_CHECKSUMS = 0x80
_RESERVED = 0x7C


@dataclass(frozen=True, slots=True)
class SeekTable:
    """Where each frame begins and ends, in the packed and in the plain bytes.

    Both arrays have one entry more than there are frames.
    """

    packed: array[int]
    plain: array[int]

    @property
    def plain_size(self) -> int:
        return self.plain[-1]


def seek_table(window: ByteWindow) -> SeekTable | None:
    """Return the seek table at the end of a zstd file, or None where there is none to rely on."""
    if window.size < _HEADER.size + _FOOTER.size:
        return None
    near = TAIL if window.size > TAIL else _FOOTER.size
    tail = window.read(window.size - near, near)
    if len(tail) < _FOOTER.size:
        return None
    count, flags, magic = _FOOTER.unpack_from(tail, len(tail) - _FOOTER.size)
    entry_size = 12 if flags & _HAS_CHECKSUMS else 8
    table_size = count * entry_size + _FOOTER.size
    start = window.size - table_size - _HEADER.size
    if magic != _FOOTER_MAGIC or flags & _RESERVED or count > MAX_FRAMES or start < 0:
        return None
    known = table_size + _HEADER.size
    table = tail[-known:] if known <= len(tail) else window.read(start, known)
    if len(table) < _HEADER.size or _HEADER.unpack_from(table) != (_TABLE_MAGIC, table_size):
        return None
    # Entries are whole 32-bit numbers: packed size, plain size and perhaps a checksum.
    numbers = array("I", table[_HEADER.size : _HEADER.size + count * entry_size])
    if sys.byteorder == "big":
        numbers.byteswap()
    packed_sizes, plain_sizes = numbers[:: entry_size // 4], numbers[1 :: entry_size // 4]
    if sum(packed_sizes) != start or max(plain_sizes, default=0) > MAX_FRAME:
        return None
    return SeekTable(
        array("Q", accumulate(packed_sizes, initial=0)),
        array("Q", accumulate(plain_sizes, initial=0)),
    )


Digests = Callable[[], bytes]
"""Gives the SHA-256 digests of the frames of a file, one after the other."""

_DIGEST_SIZE = 32


class SeekableZstdWindow:
    """The plain bytes of a seekable zstd file; a read decodes only the frames that it touches."""

    def __init__(self, window: ByteWindow, table: SeekTable, name: str = "archive") -> None:
        self._window = window
        self._table = table
        self._name = name
        self._frames = ByteCache[int](CACHE_SIZE)
        self._load_digests: Digests | None = None
        self._digests: bytes | None = None
        self._unproven: set[int] = set()

    @property
    def size(self) -> int:
        return self._table.plain_size

    def prove(self, digests: Digests) -> None:
        """Compare every frame that is read with its digest; `digests` is asked when a frame is read
        next, and then also for the frames that were read before. If it gives none, nothing is
        compared."""
        self._load_digests = digests
        self._frames = ByteCache[int](CACHE_SIZE)  # without the frames that were not compared

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        plain = self._table.plain
        parts = []
        packed = self._packed(offset, end) if 0 <= offset < end else {}
        while 0 <= offset < end:
            number = bisect_right(plain, offset) - 1
            frame = self._frame(number, packed.get(number))
            parts.append(frame[offset - plain[number] : end - plain[number]])
            offset = plain[number + 1]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _packed(self, offset: int, end: int) -> dict[int, bytes]:
        """Return the first frames of a range as they are stored, read at once, if it has several:
        each read may be a request to a registry."""
        first = bisect_right(self._table.plain, offset) - 1
        last = min(bisect_left(self._table.plain, end) - 1, first + READ_AT_ONCE - 1)
        if last == first or self._frames.get(first) is not None:
            return {}
        starts = self._table.packed
        packed = self._window.read(starts[first], starts[last + 1] - starts[first])
        return {
            number: packed[starts[number] - starts[first] : starts[number + 1] - starts[first]]
            for number in range(first, last + 1)
        }

    def _frame(self, number: int, packed: bytes | None = None) -> bytes:
        frame = self._frames.get(number)
        if frame is None:
            start, end = self._table.packed[number : number + 2]
            size = self._table.plain[number + 1] - self._table.plain[number]
            packed = packed or self._window.read(start, end - start)
            self._check(number, packed)
            frame = decoded_frame(packed, size, self._name, start)
            self._frames.put(number, frame)
        return frame

    def _check(self, number: int, packed: bytes) -> None:
        if self._load_digests is None:
            self._unproven.add(number)
            return
        if self._digests is None:
            digests = self._load_digests()
            if not digests:
                return
            if len(digests) != _DIGEST_SIZE * (len(self._table.packed) - 1):
                raise DamagedInput(self._name, 0, "it has another number of frames than digests.")
            self._digests = digests
        for earlier in [*self._unproven]:
            start, end = self._table.packed[earlier : earlier + 2]
            self._compare(earlier, self._window.read(start, end - start), self._digests)
            self._unproven.discard(earlier)
        self._compare(number, packed, self._digests)

    def _compare(self, number: int, packed: bytes, digests: bytes) -> None:
        expected = digests[number * _DIGEST_SIZE : (number + 1) * _DIGEST_SIZE]
        if hashlib.sha256(packed).digest() != expected:
            start = self._table.packed[number]
            raise DamagedInput(self._name, start, f"frame {number} does not have its digest.")


def decoded_frame(packed: bytes, size: int, name: str, start: int) -> bytes:
    """Return the `size` plain bytes of a frame; `start` is where it begins in the file `name`.

    Raises:
        DamagedInput: they are others in number, or their checksum is.
    """
    try:
        # Asked first, because the decoder believes a size in the frame and allocates it.
        stated = zstandard.frame_content_size(packed)
        if stated not in (-1, size):
            raise DamagedInput(name, start, "a frame contradicts the seek table.")
        decoder = zstandard.ZstdDecompressor()
        plain = decoder.decompress(packed, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedInput(name, start, str(error)) from error
    if len(plain) != size:
        raise DamagedInput(name, start, "a frame contradicts the seek table.")
    return plain


class Sink(Protocol):
    """Where packed bytes go."""

    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Totals:
    """What was written."""

    packed_size: int
    plain_size: int
    frames: int
    digests: bytes
    """SHA-256 of each frame as it is stored, one after the other."""


class SeekableZstdWriter:
    """Writes a seekable zstd file; its bytes do not depend on the number of threads.

    At most four frames per thread are in memory. Used as a context manager, it lets go of its
    threads when the block fails; `close` finishes the file.
    """

    def __init__(
        self, sink: Sink, level: int = 1, frame_size: int = FRAME_SIZE, threads: int = 2
    ) -> None:
        if not 0 < frame_size <= MAX_FRAME:
            raise ValueError(f"a frame has 1 to {MAX_FRAME} bytes")
        from concurrent.futures import ThreadPoolExecutor  # 7 ms with logging, only to write

        self._sink = sink
        self._level = level
        self._frame_size = frame_size
        self._waiting = 4 * threads
        self._pool = ThreadPoolExecutor(threads, "zstd")
        self._local = threading.local()
        self._buffer = bytearray()
        self._pending: deque[tuple[int, Future[tuple[bytes, bytes]]]] = deque()
        self._digests = bytearray()
        self._entries = bytearray()
        self._packed_size = self._plain_size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Take plain bytes; returns their number. May wait for the sink."""
        view = memoryview(data)
        if view.readonly and len(view) == self._frame_size and not self._buffer:
            self._submit(data)  # the common case of large members, without a copy
            return len(view)
        position = 0
        while position < len(view):
            wanted = self._frame_size - len(self._buffer)
            self._buffer += view[position : position + wanted]
            position += wanted
            if len(self._buffer) == self._frame_size:
                self.end_frame()
        return len(view)

    def end_frame(self) -> None:
        """Begin a frame with the next byte, so that what comes can be read without what came."""
        if self._buffer:
            frame, self._buffer = self._buffer, bytearray()
            self._submit(frame)

    def close(self) -> Totals:
        """Write what is left and the seek table; the sink stays open."""
        try:
            self.end_frame()
            while self._pending:
                self._write_first()
            frames = len(self._entries) // _ENTRY.size
            table_size = len(self._entries) + _FOOTER.size
            table = (
                _HEADER.pack(_TABLE_MAGIC, table_size)
                + self._entries
                + _FOOTER.pack(frames, 0, _FOOTER_MAGIC)
            )
            self._sink.write(table)
        finally:
            self._pool.shutdown(cancel_futures=True)
        packed_size = self._packed_size + len(table)
        return Totals(packed_size, self._plain_size, frames, bytes(self._digests))

    def __enter__(self) -> SeekableZstdWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _submit(self, frame: bytes | bytearray | memoryview) -> None:
        self._pending.append((len(frame), self._pool.submit(self._compress, frame)))
        while len(self._pending) > self._waiting or (self._pending and self._pending[0][1].done()):
            self._write_first()

    def _write_first(self) -> None:
        plain_size, future = self._pending.popleft()
        packed, digest = future.result()
        self._digests += digest
        self._sink.write(packed)
        self._entries += _ENTRY.pack(len(packed), plain_size)
        self._packed_size += len(packed)
        self._plain_size += plain_size

    def _compress(self, frame: bytes | bytearray | memoryview) -> tuple[bytes, bytes]:
        compressor = getattr(self._local, "compressor", None)
        if compressor is None:
            compressor = zstandard.ZstdCompressor(self._level, write_checksum=True)
            self._local.compressor = compressor
        packed: bytes = compressor.compress(frame)
        return packed, hashlib.sha256(packed).digest()
