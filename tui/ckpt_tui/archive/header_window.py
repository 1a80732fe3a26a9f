"""The headers of a nested tar archive, kept while the archive around it streams by."""

from __future__ import annotations

from bisect import bisect_left

from ckpt_tui.archive.blocks import SKIPPED
from ckpt_tui.archive.headers import HeaderReader
from ckpt_tui.archive.tar import MemberReader
from ckpt_tui.core.errors import DamagedInput

MAX_KEPT_HEADERS = 16 << 20
"""Bytes of headers kept of one nested archive: some 30,000 members. Of more, they are read in a
pass of their own."""


class HeaderWindow:
    """A nested archive in which the data of each member reads as zeros."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ends: list[int] = []
        self._pieces: list[bytes] = []

    @property
    def size(self) -> int:
        return self._size

    def put(self, offset: int, piece: bytes) -> None:
        """Keep bytes of the archive; each call comes after the one before."""
        self._ends.append(offset + len(piece))
        self._pieces.append(piece)

    def read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._size - offset))
        found = bytearray(length)
        number = bisect_left(self._ends, offset + 1)
        while number < len(self._ends):
            piece, end = self._pieces[number], self._ends[number]
            start = end - len(piece)
            if start >= offset + length:
                break
            kept = piece[max(offset - start, 0) : offset + length - start]
            at = max(start - offset, 0)
            found[at : at + len(kept)] = kept
            number += 1
        return bytes(found)


def keep_headers(reader: MemberReader, size: int, name: str) -> HeaderWindow | None:
    """Return the headers of the archive that a member of `size` bytes holds.

    None: not a plain archive, damaged, or too many members. How far `reader` was read then
    is not known.
    """
    blocks = _KeptBlocks(reader, HeaderWindow(size))
    headers = HeaderReader(blocks, name)
    try:
        while header := headers.next():
            blocks.skip(header.end - blocks.position)
            if blocks.kept > MAX_KEPT_HEADERS:
                return None
    except DamagedInput:
        return None
    return blocks.window if headers.ended else None


class _KeptBlocks:
    """A member as an archive of its own; what is read of it, and not skipped, is kept."""

    def __init__(self, reader: MemberReader, window: HeaderWindow) -> None:
        self._reader = reader
        self.window = window
        self.position = 0
        self.kept = 0

    def read(self, length: int) -> bytes:
        parts = []
        while length and (part := self._reader.read(length)):
            parts.append(part)
            length -= len(part)
        data = b"".join(parts)
        self.window.put(self.position, data)
        self.position += len(data)
        self.kept += len(data)
        return data

    def skip(self, length: int) -> None:
        while length > 0 and (part := self._reader.read(min(length, SKIPPED))):
            self.position += len(part)
            length -= len(part)
