"""Keeps small members until their layer is written: in memory, above a limit in a scratch file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import CHUNK

IN_MEMORY = 32 << 20
"""Bytes kept in memory. The CRIU images without pages of a hundred processes have some MiB."""


class Spool:
    """Named runs of bytes, written once and read in any order."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self._spans: dict[str, tuple[int, int]] = {}
        self._end = 0

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        start = self._end
        for piece in pieces:
            self._file.write(piece)
            self._end += len(piece)
        self._spans[name] = (start, self._end - start)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of `name`."""
        start, left = self._spans[name]
        while left:
            self._file.seek(start)
            piece = self._file.read(min(CHUNK, left))
            if not piece:
                raise CkptError(f"{name} cannot be read back:", "the scratch file is too short.")
            start, left = start + len(piece), left - len(piece)
            yield piece

    def read(self, name: str) -> bytes:
        return b"".join(self.pieces(name))

    def close(self) -> None:
        self._file.close()
