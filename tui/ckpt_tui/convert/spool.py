"""Keeps members until their layer is written: in memory, above a limit in a scratch file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow, SubWindow

IN_MEMORY = 32 << 20
"""Bytes kept in memory. The CRIU images without pages of a hundred processes have some MiB."""


class MemberSpool:
    """Named runs of bytes, written once and read in any order; a window on all of them."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self._windows: dict[str, ByteWindow] = {}
        self._end = 0

    def add(self, name: str, pieces: Iterable[bytes]) -> ByteWindow:
        """Keep the bytes of `name`; return where they can be read until the spool is closed."""
        start = self._end
        for piece in pieces:
            self._file.seek(self._end)
            self._file.write(piece)
            self._end += len(piece)
        window = self._windows[name] = SubWindow(self, start, self._end - start)
        return window

    def window(self, name: str) -> ByteWindow:
        """Return the bytes of `name`."""
        return self._windows[name]

    def content(self, name: str) -> bytes:
        """Return all bytes of `name`."""
        window = self._windows[name]
        return window.read(0, window.size)

    @property
    def size(self) -> int:
        return self._end

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        piece = self._file.read(length)
        if len(piece) < min(length, self._end - offset):
            raise CkptError("The scratch file cannot be read back:", "it is too short.")
        return piece

    def close(self) -> None:
        self._file.close()
