"""Layers of containers-storage: a tar archive put together again from its headers and its files.

The store keeps the files of a layer unpacked, and in `<id>.tar-split.gz` everything else that was
in the tar: one JSON object a line, of type 2 with raw bytes in base64, or of type 1 for the content
of a file (github.com/vbatts/tar-split, tar/storage/entry.go).
"""

from __future__ import annotations

import base64
import io
import os
from array import array
from bisect import bisect_right

from ckpt_tui.archive.compression import PlainStream, decompressed
from ckpt_tui.archive.directory import open_beneath
from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.spill import unlinked_file
from ckpt_tui.core.document import parse_document, text_at
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_LINE = 16 << 20
"""Bytes of one line; raw bytes are a few headers and padding."""

MAX_PIECES = 1 << 20
"""Pieces of one layer: half a million files."""


class TarSplitWindow:
    """The plain tar archive of a layer, byte for byte as its diff-id has it.

    Headers are read from a file without a name, content from the layer's folder, no link in it
    being followed. Missing content is an error when it is read, not before.
    """

    def __init__(self, split: ByteWindow, folder: int, name: str, progress: Progress) -> None:
        """`split` is the packed tar-split file, `folder` a descriptor of the unpacked layer."""
        self._folder = folder
        self._name = name
        self._starts = array("Q", [0])
        self._places: list[int | str] = []
        """Of each piece: where its raw bytes are in the spool, or the file that holds them."""
        self._spool = unlinked_file()
        try:
            self._read(decompressed(split, "gzip", progress, name))
            self._spool.flush()
        except BaseException:
            self._spool.close()
            raise

    @property
    def size(self) -> int:
        return self._starts[-1]

    def read(self, offset: int, length: int) -> bytes:
        end = min(offset + length, self.size)
        parts = []
        while 0 <= offset < end:
            number = bisect_right(self._starts, offset) - 1
            within = offset - self._starts[number]
            wanted = min(end, self._starts[number + 1]) - offset
            parts.append(self._piece(self._places[number], within, wanted))
            offset += wanted
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        self._spool.close()
        os.close(self._folder)

    def _piece(self, place: int | str, within: int, wanted: int) -> bytes:
        if isinstance(place, int):
            return os.pread(self._spool.fileno(), wanted, place + within)
        file = open_beneath(self._folder, place)
        try:
            data = file.read(within, wanted)
        finally:
            file.close()
        if len(data) < wanted:
            raise DamagedInput(place, within, "the store has fewer bytes of it than its layer.")
        return data

    def _read(self, stream: PlainStream) -> None:
        reader = io.BufferedReader(_Raw(stream), CHUNK)
        while line := reader.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE or len(self._places) > MAX_PIECES:
                raise self._damaged("it is larger than any layer needs.")
            if line.strip():
                self._add(parse_document(line, self._name))

    def _add(self, entry: object) -> None:
        match entry:
            case {"type": 2, "payload": str(payload)}:
                try:
                    raw = base64.b64decode(payload, validate=True)
                except ValueError:  # no base64, or no ASCII
                    raise self._damaged("its raw bytes are no base64.") from None
                if raw:
                    self._append(self._spool.tell(), len(raw))
                    self._spool.write(raw)
            case {"type": 1, "size": int(size)} if 0 < size < 1 << 62:
                self._append(self._content_name(entry), size)
            case {"type": 1 | 2}:
                pass  # a folder, a link or an empty file: no bytes of its own
            case _:
                raise self._damaged("an entry is of an unknown kind.")

    def _append(self, place: int | str, size: int) -> None:
        self._places.append(place)
        self._starts.append(self._starts[-1] + size)

    def _content_name(self, entry: object) -> str:
        name = text_at(entry, "name")
        if raw := text_at(entry, "name_raw"):  # a name that is not UTF-8
            try:
                name = base64.b64decode(raw).decode("utf-8", "surrogateescape")
            except ValueError:
                name = ""
        cleaned = clean_name(name)
        if cleaned is None:
            raise self._damaged("a name in it leads outside of the layer.")
        return cleaned

    def _damaged(self, problem: str) -> DamagedInput:
        return DamagedInput(self._name, 0, problem)


class _Raw(io.RawIOBase):
    """A plain stream as the standard library wants one."""

    def __init__(self, stream: PlainStream) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override] # has a length
        return self._stream.readinto(buffer)
