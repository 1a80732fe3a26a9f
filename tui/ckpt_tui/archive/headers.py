"""Tar headers: one member after another, from ustar, PAX and GNU archives.

Read by hand and not with the standard library's tarfile: that one stops silently at a damaged
header, and up to 3.11.9 a single hostile PAX header makes it run for hours (CVE-2024-6232).
Formats as in POSIX.1-2008 (pax, "pax Interchange Format") and the GNU tar manual, appendix D.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import adler32

from ckpt_tui.archive.blocks import Blocks
from ckpt_tui.archive.sparse import Fragment, gnu_runs, pax_runs
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.errors import DamagedInput

BLOCK = 512
"""Bytes; headers and data are padded to it."""

MAX_EXTENSION = 1 << 20
"""Bytes of one long name or PAX header. File systems stop at 4 KiB names and 64 KiB attributes."""

MAX_GLOBALS = 4 << 20
"""Bytes of all global PAX headers of an archive together."""

MAX_EXTENSIONS = 16
"""Extension headers before one member; writers need three."""

_KINDS = {
    b"0": MemberKind.FILE,
    b"7": MemberKind.FILE,
    b"S": MemberKind.FILE,
    b"\0": MemberKind.FILE,
    b"1": MemberKind.HARDLINK,
    b"2": MemberKind.SYMLINK,
    b"3": MemberKind.CHARACTER,
    b"4": MemberKind.BLOCK,
    b"5": MemberKind.DIRECTORY,
    b"6": MemberKind.FIFO,
}
_NO_DATA = frozenset(b"1 2 3 4 5 6".split())
_EXTENDS = b"LKxXg"
_END = bytes(BLOCK)
_NO_PAX: Mapping[str, str] = {}

MAX_OWNERS = 4096
"""Owners remembered by their bytes; an archive has a few dozen, a hostile one is read slower."""


class Owner(NamedTuple):
    """What many members of an archive have in common, so that it is read and kept once."""

    mode: int
    """Permission bits, setuid, setgid and sticky included."""
    uid: int
    gid: int
    uname: str
    gname: str
    device: tuple[int, int]


class TarHeader(NamedTuple):  # a frozen dataclass of so many fields takes four times longer
    """One member as its headers tell it; names and links still as they are written."""

    offset: int
    """Where its first header begins."""
    data_offset: int
    """Where its stored bytes begin."""
    stored: int
    """Bytes stored, without padding."""
    name: str
    kind: MemberKind
    size: int
    owner: Owner
    mtime: float
    link: str
    pax: Mapping[str, str]
    runs: tuple[Fragment, ...] | None = None
    """Of a sparse file: where the stored bytes belong."""

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.data_offset + (self.stored + BLOCK - 1) // BLOCK * BLOCK

    def member(self, name: str, link: str) -> Member:
        """Return the member by a name and a link that may be used; records are shared, not copied:
        each member may repeat some MiB of the archive's globals."""
        return member_like(name, self.kind, self.size, self.owner, self.mtime, link, self.pax)


def member_like(
    name: str,
    kind: MemberKind,
    size: int,
    owner: Owner,
    mtime: float,
    link: str,
    pax: Mapping[str, str],
) -> Member:
    """Return a member with what it has in common with others."""
    mode, uid, gid, uname, gname, device = owner
    return Member(name, kind, size, mode, uid, gid, uname, gname, mtime, link, device, pax)


@dataclass(slots=True)
class _Extensions:
    """What the headers before a member's own say of it."""

    pax: dict[str, str] = field(default_factory=dict)
    records: list[tuple[str, str]] = field(default_factory=list)
    name: str | None = None
    link: str | None = None


_NONE = _Extensions()


class HeaderReader:
    """Reads headers; the caller passes over the data in between."""

    def __init__(self, blocks: Blocks, archive: str) -> None:
        self._blocks = blocks
        self._archive = archive
        self._globals: dict[str, str] = {}
        self._globals_size = 0
        self._owners: dict[bytes, Owner] = {}
        self.ended = False
        """Whether the end-of-archive mark was read."""

    def next(self) -> TarHeader | None:
        """Return the next member, or None at the end of the archive or of its bytes.

        Raises:
            DamagedInput: a header is cut or contradicts itself; nothing after it can be trusted.
        """
        start = self._blocks.position
        extensions: _Extensions | None = None
        for _ in range(MAX_EXTENSIONS):
            offset = self._blocks.position
            block = self._blocks.read(BLOCK)
            if not block and offset == start:
                return None
            if len(block) < BLOCK:
                self._blocks.read(1)  # raises what cut the header, if it is known
                raise self._damaged(offset, "the archive ends within a header.")
            if block == _END:
                self.ended = True
                return None
            self._check(block, offset)
            if block[156] not in _EXTENDS:
                return self._member(block, start, offset, extensions or _NONE)
            extensions = extensions or _Extensions()
            self._extend(extensions, block, offset)
        raise self._damaged(start, "extension headers follow each other without a member.")

    def _check(self, block: bytes, offset: int) -> None:
        field = block[148:156]
        stated = _number(field) or 0
        # Adler-32 has the sum of all bytes in its lower half, and is many times faster than sum().
        if adler32(block) & 0xFFFF == (1 + stated - 8 * 0x20 + sum(field)) % 65521:
            return
        summed = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
        # Some old writers summed signed characters.
        high = sum(byte > 0x7F for byte in block[:148] + block[156:])
        if not high or stated != summed - 256 * high:
            raise self._damaged(offset, "a header's checksum is wrong.")

    def _extend(self, extensions: _Extensions, block: bytes, offset: int) -> None:
        """Read an extension header into `extensions`."""
        flag = block[156:157]
        size = _number(block[124:136])
        if size is None or not 0 <= size <= MAX_EXTENSION:
            raise self._damaged(offset, "an extension header has an impossible size.")
        data = self._blocks.read(_padded(size))[:size]
        if len(data) < size:
            raise self._damaged(offset, "the archive ends within a header.")
        if flag == b"L":
            extensions.name = _text(data)
        elif flag == b"K":
            extensions.link = _text(data)
        else:
            records = self._records(data, offset)
            if flag == b"g":
                self._add_globals(records, size, offset)
            else:
                extensions.records += records
                extensions.pax.update(records)

    def _add_globals(self, records: list[tuple[str, str]], size: int, offset: int) -> None:
        self._globals_size += size
        if self._globals_size > MAX_GLOBALS:
            raise self._damaged(offset, "its global headers are larger than any archive needs.")
        self._globals = {**self._globals, **dict(records)}

    def _records(self, data: bytes, offset: int) -> list[tuple[str, str]]:
        records = []
        position = 0
        while position < len(data) and data[position]:
            space = data.find(b" ", position, position + 20)
            digits = data[position:space] if space > 0 else b""
            end = position + int(digits) if digits.isdigit() else 0
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not equals or not space < end <= len(data) or data[end - 1 : end] != b"\n":
                raise self._damaged(offset, "a PAX header is malformed.")
            records.append((_decoded(key), _decoded(value)))
            position = end
        return records

    def _member(self, block: bytes, start: int, offset: int, extensions: _Extensions) -> TarHeader:
        flag = block[156:157]
        pax = self._pax(extensions.pax)
        name = (pax and pax.get("path")) or extensions.name or _own_name(block)
        kind = _KINDS.get(flag, MemberKind.OTHER)
        if kind is MemberKind.FILE and flag == b"\0" and name.endswith("/"):
            kind, flag = MemberKind.DIRECTORY, b"5"  # as archives older than ustar have it
        stored = 0 if flag in _NO_DATA else self._size(block, pax, offset)
        owner = self._owner(block)
        runs, real_size = None, stored
        mtime: float = _number(block[136:148]) or 0
        link = extensions.link or ("" if block[157] == 0 else _text(block[157:257]))
        if pax or flag == b"S":
            runs, real_size = self._runs(block, extensions.records, pax, stored, offset)
            owner, mtime = _by_pax(owner, pax), _time(pax.get("mtime"), mtime)
            link = pax.get("linkpath") or link
            if runs is not None:
                name = pax.get("GNU.sparse.name", name)
        data_offset = self._blocks.position
        return TarHeader(
            start,
            data_offset,
            stored - (data_offset - offset - BLOCK if flag != b"S" else 0),
            name,
            kind,
            real_size if kind is MemberKind.FILE else 0,
            owner,
            mtime,
            link,
            pax,
            runs,
        )

    def _owner(self, block: bytes) -> Owner:
        own = block[100:124] + block[265:345]
        owner = self._owners.get(own)
        if owner is None:
            if len(self._owners) >= MAX_OWNERS:
                self._owners.clear()
            owner = self._owners[own] = Owner(
                (_number(block[100:108]) or 0) & 0o7777,
                _number(block[108:116]) or 0,
                _number(block[116:124]) or 0,
                _text(block[265:297]),
                _text(block[297:329]),
                (_number(block[329:337]) or 0, _number(block[337:345]) or 0),
            )
        return owner

    def _pax(self, own: dict[str, str]) -> Mapping[str, str]:
        if not self._globals:
            return own or _NO_PAX
        # Chained, not copied: each member may repeat some MiB of globals otherwise.
        return ChainMap(own, self._globals) if own else self._globals

    def _size(self, block: bytes, pax: Mapping[str, str], offset: int) -> int:
        size = _integer(pax["size"]) if pax and "size" in pax else _number(block[124:136])
        if size is None or not 0 <= size < 1 << 63:
            raise self._damaged(offset, "a member has an impossible size.")
        return size

    def _runs(
        self,
        block: bytes,
        records: list[tuple[str, str]],
        pax: Mapping[str, str],
        stored: int,
        offset: int,
    ) -> tuple[tuple[Fragment, ...] | None, int]:
        """Return the map of a sparse file and its real size."""
        try:
            if block[156:157] == b"S":
                return gnu_runs(block, self._blocks.read, stored)
            if any(key.startswith("GNU.sparse.") for key in pax):
                return pax_runs(records, self._blocks.read, stored)
        except ValueError as error:
            raise self._damaged(
                offset, f"the map of a sparse file is malformed: {error}."
            ) from None
        return None, stored

    def _damaged(self, offset: int, problem: str) -> DamagedInput:
        return DamagedInput(self._archive, offset, problem)


def _by_pax(owner: Owner, pax: Mapping[str, str]) -> Owner:
    """Return an owner with what PAX records say otherwise."""
    mode, uid, gid, uname, gname, device = owner
    return Owner(
        mode,
        _integer(pax.get("uid")) or uid,
        _integer(pax.get("gid")) or gid,
        pax.get("uname") or uname,
        pax.get("gname") or gname,
        device,
    )


def _padded(size: int) -> int:
    return (size + BLOCK - 1) // BLOCK * BLOCK


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    """Return a field up to its NUL."""
    return _decoded(data.partition(b"\0")[0])


def _own_name(block: bytes) -> str:
    name = _text(block[:100])
    if not block[345]:
        return name
    # GNU headers ("ustar  ") keep times where ustar has the prefix.
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _number(data: bytes) -> int | None:
    """Return an octal or base-256 number field; 0 if it is blank, None if it is not a number."""
    try:
        return int(data.rstrip(b" \0"), 8)
    except ValueError:
        pass
    if data[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(data[1:], "big")
        return value - (1 << 8 * (len(data) - 1)) if data[0] == 0xFF else value
    digits = data.strip(b" \0").partition(b"\0")[0]
    try:
        return int(digits, 8) if digits else 0
    except ValueError:
        return None


def _integer(text: str | None) -> int | None:
    """Return a decimal PAX value; 20 digits hold any 64-bit number."""
    return int(text) if text and len(text) <= 20 and text.isascii() and text.isdigit() else None


def _time(text: str | None, otherwise: float) -> float:
    try:
        seconds = float(text) if text and len(text) < 64 else float(otherwise)
    except ValueError:
        return otherwise
    return whole(seconds) if math.isfinite(seconds) else otherwise


def whole(seconds: float) -> float:
    """Return a whole number as one, so that a time is written alike wherever it was read."""
    return int(seconds) if seconds.is_integer() else seconds
