"""Go's table of functions: their names, and how much of the stack they use at each place.

The linker puts it into every program, stripped or not (section .gopclntab; Go, `pcHeader` and
`_func` in runtime/symtab.go and runtime/runtime2.go, internal/abi/symtab.go). Layouts of Go 1.18 to
1.19 and from 1.20 on.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ckpt_tui.stacks.cfi import Row
from ckpt_tui.stacks.elf import ElfFile
from ckpt_tui.stacks.machine import AARCH64, X86_64
from ckpt_tui.stacks.operands import Operands
from ckpt_tui.stacks.symbols import MAX_NAME, Symbol, address_of_symbol

SECTIONS = (".gopclntab", ".data.rel.ro.gopclntab")
"""Names of the section: of a program at a fixed address, and of one that can be moved."""

MAGICS = {0xFFFFFFF0: "1.18", 0xFFFFFFF1: "1.20"}
"""First word, and since which version of Go."""

HEADER = 72

MAX_FUNCTIONS = 10_000_000
"""Functions of a program; the largest have some hundred thousand."""

MAX_STEPS = 64 << 10
"""Bytes of the table of one function that are read."""

TOP_FRAME, SP_WRITE = 1, 2
"""Bits of the flags: nothing called the function; it goes on to another stack."""

ON_OTHER_STACK = b"runtime.systemstack"
"""Runs a function on the thread's own stack, and keeps the frame pointer of the goroutine's."""


class _BadGoTable(ValueError):
    """A table that contradicts itself."""


class _Steps(Operands):
    failure = _BadGoTable


@dataclass(frozen=True, slots=True)
class _Function:
    start: int
    name: bytes
    steps: int
    """Where its table of stack depths is, in the section of all such tables."""
    flags: int


class GoTable:
    """The functions of one Go program. Addresses are those before it was moved."""

    def __init__(self, elf: ElfFile, offset: int, size: int, address: int) -> None:
        """`offset`, `size` and `address` are those of the section.

        Raises:
            ValueError: it is of no known version.
            CkptError: it cannot be read.
        """
        self._elf = elf
        self._offset = offset
        self._size = size
        head = self._read(0, HEADER)
        if len(head) < HEADER:
            raise _BadGoTable("it is cut off")
        magic, pad, self._quantum, word = struct.unpack_from("<IHBB", head)
        if magic not in MAGICS or pad or word != 8 or self._quantum not in (1, 4):
            raise _BadGoTable("it is of an unknown version")
        self.since = MAGICS[magic]
        """The version of Go that brought this layout."""
        count, _, text, self._names, _, _, self._steps, self._functions = struct.unpack_from(
            "<8Q", head, 8
        )
        self._count = min(count, MAX_FUNCTIONS, size // 8)
        self._text = text or _text_start(elf, address + 24)

    def _read(self, offset: int, length: int) -> bytes:
        length = max(0, min(length, self._size - offset))
        return self._elf.window.read(self._offset + offset, length)

    def function_at(self, address: int) -> Symbol | None:
        """Return the function that an address is in, None where it is not of Go."""
        found, end = self._find(address)
        if found is None:
            return None
        name = found.name.decode("utf-8", "surrogateescape")
        return Symbol(name, found.start, end - found.start)

    def row(self, address: int, *, is_innermost: bool) -> Row | None:
        """Return how to unwind from an address, None where it is not of Go."""
        found, _ = self._find(address)
        if found is None:
            return None
        is_arm = self._elf.machine == AARCH64.elf_machine
        if not is_arm and self._elf.machine != X86_64.elf_machine:
            return None
        if found.flags & SP_WRITE and not is_innermost:
            if found.name != ON_OTHER_STACK or is_arm:
                return _ended(30 if is_arm else 16)
            return Row((6, 16), {16: ("offset", -8), 6: ("offset", -16)}, 16, how="Go")
        if found.flags & TOP_FRAME:
            return _ended(30 if is_arm else 16)
        depth = self._depth(found, address)
        if depth is None:
            return None
        return _of_aarch64(depth) if is_arm else _of_x86(depth)

    def _find(self, address: int) -> tuple[_Function | None, int]:
        """Return the function that an address is in, and where it ends."""
        wanted = address - self._text
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[0] <= wanted:
                low = middle + 1
            else:
                high = middle
        if not low:
            return None, 0
        start, place = self._entry(low - 1)
        end, _ = self._entry(low)  # behind the last one the end of all is written
        if not start <= wanted < end:
            return None, 0
        raw = self._read(self._functions + place, 44)
        if len(raw) < 44:
            return None, 0
        _, name, _, _, steps, *_ = struct.unpack_from("<iiIIIIIII", raw)
        flags = raw[41 if self.since == "1.20" else 37]
        text = self._read(self._names + max(name, 0), MAX_NAME).split(b"\0")[0]
        return _Function(self._text + start, text, steps, flags), self._text + end

    def _entry(self, number: int) -> tuple[int, int]:
        raw = self._read(self._functions + 8 * number, 8).ljust(8, b"\0")
        start, place = struct.unpack("<II", raw)
        return start, place

    def _depth(self, function: _Function, address: int) -> int | None:
        """Return how many bytes the function has put on the stack before an address."""
        steps = _Steps(self._read(self._steps + function.steps, MAX_STEPS))
        place, depth = function.start, -1
        try:
            while True:
                change = steps.leb()
                if not change and place != function.start:
                    return None
                depth += -(change >> 1) - 1 if change & 1 else change >> 1
                place += steps.leb() * self._quantum
                if address < place:
                    return depth if depth >= 0 else None
        except _BadGoTable:
            return None


def go_table(elf: ElfFile) -> GoTable | None:
    """Return the table of a Go program, None for a program that is not of Go.

    Raises:
        CkptError: the file cannot be read.
    """
    for name in SECTIONS:
        section = elf.sections.get(name)
        if section is not None:
            try:
                return GoTable(elf, section.offset, section.size, section.address)
            except ValueError:
                return None
    return None


def _text_start(elf: ElfFile, place: int) -> int:
    """Return where the code begins where the header leaves that to the loader: `place` is where."""
    relocations = elf.contents(elf.sections.get(".rela.dyn"))
    usable = relocations[: len(relocations) // 24 * 24]
    for at, _, value in struct.iter_unpack("<QQQ", usable):
        if at == place:
            return int(value)
    text = elf.sections.get(".text")
    return address_of_symbol(elf, b"runtime.text") or (text.address if text else 0)


def _ended(register: int) -> Row:
    return Row((31 if register == 30 else 7, 0), {register: ("undefined", 0)}, register, how="Go")


def _of_x86(depth: int) -> Row:
    """The return address lies above what the function put on the stack, and the frame pointer of
    the caller right below it."""
    row = Row((7, depth + 8), {16: ("offset", -8)}, 16, how="Go")
    if depth >= 8:
        row.rules[6] = ("offset", -16)
    return row


def _of_aarch64(depth: int) -> Row:
    """The return address lies at the stack pointer, and the caller's frame pointer below it."""
    row = Row((31, depth), {}, 30, how="Go")
    if depth:
        row.rules = {30: ("offset", -depth), 29: ("offset", -depth - 8)}
    return row
