"""Random access to a run of bytes, wherever they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Protocol

from ckpt_tui.core.errors import SourceUnreachable

CHUNK = 1 << 20
"""Bytes read at a time when a window is walked from start to end."""


class ByteWindow(Protocol):
    """A run of bytes of known length."""

    @property
    def size(self) -> int:
        """Bytes in the window."""

    def read(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end of the window.

        Raises:
            CkptError: the bytes behind the window are damaged or out of reach.
        """


class BytesWindow:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + max(length, 0)]


class FileWindow:
    """An open file, read with pread: no shared position, so threads may share it."""

    def __init__(self, descriptor: int, size: int | None = None) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size if size is None else size

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        parts = []
        while length:
            try:
                part = os.pread(self._descriptor, length, offset)
            except OSError as error:
                raise SourceUnreachable(
                    f"Reading failed at byte {offset}.", f"{error.strerror}."
                ) from error
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        os.close(self._descriptor)


class SubWindow:
    """A part of another window; never reads outside of it."""

    def __init__(self, window: ByteWindow, offset: int, size: int) -> None:
        self._window = window
        self._offset = offset
        self._size = max(0, min(size, window.size - offset))

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self._size - offset)
        return self._window.read(self._offset + offset, length) if length > 0 else b""


def chunks(window: ByteWindow, length: int = CHUNK) -> Iterator[bytes]:
    """Yield the window from start to end in pieces of `length` bytes."""
    offset = 0
    while data := window.read(offset, length):
        yield data
        offset += len(data)
