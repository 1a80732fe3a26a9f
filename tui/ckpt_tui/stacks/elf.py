"""ELF files: segments, sections and the build id, out of a file or of the memory it is mapped to.

Every number in them is foreign: counts are bounded, and what cannot be read is left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ckpt_tui.core.window import ByteWindow

PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_EH_FRAME = 1, 2, 4, 0x6474E550
SHT_NOBITS = 8
SHF_COMPRESSED = 0x800
NT_GNU_BUILD_ID = 3

HEADER = 64

MAX_SEGMENTS = 256
"""Program headers looked at; real files have a dozen."""

MAX_SECTIONS = 4096
"""Section headers looked at; real programs have a few dozens."""

MAX_NOTES = 64 << 10
"""Bytes of one note segment."""

MAX_SECTION = 64 << 20
"""Bytes of a section that is read as a whole."""


class NotElf(ValueError):
    """The bytes are no ELF file of the kind that is read here."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header."""

    kind: int
    offset: int
    address: int
    file_size: int
    size: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section header."""

    name: str
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    """Bytes in the file."""
    link: int


class ElfFile:
    """One ELF file of 64 bits, little endian."""

    def __init__(self, window: ByteWindow, moved: int = 0) -> None:
        """`moved` is how far it was moved where `window` is the memory of a process.

        Raises:
            NotElf: it is no such file.
            CkptError: it cannot be read.
        """
        self.window = window
        self.moved = moved
        head = window.read(0, HEADER)
        if len(head) < HEADER or head[:6] != b"\x7fELF\2\1":
            raise NotElf("no ELF file of 64 bits, little endian")
        (self.machine,) = struct.unpack_from("<H", head, 18)
        phoff, self._shoff = struct.unpack_from("<QQ", head, 32)
        phsize, phnum, self._shsize, self._shnum, self._names = struct.unpack_from("<5H", head, 54)
        self.segments = tuple(self._segments(phoff, phsize, min(phnum, MAX_SEGMENTS)))
        self._loads = [s for s in self.segments if s.kind == PT_LOAD]

    def _segments(self, start: int, size: int, count: int) -> Iterator[Segment]:
        for raw in self._table(start, size, count, 56):
            kind, _, offset, address, _, file_size, memory_size, _ = struct.unpack("<IIQQQQQQ", raw)
            yield Segment(kind, offset, address, file_size, memory_size)

    def _table(self, start: int, size: int, count: int, least: int) -> Iterator[bytes]:
        if size < least or start >= self.window.size:
            return
        data = self.window.read(start, size * count)
        for at in range(0, len(data) - size + 1, size):
            yield data[at : at + least]

    @cached_property
    def sections(self) -> Mapping[str, Section]:
        """The sections by name, the first of each; none where the headers are not at hand."""
        return {section.name: section for section in reversed(self._ordered)}

    @cached_property
    def _ordered(self) -> tuple[Section, ...]:
        count = min(self._shnum, MAX_SECTIONS)
        raws = [
            struct.unpack("<IIQQQQIIQQ", raw)
            for raw in self._table(self._shoff, self._shsize, count, 64)
        ]
        names = b""
        if self._names < len(raws):
            _, _, _, _, offset, size, *_ = raws[self._names]
            names = self.window.read(offset, min(size, MAX_NOTES))
        found = []
        for name, kind, flags, address, offset, size, link, *_ in raws:
            text = names[name : name + 64].split(b"\0")[0].decode("ascii", "replace")
            stored = 0 if kind == SHT_NOBITS else max(0, min(size, self.window.size - offset))
            found.append(Section(text, kind, flags, address, offset, stored, link))
        return tuple(found)

    def linked(self, section: Section) -> Section | None:
        """Return the section that another one names as its own, such as its strings."""
        return self._ordered[section.link] if section.link < len(self._ordered) else None

    def contents(self, section: Section | None) -> bytes:
        """Return the bytes of a section; nothing for one that is compressed or too large."""
        if section is None or section.size > MAX_SECTION or section.flags & SHF_COMPRESSED:
            return b""
        return self.window.read(section.offset, section.size)

    def segment(self, kind: int) -> Segment | None:
        """Return the first segment of a kind."""
        return next((one for one in self.segments if one.kind == kind), None)

    def address_of(self, offset: int) -> int | None:
        """Return the address, before it was moved, at which a byte of the file is loaded."""
        for one in self._loads:
            # the loader maps whole pages, so a segment has bytes of its neighbours around it
            if one.offset & ~0xFFF <= offset < one.offset + one.file_size + 0xFFF & ~0xFFF:
                return one.address + offset - one.offset
        return None

    def read_at(self, address: int, length: int) -> bytes:
        """Return bytes by their address, fewer where the file has no more."""
        for one in self._loads:
            if one.address <= address < one.address + one.file_size:
                length = min(length, one.address + one.file_size - address)
                return self.window.read(one.offset + address - one.address, length)
        return b""

    @cached_property
    def build_id(self) -> bytes:
        """The GNU build id; empty for none. Go's linker names it in no segment."""
        for one in self.segments:
            if one.kind == PT_NOTE:
                notes = self.window.read(one.offset, min(one.file_size, MAX_NOTES))
                if found := build_id_in(notes):
                    return found
        section = self.sections.get(".note.gnu.build-id")
        return build_id_in(self.contents(section)[:MAX_NOTES])


def build_id_in(notes: bytes, order: str = "<") -> bytes:
    """Return the GNU build id among the notes of a segment, empty for none; `order` is the byte
    order as `struct` writes it."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, at)
        name = notes[at + 12 : at + 12 + min(name_size, 16)]
        data = at + 12 + (name_size + 3) // 4 * 4
        if kind == NT_GNU_BUILD_ID and name == b"GNU\0":
            return notes[data : data + min(size, 64)]
        at = data + (size + 3) // 4 * 4
    return b""
