"""Keeps members until their layer is written: in memory, above a limit in a scratch file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow

IN_MEMORY = 32 << 20
"""Bytes kept in memory. The CRIU images without pages of a hundred processes have some MiB."""


class Spool:
    """Named runs of bytes, written once and read in any order."""

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
        window = self._windows[name] = _Span(self._file, start, self._end - start, name)
        return window

    def window(self, name: str) -> ByteWindow:
        """Return the bytes of `name`."""
        return self._windows[name]

    def read(self, name: str) -> bytes:
        """Return all bytes of `name`."""
        window = self._windows[name]
        return window.read(0, window.size)

    def close(self) -> None:
        self._file.close()


class _Span:
    def __init__(self, file: IO[bytes], start: int, size: int, name: str) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._name = name

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        self._file.seek(self._start + offset)
        piece = self._file.read(length)
        if len(piece) < length:
            raise CkptError(f"{self._name} cannot be read back:", "the scratch file is too short.")
        return piece
