"""Tar archives: one pass over a stream, or an index of a window made from its headers alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ckpt_tui.archive.blocks import AHEAD, Blocks, StreamBlocks, WindowBlocks
from ckpt_tui.archive.compression import PlainStream, decompressed, sniff
from ckpt_tui.archive.headers import HeaderReader, TarHeader
from ckpt_tui.archive.names import ROOT, clean_name
from ckpt_tui.archive.notes import Notes
from ckpt_tui.archive.tar_index import Extent, TarIndex
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.errors import DamagedInput, NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_NAME = 4096
"""Bytes of a member's name; Linux opens no longer path."""


class Walk(Iterator[tuple[Member, "MemberReader"]]):
    """The members of an archive in the order in which they are stored, each with its bytes.

    The reader of a member is good until the next one is asked for; what was not read of it is
    passed over. Iteration ends at the end-of-archive mark, or early with a sentence in `notes`.

    Raises, while iterating:
        NotACheckpoint: the first bytes are no tar header.
        DamagedInput: the stream is damaged before its first member.
    """

    def __init__(self, stream: PlainStream, name: str) -> None:
        """`name` is what notes and errors call the archive."""
        self._blocks = StreamBlocks(stream)
        self._headers = HeaderReader(self._blocks, name)
        self._name = name
        self._notes = Notes()
        self._current: tuple[TarHeader, MemberReader] | None = None
        self._members = 0
        self.header: TarHeader
        """Of the last member."""

    @property
    def extent(self) -> Extent:
        """Where the bytes of the last member lie in the plain archive."""
        return Extent(self.header.data_offset, self.header.stored, self.header.runs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was odd so far, a sentence each."""
        return self._notes()

    @property
    def note_list(self) -> Notes:
        """The same, for those who add to it."""
        return self._notes

    @property
    def position(self) -> int:
        """Plain bytes passed; after the last member, all there were."""
        return self._blocks.position

    def __next__(self) -> tuple[Member, MemberReader]:
        try:
            while header := self._next_header():
                self._members += 1
                if member := member_of(header, self._notes):
                    self.header = header
                    reader = MemberReader(self._blocks, header, self._name)
                    self._current = (header, reader)
                    return member, reader
                self._blocks.skip(header.end - self._blocks.position)
            self._finish()
        except DamagedInput as error:
            _end_early(error, self._members, self._blocks.position, self._name, self._notes)
            if self._current:
                header = self._current[0]
                self._notes.add(_cut_note(header, self._blocks.position - header.data_offset))
        raise StopIteration

    def _next_header(self) -> TarHeader | None:
        if self._current:
            header, reader = self._current
            reader.close()
            self._blocks.skip(header.end - self._blocks.position)
            self._current = None
            if self._blocks.position < header.data_offset + header.stored:
                there = self._blocks.position - header.data_offset
                self._notes.add(_cut_note(header, there))
                return None
        return self._headers.next()

    def _finish(self) -> None:
        """Read on to the end of the stream, for only there its checksum is verified."""
        if not self._headers.ended:
            _no_end_mark(self._members, self._blocks.position, self._name, self._notes)
            return
        mark = self._blocks.position
        if foreign := self._blocks.drain():
            self._notes.add(
                f"{foreign:,} bytes that are no padding follow the end mark at byte {mark:,}; they "
                "were left out."
            )


class MemberReader:
    """The bytes of one member of a walk, from start to end."""

    def __init__(self, blocks: StreamBlocks, header: TarHeader, archive: str) -> None:
        self._blocks = blocks
        self._archive = archive
        self._header = header
        self._runs = list(header.runs) if header.runs is not None else None
        self._size = header.size
        self._position = 0
        self._closed = False

    def read(self, length: int = CHUNK) -> bytes:
        """Return up to `length` bytes; none only at the end.

        Raises:
            DamagedInput: the archive ends before the member does, or is damaged here; all bytes
                before that were returned.
            ValueError: the walk has moved on.
        """
        if self._closed:
            raise ValueError("the walk has moved on to another member")
        length = min(length, self._size - self._position)
        if self._runs is None:
            piece = self._stored(length)
        elif self._runs and self._position >= self._runs[0].offset:
            run = self._runs[0]
            left = run.offset + run.length - self._position
            piece = self._stored(min(length, left))
            if len(piece) == left:
                del self._runs[0]
        else:
            following = self._runs[0].offset if self._runs else self._size
            piece = bytes(max(0, min(length, following - self._position, CHUNK)))
        self._position += len(piece)
        return piece

    def chunks(self) -> Iterator[bytes]:
        """Yield the rest in pieces of 1 MiB."""
        while piece := self.read():
            yield piece

    def close(self) -> None:
        """Make later reads fail."""
        self._closed = True

    def _stored(self, length: int) -> bytes:
        piece = self._blocks.read(length) if length > 0 else b""
        if not piece and length > 0:
            there = self._blocks.position - self._header.data_offset
            raise DamagedInput(self._archive, self._blocks.position, _cut_note(self._header, there))
        return piece


def stream(window: ByteWindow, name: str, progress: Progress) -> Walk:
    """Go through a tar archive, compressed or not, in one pass over its bytes."""
    compression = sniff(window.read(0, 4))
    return Walk(decompressed(window, compression, progress, name), name)


Seen = Callable[[TarIndex], object]
"""Called with an index before its first member is added."""


def index(
    window: ByteWindow,
    name: str,
    progress: Progress,
    ahead: int = AHEAD,
    seen: Seen | None = None,
) -> TarIndex:
    """Index a plain archive by its headers; the data in between is not read.

    Progress counts bytes of the archive. `ahead` bytes are read at a time where members are smaller
    than that; 0 where data costs more than headers.

    Raises:
        NotACheckpoint: the first bytes are no tar header.
    """
    blocks = WindowBlocks(window, progress, ahead)
    headers = HeaderReader(blocks, name)
    found = _members(headers, blocks, name, seen)
    if headers.ended and window.read(blocks.position, CHUNK).strip(b"\0"):
        found.notes.add(
            f"{window.size - blocks.position:,} bytes that are no padding follow the end mark at "
            f"byte {blocks.position:,}; they were left out."
        )
    return found


def index_stream(stream: PlainStream, name: str, seen: Seen | None = None) -> TarIndex:
    """Index a plain archive that streams by, up to its end mark.

    Raises:
        NotACheckpoint: the first bytes are no tar header.
        DamagedInput: the stream is damaged before its first member.
    """
    blocks = StreamBlocks(stream)
    return _members(HeaderReader(blocks, name), blocks, name, seen)


def _members(headers: HeaderReader, blocks: Blocks, name: str, seen: Seen | None) -> TarIndex:
    notes = Notes()
    found = TarIndex(notes)
    if seen is not None:
        seen(found)
    members = 0
    try:
        while header := headers.next():
            members += 1
            names = _names_of(header, notes)
            if names and not found.add(*names, header):
                return found
            blocks.skip(header.end - blocks.position)
            there = blocks.position - header.data_offset
            if there < header.stored:
                notes.add(_cut_note(header, there))
                if names:
                    found.end_at(blocks.position)
                return found
        if not headers.ended:
            _no_end_mark(members, blocks.position, name, notes)
    except DamagedInput as error:
        _end_early(error, members, blocks.position, name, notes)
    return found


def member_of(header: TarHeader, notes: Notes) -> Member | None:
    """Return the member of a header, or None, with a note, if its name may not be used."""
    names = _names_of(header, notes)
    return header.member(*names) if names else None


def _names_of(header: TarHeader, notes: Notes) -> tuple[str, str] | None:
    """Return the name and the link that may be used, or None, with a note."""
    name = clean_name(header.name) if len(header.name) <= MAX_NAME else None
    if name is None or (name == ROOT and header.kind is not MemberKind.DIRECTORY):
        notes.add(f"{_short(header.name) or 'A member without a name'} was left out: {_REFUSED}")
        return None
    if header.name[0] == "/":
        notes.add(f"{_short(header.name)} is an absolute name, taken as {name}.")
    if header.kind is MemberKind.SYMLINK:
        return name, header.link
    if header.kind is not MemberKind.HARDLINK:
        return name, ""
    link = clean_name(header.link)
    if link is None:
        notes.add(f"{name} was left out: it is a hard link to {_short(header.link)}. {_REFUSED}")
        return None
    return name, link


_REFUSED = "such a name is empty, or would lead outside of the archive."


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:200]}…"


def _cut_note(header: TarHeader, there: int) -> str:
    return (
        f"The archive is cut in {_short(header.name)}: {there:,} of its {header.stored:,} bytes "
        "are there, and nothing after them."
    )


def _no_end_mark(members: int, position: int, name: str, notes: Notes) -> None:
    if not members:
        raise _no_tar(name, "It is empty.")
    notes.add(f"The archive ends at byte {position:,} without an end mark; members may be missing.")


def _no_tar(name: str, why: str) -> NotACheckpoint:
    return NotACheckpoint(
        f"{name} is not a tar archive.",
        why,
        "A checkpoint is a tar archive, perhaps packed with zstd or gzip.",
    )


def _end_early(error: DamagedInput, members: int, position: int, name: str, notes: Notes) -> None:
    if members:
        notes.add(f"{error} What comes after it is not shown.")
    elif position and not error.offset:  # the bytes could be read, and were no header
        raise _no_tar(name, "It does not begin with a tar header.") from error
    else:
        raise error
