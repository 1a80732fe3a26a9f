"""Checked, buffered reading of an image: no length is believed before it is compared."""

from __future__ import annotations

from typing import Literal

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import ByteWindow

ByteOrder = Literal["little", "big"]

BUFFER = 1 << 16
"""Bytes read ahead: records are small and lie one behind the other."""


class Reader:
    """One image and its name."""

    def __init__(self, window: ByteWindow, name: str) -> None:
        self.window = window
        self.name = name
        self.size = window.size
        self._start = 0
        self._buffer = b""

    def check(self, offset: int, length: int, what: str) -> int:
        """Return where `length` bytes from `offset` end.

        Raises:
            DamagedInput: the image ends before.
        """
        left = self.size - offset
        if length > left:
            raise DamagedInput(
                self.name, offset, f"{what} should have {length} bytes, but {left} are left."
            )
        return offset + length

    def take(self, offset: int, length: int, what: str) -> bytes:
        """Return exactly `length` bytes from `offset`.

        Raises:
            DamagedInput: the image ends before.
        """
        start = offset - self._start
        if 0 <= start <= start + length <= len(self._buffer):  # nearly always
            return self._buffer[start : start + length]
        self.check(offset, length, what)
        if length > BUFFER:
            return self._whole(self.window.read(offset, length), offset, length)
        self._start = offset
        self._buffer = self.window.read(offset, BUFFER)
        return self._whole(self._buffer[:length], offset, length)

    def _whole(self, data: bytes, offset: int, length: int) -> bytes:
        if len(data) < length:
            raise DamagedInput(self.name, offset + len(data), "The file ended before its size.")
        return data
