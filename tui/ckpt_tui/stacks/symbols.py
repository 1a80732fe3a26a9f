"""Names of functions in an ELF file: .symtab, .dynsym, .gnu_debugdata and the PLT."""

from __future__ import annotations

import lzma
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.core.window import BytesWindow
from ckpt_tui.stacks.elf import PT_DYNAMIC, ElfFile, NotElf

STT_NOTYPE, STT_FUNC, STT_GNU_IFUNC = 0, 2, 10
SHN_UNDEF, SHN_ABS = 0, 0xFFF1

MAX_SYMBOLS = 500_000
"""Symbols of one table, 90 MB of memory; the largest programs have some hundred thousand."""

MAX_NAME = 4096
"""Bytes of a name."""

MAX_DEBUG_DATA = 64 << 20
"""Bytes of .gnu_debugdata once it is unpacked."""

NEARBY = 32
"""Symbols looked at before an address: one that begins later may end before it."""

PLT_SLOT = 16
"""Bytes of a slot of the PLT, on x86-64 and aarch64."""

RELA = 24

SYMBOL = 24


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function."""

    name: str
    """As it is in the file, mangled."""
    address: int
    size: int
    """0 where it is not recorded."""


class SymbolTable:
    """The functions of one ELF file by address; addresses are those before it was moved."""

    def __init__(self, elf: ElfFile) -> None:
        self._entries: list[tuple[int, int, int, int, int]] = []
        """Address, what tells which name is better, size, number of the table, place of the name.
        The last of equal ones is the best."""
        self._texts: list[bytes] = []
        for one in (elf, _debug_data(elf)):
            if one is not None:
                for table, names in _tables(one):
                    self._add(table, names)
        self._add_plt(elf)
        self._entries.sort()
        self._addresses = [entry[0] for entry in self._entries]

    def _add(self, table: bytes, names: bytes) -> None:
        number = len(self._texts)
        self._texts.append(names)
        usable = table[: min(len(table) // SYMBOL, MAX_SYMBOLS) * SYMBOL]
        for name, info, _, section, value, size in struct.iter_unpack("<IBBHQQ", usable):
            kind = info & 0xF
            if section in (SHN_UNDEF, SHN_ABS) or kind not in (
                STT_NOTYPE,
                STT_FUNC,
                STT_GNU_IFUNC,
            ):
                continue
            # $x and its like mark code on aarch64 and are no names
            if name >= len(names) or names[name : name + 1] in (b"", b"\0", b"$"):
                continue
            better = 0 if kind == STT_NOTYPE else {1: 3, 2: 2}.get(info >> 4, 1)
            # of names of one function the one that its callers use is the plain one
            is_plain = kind != STT_NOTYPE and names[name : name + 1] != b"_"
            self._entries.append((value, better + 4 * is_plain, size, number, name))

    def _add_plt(self, elf: ElfFile) -> None:
        number = len(self._texts)
        texts = bytearray()
        for address, name in _plt(elf):
            self._entries.append((address, 0, PLT_SLOT, number, len(texts)))
            texts += name[:MAX_NAME] + b"@plt\0"
        self._texts.append(bytes(texts))

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, address: int) -> Symbol | None:
        """Return the function that an address is in, None where no symbol says so."""
        index = bisect_right(self._addresses, address)
        open_ended = None
        for number in range(index - 1, max(index - NEARBY, 0) - 1, -1):
            start, _, size, *_ = self._entries[number]
            if address < start + size:
                return self._symbol(number)
            if not size and open_ended is None and number == index - 1:
                open_ended = number
        return None if open_ended is None else self._symbol(open_ended)

    def _symbol(self, number: int) -> Symbol:
        address, _, size, table, place = self._entries[number]
        text = self._texts[table][place : place + MAX_NAME].split(b"\0")[0]
        return Symbol(text.decode("utf-8", "surrogateescape"), address, size)


def address_of_symbol(elf: ElfFile, name: bytes) -> int | None:
    """Return the address of what a name is for, of data too; None where no table has it."""
    wanted = name + b"\0"
    for table, names in _tables(elf):
        if wanted not in names:
            continue
        usable = table[: min(len(table) // SYMBOL, MAX_SYMBOLS) * SYMBOL]
        for place, _, _, section, value, _ in struct.iter_unpack("<IBBHQQ", usable):
            if section != SHN_UNDEF and names.startswith(wanted, place):
                return int(value)
    return None


def _tables(elf: ElfFile) -> Iterator[tuple[bytes, bytes]]:
    """Yield each table of symbols with its names."""
    found = False
    for name in (".symtab", ".dynsym"):
        section = elf.sections.get(name)
        if section is not None:
            found = True
            yield elf.contents(section), elf.contents(elf.linked(section))
    if not found:
        yield from _dynamic(elf)


def _dynamic(elf: ElfFile) -> Iterator[tuple[bytes, bytes]]:
    """Yield the table that the loader uses, which needs no section headers."""
    segment = elf.segment(PT_DYNAMIC)
    if segment is None:
        return
    data = elf.read_at(segment.address, min(segment.file_size, 4096))
    tags = dict(struct.iter_unpack("<QQ", data[: len(data) // 16 * 16]))
    table, names, size = (tags.get(tag, 0) for tag in (6, 5, 10))  # DT_SYMTAB, STRTAB, STRSZ
    # in a running process these are where the file was moved to
    base = elf.moved
    table, names = (place - base if place > base else place for place in (table, names))
    if table and names > table:  # the names follow the symbols in every file that is known
        yield (
            elf.read_at(table, min(names - table, MAX_SYMBOLS * SYMBOL)),
            elf.read_at(names, min(size, MAX_DEBUG_DATA)),
        )


def _debug_data(elf: ElfFile) -> ElfFile | None:
    """Return the small ELF file with local symbols that Fedora packs into its programs."""
    packed = elf.contents(elf.sections.get(".gnu_debugdata"))
    if not packed:
        return None
    try:
        unpacked = lzma.LZMADecompressor(memlimit=2 * MAX_DEBUG_DATA).decompress(
            packed, MAX_DEBUG_DATA
        )
        return ElfFile(BytesWindow(unpacked))
    except (lzma.LZMAError, EOFError, NotElf):
        return None


def _plt(elf: ElfFile) -> Iterator[tuple[int, bytes]]:
    """Yield the slots of the PLT and what each leads to: the order is that of .rela.plt."""
    relocations = elf.contents(elf.sections.get(".rela.plt"))
    symbols = elf.sections.get(".dynsym")
    second, plain = elf.sections.get(".plt.sec"), elf.sections.get(".plt")
    if symbols is None or plain is None:
        return
    table, names = elf.contents(symbols), elf.contents(elf.linked(symbols))
    lead = 2 * PLT_SLOT if elf.machine == 183 else PLT_SLOT
    start = second.address if second else plain.address + lead
    size = second.size if second else plain.size - lead
    count = min(len(relocations) // RELA, max(size, 0) // PLT_SLOT)
    for number in range(count):
        (info,) = struct.unpack_from("<Q", relocations, number * RELA + 8)
        place = (info >> 32) * SYMBOL
        if place + SYMBOL <= len(table):
            (name,) = struct.unpack_from("<I", table, place)
            yield start + number * PLT_SLOT, names[name : name + MAX_NAME].split(b"\0")[0]
