"""Numbers as DWARF writes them, read from foreign bytes."""

from __future__ import annotations

from typing import ClassVar


class Operands:
    """Foreign bytes, and how far they have been read. A class below names its error."""

    failure: ClassVar[type[ValueError]] = ValueError

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            failure: there are fewer.
        """
        piece = self.data[self.at : self.at + size]
        if len(piece) < size or size < 0:
            raise self.failure("it ends too early")
        self.at += size
        return piece

    def number(self, size: int, *, signed: bool = False) -> int:
        """Return a number of that many bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def leb(self, *, signed: bool = False) -> int:
        """Return a number in LEB128 (DWARF 5, 7.6)."""
        value = shift = 0
        while shift < 70:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value - (1 << shift) if signed and byte & 0x40 else value
        raise self.failure("a number has over ten bytes")
