"""Compressed streams: which kind, and their plain bytes in one pass."""

from __future__ import annotations

import io
from collections.abc import Generator, Iterator
from gzip import BadGzipFile
from typing import IO, Literal, Protocol, cast

import zstandard
from isal.igzip import IGzipFile
from isal.igzip_lib import IsalError

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

Compression = Literal["zstd", "gzip", "plain"]

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
SKIPPABLE_MAGICS = range(0x184D2A50, 0x184D2A60)
"""First four bytes, little endian, of a zstd frame that decoders skip (RFC 8878, 3.1.2)."""

MAX_ZSTD_WINDOW = 128 << 20
"""Bytes of history that a decoder keeps, at most. What the zstd program accepts without being told
otherwise; a frame that asks for more could claim all memory."""


READ = 256 << 10
"""Compressed bytes given to a decoder at a time: what it has just been given is still in the cache
of the core."""

_GZIP_ERRORS = (
    BadGzipFile,
    cast(type[Exception], IsalError),  # the stub has it as an instance
    OverflowError,  # a header of more than 512 KiB
)


def sniff(head: bytes) -> Compression:
    """Tell the compression by the first bytes of a file (four are enough), never by its name."""
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    if head.startswith(ZSTD_MAGIC) or int.from_bytes(head[:4], "little") in SKIPPABLE_MAGICS:
        return "zstd"
    return "plain"


class PlainStream(Protocol):
    """The plain bytes of a compressed window, from start to end."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill `buffer` as far as bytes come; 0 only at the end.

        Raises:
            DamagedInput: the compressed bytes are damaged, or end too early; the offset counts
                compressed bytes.
        """


def decompressed(
    window: ByteWindow, compression: Compression, progress: Progress, name: str = "archive"
) -> PlainStream:
    """Return the plain bytes of `window` as a stream; `name` is what errors call it.

    Progress counts bytes of `window`, not plain ones. Several zstd frames or gzip members in a row
    are one stream.
    """
    if compression == "zstd":
        return _Zstd(window, progress, name)
    if compression == "gzip":
        return _Gzip(window, progress, name)
    return _PackedBytes(window, progress)


def plain_pieces(window: ByteWindow, progress: Progress, name: str) -> Iterator[memoryview]:
    """Yield the plain bytes of `window`, whatever its compression; each piece is good until the
    next one."""
    stream = decompressed(window, sniff(window.read(0, 4)), progress, name)
    buffer = memoryview(bytearray(CHUNK))
    while length := stream.readinto(buffer):
        yield buffer[:length]


class _PackedBytes(io.RawIOBase):
    """A window from start to end, read ahead in pieces of 1 MiB."""

    def __init__(self, window: ByteWindow, progress: Progress) -> None:
        super().__init__()
        self._window = window
        self._progress = progress
        self.position = 0

    def readable(self) -> bool:
        return True

    def read(self, length: int = -1) -> bytes:
        del length  # the decoders take what comes, and few large reads cost least
        piece = self._window.read(self.position, READ)
        self.position += len(piece)
        self._progress.tick(len(piece))
        return piece

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # has a length
        piece = self._window.read(self.position, min(len(buffer), CHUNK))
        buffer[: len(piece)] = piece
        self.position += len(piece)
        self._progress.tick(len(piece))
        return len(piece)


class _ScannedBytes(_PackedBytes):
    """A source that follows the zstd frames in it as it is read."""

    def __init__(self, window: ByteWindow, progress: Progress) -> None:
        super().__init__(window, progress)
        self.frames = FrameScan()

    def read(self, length: int = -1) -> bytes:
        piece = super().read(length)
        self.frames.feed(piece)
        return piece


class _Zstd:
    def __init__(self, window: ByteWindow, progress: Progress, name: str) -> None:
        self._source = _ScannedBytes(window, progress)
        self._name = name
        decoder = zstandard.ZstdDecompressor(max_window_size=MAX_ZSTD_WINDOW)
        self._plain = decoder.stream_reader(
            cast(IO[bytes], self._source), read_size=READ, read_across_frames=True, closefd=False
        )

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            length = self._plain.readinto(buffer)
        except (zstandard.ZstdError, MemoryError) as error:
            raise DamagedInput(self._name, self._source.position, str(error)) from error
        if not length and len(buffer) and not self._source.frames.complete:
            raise cut_short(self._name, self._source.position, "zstd")
        return length


class _Gzip:
    def __init__(self, window: ByteWindow, progress: Progress, name: str) -> None:
        self._source = _PackedBytes(window, progress)
        self._name = name
        self._plain = IGzipFile(fileobj=self._source, mode="rb")  # type: ignore[no-untyped-call]

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            return self._plain.readinto(buffer)
        except EOFError as error:
            raise cut_short(self._name, self._source.position, "gzip") from error
        except _GZIP_ERRORS as error:
            raise DamagedInput(self._name, self._source.position, str(error)) from error


def cut_short(name: str, offset: int, what: str) -> DamagedInput:
    """Return the error for a stream that ends before its own end mark."""
    return DamagedInput(
        name, offset, f"the {what} stream ends too early.", "Copy the file again, it seems cut."
    )


_Step = tuple[int, int, bool]
"""Bytes to skip, bytes of header wanted after them, and whether a frame begins there."""


class FrameScan:
    """Follows the frame and block headers of a zstd stream (RFC 8878, 3.1) without decoding it.

    The decoder takes the end of its input for the end of the data wherever it comes; this tells
    whether that was the end of a frame.
    """

    def __init__(self) -> None:
        self.unchecked = 0
        """Frames without a checksum of their content, so far."""
        self._steps = self._frames()
        self._skip, self._take, self._at_frame = next(self._steps)
        self._head = b""

    @property
    def complete(self) -> bool:
        """Whether the bytes so far are whole frames."""
        return self._at_frame and not self._skip and not self._head

    def feed(self, piece: bytes) -> None:
        """Follow the stream through its next bytes."""
        position, end = 0, len(piece)
        while (position := position + self._skip) < end:
            part = piece[position : position + self._take - len(self._head)]
            head = self._head + part
            position += len(part)
            if len(head) < self._take:
                self._skip, self._head = 0, head
            else:
                self._head = b""
                self._skip, self._take, self._at_frame = self._steps.send(head)
        self._skip = position - end

    def _frames(self) -> Generator[_Step, bytes, None]:
        skip = 0
        while True:
            magic = yield skip, 4, True
            if int.from_bytes(magic, "little") in SKIPPABLE_MAGICS:
                skip = int.from_bytes((yield 0, 4, False), "little")
                continue
            descriptor = (yield 0, 1, False)[0]
            single_segment = descriptor >> 5 & 1
            content_size = (single_segment, 2, 4, 8)[descriptor >> 6]
            skip = (1 - single_segment) + (0, 1, 2, 4)[descriptor & 3] + content_size
            last = 0
            while not last:
                header = int.from_bytes((yield skip, 3, False), "little")
                last = header & 1
                skip = 1 if header >> 1 & 3 == 1 else header >> 3  # an RLE block stores one byte
            if descriptor >> 2 & 1:
                yield skip, 4, False  # the checksum of the content
                skip = 0
            else:
                self.unchecked += 1
