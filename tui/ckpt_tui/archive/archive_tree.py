"""An archive as a tree of members, whatever its compression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Protocol

from ckpt_tui.archive.compression import Compression, PlainStream, decompressed, sniff
from ckpt_tui.archive.header_window import HeaderWindow, keep_headers
from ckpt_tui.archive.seekable import Digests, SeekableZstdWindow, seek_table
from ckpt_tui.archive.spill import RereadWindow, Span
from ckpt_tui.archive.tar import MemberReader, Walk, index
from ckpt_tui.archive.tar_index import Extent, TarIndex
from ckpt_tui.archive.tree import ByteRange, Member, MemberKind, Tree
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import BytesWindow, ByteWindow

MAX_KEPT_MEMBER = 4 << 20
"""Bytes. Of a compressed archive, members up to this size stay in memory from the first pass: all
images of a checkpoint but the page images, and its metadata. Larger ones are read again."""

MAX_KEPT = 64 << 20
"""Bytes of all kept members, a third of the memory that the program may take."""

_KEPT_LAST = "*pages-*.img"
"""Page images give way to other members: they are looked into, the others all are decoded."""


class Taker(Protocol):
    """Takes members of an archive while it is opened, where that reads all of it anyway."""

    def watch(self, archive: ByteWindow) -> ByteWindow:
        """Return the window to read in place of `archive`, the bytes as stored. Called first, and
        only if there will be a pass over them."""

    def sees(self, member: Member) -> bool:
        """Hear of each member in the order of the archive; return whether to be given its bytes."""

    def take(self, member: Member, pieces: Iterator[bytes]) -> ByteWindow | None:
        """Take the bytes of a file; return where they can be had again without another pass.

        `pieces` raises DamagedInput where the archive is damaged.
        """


class ArchiveTree(Tree):
    """The members of one archive."""

    def __init__(
        self,
        found: TarIndex,
        plain: ByteWindow,
        compression: Compression,
        stored: ByteWindow,
        close: Callable[[], None] | None = None,
        kept: Mapping[str, ByteWindow] | None = None,
        headers: Mapping[str, HeaderWindow] | None = None,
    ) -> None:
        super().__init__(found, found.notes())
        self._found = found
        self._plain = plain
        self._kept = kept or {}
        self._headers = headers or {}
        self._close = close
        self.compression: Compression = compression
        self.stored = stored
        """The archive as it is stored."""
        self.plain_size = plain.size
        """Bytes of the archive without its compression."""
        self.was_read = isinstance(plain, RereadWindow)

    @property
    def packed_size(self) -> int:
        """Bytes of the archive as it is stored."""
        return self.stored.size

    def window(self, name: str) -> ByteWindow:
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        return self._found.extent(name).window(self._plain, self.members[name].size)

    def extent(self, name: str) -> Extent:
        """Return where a file lies in the plain archive; KeyError for no regular file."""
        return self._found.extent(name)

    def headers(self, name: str) -> ByteWindow | None:
        """Return a nested archive without the data of its members, where a read of it would
        spill and its headers were kept."""
        return self._headers.get(name)

    def prove(self, digests: Digests) -> None:
        """Compare each zstd frame that is read with its digest, see `SeekableZstdWindow.prove`; of
        an archive that is stored otherwise there is nothing to compare."""
        if isinstance(self._plain, SeekableZstdWindow):
            self._plain.prove(digests)

    def spills(self, name: str) -> bool:
        """Return whether a read of this file makes a spill file of all large members."""
        return isinstance(self._plain, RereadWindow) and name not in self._kept

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        if isinstance(self._plain, RereadWindow):
            spans = [span for wanted in ranges if (span := self._span(wanted))]
            self._plain.preload(spans, progress)

    def close(self) -> None:
        if isinstance(self._plain, RereadWindow):
            self._plain.close()
        if self._close:
            self._close()

    def _span(self, wanted: ByteRange) -> Span | None:
        if wanted.name in self._kept:
            return None
        try:
            extent = self._found.extent(wanted.name)
        except KeyError:
            return None
        if extent.runs is not None:  # which stored bytes these are is not worth finding out
            return extent.offset, extent.offset + extent.stored
        start = min(wanted.offset, extent.stored)
        end = min(wanted.offset + wanted.length, extent.stored)
        return extent.offset + start, extent.offset + end


def open_archive(
    window: ByteWindow,
    name: str,
    progress: Progress,
    close: Callable[[], None] | None = None,
    taker: Taker | None = None,
) -> ArchiveTree:
    """Index an archive; `name` is what notes and errors call it, `close` lets go of `window`.

    A plain archive and a seekable zstd one cost a read of their headers, any other compressed one
    a pass over all of it, in which `taker` has its share. Progress counts bytes of `window`. Damage
    after the first member is a note.

    Raises:
        NotACheckpoint: it is not a tar archive.
        DamagedInput: it is damaged before its first member.
    """
    compression = sniff(window.read(0, 4))
    progress.start(f"reading {name}", window.size)
    if compression == "plain":
        found = index(window, name, progress)
        return ArchiveTree(found, window, compression, window, close=close)
    if compression == "zstd" and (table := seek_table(window)):
        plain = SeekableZstdWindow(window, table, name)
        progress.start(f"reading {name}", plain.size)
        found = index(plain, name, progress, ahead=0)  # the frame of a header is kept anyway
        return ArchiveTree(found, plain, compression, window, close=close)

    def restart(again: Progress) -> PlainStream:
        again.start(f"reading {name} again", window.size)
        return decompressed(window, compression, again, name)

    watched = taker.watch(window) if taker else window
    plain_stream = decompressed(watched, compression, progress, name)
    found, kept, headers, plain_size = _one_pass(plain_stream, name, taker)
    reread = RereadWindow(restart, plain_size)
    reread.allow([(start, end) for member, start, end in found.spans() if member not in kept])
    return ArchiveTree(found, reread, compression, window, close, kept, headers)


def _one_pass(
    stream: PlainStream, name: str, taker: Taker | None
) -> tuple[TarIndex, dict[str, ByteWindow], dict[str, HeaderWindow], int]:
    """Index a stream; keep the small members, and the headers of archives among the large ones;
    also return the number of plain bytes."""
    kept = _KeptMembers()
    taken: dict[str, ByteWindow] = {}
    headers: dict[str, HeaderWindow] = {}
    members = Walk(stream, name)
    found = TarIndex(members.note_list)
    for member, reader in members:
        for earlier in (headers, taken):
            earlier.pop(member.name, None)
        if taker and taker.sees(member):
            kept.forget(member.name)
            if (window := taker.take(member, reader.chunks())) is not None:
                taken[member.name] = window
        elif member.kind is MemberKind.FILE and member.size <= MAX_KEPT_MEMBER:
            kept.add(member.name, _all_there(reader))
        else:
            kept.forget(member.name)
            if member.name.endswith(".tar") and member.kind is MemberKind.FILE:
                nested = keep_headers(reader, member.size, member.name)
                if nested is not None:
                    headers[member.name] = nested
        if not found.add(member.name, member.link, members.header):
            break
    found.end_at(members.position)
    in_memory = {member: BytesWindow(data) for member, data in kept.members.items()}
    return found, {**in_memory, **taken}, headers, members.position


def _all_there(reader: MemberReader) -> bytes:
    """Return the bytes of a member, as far as they are there; the walk has a note of the rest."""
    pieces = []
    with suppress(DamagedInput):
        for piece in reader.chunks():
            pieces.append(piece)
    return b"".join(pieces)


class _KeptMembers:
    """Small members, in memory as long as there is room."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self._size = 0
        self._giving_way: list[str] = []

    def add(self, name: str, data: bytes) -> None:
        self.forget(name)
        is_last = fnmatchcase(name, _KEPT_LAST)
        while not is_last and self._giving_way and self._size + len(data) > MAX_KEPT:
            self.forget(self._giving_way.pop())
        if self._size + len(data) <= MAX_KEPT:
            self.members[name] = data
            self._size += len(data)
            if is_last:
                self._giving_way.append(name)

    def forget(self, name: str) -> None:
        self._size -= len(self.members.pop(name, b""))
