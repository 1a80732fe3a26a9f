"""The members of a tar archive, packed: a million of them are at hand in some 170 MB of memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from ckpt_tui.archive.headers import Owner, TarHeader, member_like, whole
from ckpt_tui.archive.notes import Notes
from ckpt_tui.archive.sparse import Fragment, SparseWindow
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.window import ByteWindow, SubWindow

MAX_INDEX = 512 << 20
"""Bytes of memory for all members of one archive, about 2,000,000 of them with usual names. Beyond
it the index stops with a note, so that no archive can claim all memory."""

_COST_OF_MEMBER = 210
"""Bytes beside the characters: a slot of a dict while that grows, a str, a packed record."""
_COST_OF_MORE = 400
_COST_OF_OWNER = 500
_COST_OF_RUN = 120

_RECORD = Struct("<BIQQQd")
"""Kind, number of the owner, size, where the stored bytes begin, how many they are, mtime."""

_KINDS = tuple(MemberKind)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
_FILE = _NUMBERS[MemberKind.FILE]


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the bytes of a file lie in the plain archive."""

    offset: int
    stored: int
    """Bytes stored there."""
    runs: tuple[Fragment, ...] | None = None
    """Of a sparse file: where the stored bytes belong."""

    def window(self, archive: ByteWindow, size: int) -> ByteWindow:
        """Return the file's bytes, given those of the plain archive."""
        stored = SubWindow(archive, self.offset, self.stored)
        return stored if self.runs is None else SparseWindow(stored, self.runs, size)


class _More(NamedTuple):
    """What most members have not."""

    link: str = ""
    pax: Mapping[str, str] = {}
    runs: tuple[Fragment, ...] | None = None


_NO_MORE = _More()


class TarIndex(Mapping[str, Member]):
    """Members of an archive by name, in its order, and where their bytes lie.

    A member is made of its packed record each time it is asked for.
    """

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self._records: dict[str, bytes] = {}
        self._more: dict[str, _More] = {}
        self._owners: list[Owner] = []
        self._numbers: dict[Owner, int] = {}
        self._cost = 0
        self._last = ""
        self.largest = 0
        """Bytes of the largest member."""
        self.names: list[str] = []
        """In the order of the archive. Another thread may read those that are there while more are
        added, which iteration does not bear."""

    def add(self, name: str, link: str, header: TarHeader) -> bool:
        """Add a member, the last of a name wins; False when there is no memory for more."""
        owner = self._numbers.get(header.owner)
        if owner is None:
            owner = self._numbers[header.owner] = len(self._owners)
            self._owners.append(header.owner)
            self._cost += _COST_OF_OWNER
        self._cost += _COST_OF_MEMBER + len(name) * (1 if name.isascii() else 4)
        more = None
        if link or header.pax or header.runs is not None:
            more = _More(link, header.pax, header.runs)
            self._cost += (
                _COST_OF_MORE
                + len(link)
                + _COST_OF_RUN * len(header.runs or ())
                + sum(len(key) + len(value) for key, value in header.pax.items())
            )
        if self._cost > MAX_INDEX:
            self.notes.add(
                f"It has more members than fit into memory; those from {name} on were left out."
            )
            return False
        if name in self._records:
            self.notes.add(f"{name} is there more than once; the last one counts.")
            self._more.pop(name, None)
        if more:
            self._more[name] = more
        is_new = name not in self._records
        self._records[name] = _RECORD.pack(
            _NUMBERS[header.kind],
            owner,
            header.size,
            header.data_offset,
            header.stored,
            header.mtime,
        )
        if is_new:
            self.names.append(name)
        self.largest = max(self.largest, header.size)
        self._last = name
        return True

    def end_at(self, position: int) -> None:
        """Shorten the last member to what lies before `position`, where the archive is cut."""
        record = self._records.get(self._last)
        if record is None:
            return
        kind, owner, size, offset, stored, mtime = _RECORD.unpack(record)
        if kind != _FILE or offset + stored <= position:
            return
        stored = max(0, position - offset)
        if self._more.get(self._last, _NO_MORE).runs is None:
            size = stored
        self._records[self._last] = _RECORD.pack(kind, owner, size, offset, stored, mtime)

    def extent(self, name: str) -> Extent:
        """Return where the bytes of a file lie; KeyError for no regular file."""
        kind, _owner, _size, offset, stored, _mtime = _RECORD.unpack(self._records[name])
        if kind != _FILE:
            raise KeyError(name)
        return Extent(offset, stored, self._more.get(name, _NO_MORE).runs)

    def spans(self) -> Iterator[tuple[str, int, int]]:
        """Yield each file with the start and the end of its stored bytes."""
        for name, record in self._records.items():
            kind, _owner, _size, offset, stored, _mtime = _RECORD.unpack(record)
            if kind == _FILE:
                yield name, offset, offset + stored

    def __getitem__(self, name: str) -> Member:
        kind, owner, size, _offset, _stored, mtime = _RECORD.unpack(self._records[name])
        more = self._more.get(name, _NO_MORE)
        return member_like(
            name, _KINDS[kind], size, self._owners[owner], whole(mtime), more.link, more.pax
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, name: object) -> bool:
        return name in self._records
