"""Unwinding tables: how to get from a place in a function to its caller (.eh_frame).

The table of .eh_frame_hdr is searched by halves, so that one entry is decoded and not the thousands
beside it (LSB 5.0, 10.6 "Exception Frames"; DWARF 5, 6.4 "Call Frame Information").
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ckpt_tui.core.errors import CkptError
from ckpt_tui.stacks.elf import PT_GNU_EH_FRAME, ElfFile
from ckpt_tui.stacks.operands import Operands

MAX_ENTRY = 1 << 20
"""Bytes of one entry; real ones have some hundred."""

MAX_ENTRIES = 300_000
"""Entries looked at where there is no table to search."""

MAX_STATES = 256
"""States remembered within one entry."""

RuleKind = Literal[
    "undefined", "same", "offset", "value offset", "register", "expression", "value expression"
]

Rule = tuple[RuleKind, int | bytes]
"""How a register of the caller is had: with a distance from the CFA, a register, an expression."""


class BadTable(ValueError):
    """An unwinding table that contradicts itself."""


@dataclass(slots=True)
class Row:
    """How to unwind from one place."""

    cfa: tuple[int, int] | bytes = b""
    """Register and distance, or an expression: the canonical frame address."""
    rules: dict[int, Rule] = field(default_factory=dict)
    return_register: int = 0
    is_signal: bool = False
    """The caller was interrupted and did not call."""
    is_signed: bool = False
    """The return address carries a pointer authentication code (aarch64)."""
    how: str = "table"
    """Which kind of table it is of: `table`, or `Go`."""

    def copy(self) -> Row:
        """Return one that can be changed without this."""
        return replace(self, rules=dict(self.rules))


class _Bytes(Operands):
    """Foreign bytes read from the front; `address` is where the first one is loaded."""

    failure = BadTable

    def __init__(self, data: bytes, address: int, base: int = 0) -> None:
        super().__init__(data)
        self.address = address
        self._base = base
        """What addresses relative to data count from."""

    @property
    def is_done(self) -> bool:
        return self.at >= len(self.data)

    def text(self) -> bytes:
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise BadTable("a text does not end")
        found, self.at = self.data[self.at : end], end + 1
        return found

    def pointer(self, encoding: int) -> int:
        """Return an encoded address (LSB 5.0, 10.5.1); DW_EH_PE_indirect is not followed."""
        place = self.address + self.at
        form = encoding & 0x0F
        if form in (1, 9):
            value = self.leb(signed=form == 9)
        else:
            size = {0: 8, 2: 2, 3: 4, 4: 8, 8: 8, 10: 2, 11: 4, 12: 8}.get(form)
            if size is None:
                raise BadTable(f"addresses are encoded as {encoding:#x}")
            value = self.number(size, signed=form >= 8)
        if encoding & 0x70 == 0x10:
            value += place
        elif encoding & 0x70 == 0x30:
            value += self._base
        elif encoding & 0x70:
            raise BadTable(f"addresses are encoded as {encoding:#x}")
        return value & (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class _Common:
    """A common information entry."""

    code_step: int
    data_step: int
    encoding: int
    has_data: bool
    """Whether entries that belong to it have augmentation data."""
    instructions: bytes
    row: Row


class FrameTable:
    """The unwinding table of one ELF file. Addresses are those before it was moved."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._common: dict[int, _Common] = {}

    def row(self, address: int) -> Row | None:
        """Return how to unwind from an address, None where no entry is for it.

        Raises:
            BadTable: the entry contradicts itself.
            CkptError: the file cannot be read.
        """
        place = self._search(address)
        if place is None:
            place = self._scanned(address)
        return None if place is None else self._row_of(place, address)

    def _search(self, address: int) -> int | None:
        """Return where the entry for an address is, by the table of .eh_frame_hdr."""
        start, count = self._header
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if self._slot(start, middle)[0] <= address:
                low = middle + 1
            else:
                high = middle
        return self._slot(start, low - 1)[1] if low else None

    @cached_property
    def _header(self) -> tuple[int, int]:
        """Return where the table of .eh_frame_hdr is, and how many entries it has."""
        segment = self._elf.segment(PT_GNU_EH_FRAME)
        if segment is None:
            return 0, 0
        head = self._elf.read_at(segment.address, 24)
        try:
            found = _Bytes(head, segment.address, segment.address)
            version, encoding, counting, table = found.take(4)
            if version != 1 or table != 0x3B or counting == 0xFF:
                return 0, 0
            found.pointer(encoding)
            count = found.pointer(counting)
        except BadTable:
            return 0, 0
        start = segment.address + found.at
        return start, min(count, max(segment.file_size - found.at, 0) // 8)

    def _slot(self, start: int, number: int) -> tuple[int, int]:
        data = self._elf.read_at(start + 8 * number, 8)
        if len(data) < 8:
            raise BadTable("the table for searching is cut off")
        segment = self._elf.segment(PT_GNU_EH_FRAME)
        base = segment.address if segment else 0
        code, entry = struct.unpack("<ii", data)
        return (base + code) & (1 << 64) - 1, (base + entry) & (1 << 64) - 1

    def _scanned(self, address: int) -> int | None:
        starts, places = self._all
        index = bisect_right(starts, address) - 1
        return places[index] if index >= 0 else None

    @cached_property
    def _all(self) -> tuple[list[int], list[int]]:
        """All entries by address, where there is no table to search: where each begins, and is."""
        section = self._elf.sections.get(".eh_frame")
        if self._header[1] or section is None:
            return [], []
        data = self._elf.contents(section)
        found: list[tuple[int, int]] = []
        at = 0
        while at + 8 <= len(data) and len(found) < MAX_ENTRIES:
            length, back = struct.unpack_from("<II", data, at)
            if not 4 <= length <= MAX_ENTRY:
                break
            if back:
                try:
                    place = section.address + at
                    code, common = self._entry(place)
                    found.append((code.pointer(common.encoding), place))
                except (BadTable, CkptError):
                    pass
            at += 4 + length
        found.sort()
        return [start for start, _ in found], [place for _, place in found]

    def _body(self, place: int) -> tuple[_Bytes, int]:
        """Return an entry behind its length, and the number that tells common from other ones."""
        head = self._elf.read_at(place, 4)
        length = int.from_bytes(head, "little")
        if len(head) < 4 or not 4 <= length <= MAX_ENTRY:
            raise BadTable(f"the entry at {place:#x} has a length of {length}")
        body = _Bytes(self._elf.read_at(place + 4, length), place + 4)
        return body, body.number(4)

    def _entry(self, place: int) -> tuple[_Bytes, _Common]:
        body, back = self._body(place)
        if not back:
            raise BadTable(f"the entry at {place:#x} is for no code")
        where = place + 4 - back
        if where not in self._common:
            self._common[where] = self._read_common(where)
        return body, self._common[where]

    def _read_common(self, place: int) -> _Common:
        body, mark = self._body(place)
        if mark:
            raise BadTable(f"the entry at {place:#x} should be a common one")
        version = body.number(1)
        augmentation = body.text()
        if version not in (1, 3) or augmentation[:1] not in (b"", b"z"):
            raise BadTable(f"the entry at {place:#x} is of an unknown version")
        code_step, data_step = body.leb(), body.leb(signed=True)
        row = Row(return_register=body.number(1) if version == 1 else body.leb())
        encoding = 0
        if augmentation:
            size = body.leb()
            end = body.at + size
            for letter in augmentation[1:].decode("ascii", "replace"):
                if letter == "R":
                    encoding = body.number(1)
                elif letter == "L":
                    body.number(1)
                elif letter == "P":
                    body.pointer(body.number(1) & 0x7F)
                elif letter == "S":
                    row.is_signal = True
                elif letter != "B":
                    break
            body.at = end
        instructions = body.data[body.at :]
        common = _Common(code_step, data_step, encoding, bool(augmentation), b"", row)
        _Program(_Bytes(instructions, 0), common, row, 0).run(None)
        return replace(common, instructions=instructions)

    def _row_of(self, place: int, address: int) -> Row | None:
        body, common = self._entry(place)
        start = body.pointer(common.encoding)
        size = body.pointer(common.encoding & 0x0F)
        if not start <= address < start + size:
            return None
        if common.has_data:
            body.take(body.leb())
        row = common.row.copy()
        return _Program(body, common, row, start).run(address)


class _Program:
    """The instructions of one entry, carried out up to an address."""

    def __init__(self, body: _Bytes, common: _Common, row: Row, start: int) -> None:
        self._body = body
        self._common = common
        self._row = row
        self._place = start
        self._states: list[Row] = []

    def run(self, until: int | None) -> Row:
        """Carry out what is for addresses up to `until`, or all of it."""
        while not self._body.is_done:
            op = self._body.number(1)
            step = self._advance(op)
            if step is not None:
                self._place += step
                if until is not None and self._place > until:
                    break
            elif not self._set_cfa(op) and not self._set_rule(op):
                self._others(op)
        return self._row

    def _advance(self, op: int) -> int | None:
        """Return how far an instruction moves on, None for one that does not."""
        if op >> 6 == 1:
            return (op & 0x3F) * self._common.code_step
        if op == 1:
            return self._body.pointer(self._common.encoding) - self._place
        size = {2: 1, 3: 2, 4: 4}.get(op)
        return None if size is None else self._body.number(size) * self._common.code_step

    def _set_cfa(self, op: int) -> bool:
        body, row, step = self._body, self._row, self._common.data_step
        register, distance = row.cfa if isinstance(row.cfa, tuple) else (0, 0)
        if op == 0x0C:  # DW_CFA_def_cfa
            row.cfa = body.leb(), body.leb()
        elif op == 0x12:  # DW_CFA_def_cfa_sf
            row.cfa = body.leb(), body.leb(signed=True) * step
        elif op == 0x0D:  # DW_CFA_def_cfa_register
            row.cfa = body.leb(), distance
        elif op == 0x0E:  # DW_CFA_def_cfa_offset
            row.cfa = register, body.leb()
        elif op == 0x13:  # DW_CFA_def_cfa_offset_sf
            row.cfa = register, body.leb(signed=True) * step
        elif op == 0x0F:  # DW_CFA_def_cfa_expression
            row.cfa = body.take(body.leb())
        else:
            return False
        return True

    def _set_rule(self, op: int) -> bool:
        body, step = self._body, self._common.data_step
        takers: dict[int, Callable[[], Rule]] = {
            0x05: lambda: ("offset", body.leb() * step),
            0x11: lambda: ("offset", body.leb(signed=True) * step),
            0x2F: lambda: ("offset", -body.leb() * step),  # DW_CFA_GNU_negative_offset_extended
            0x14: lambda: ("value offset", body.leb() * step),
            0x15: lambda: ("value offset", body.leb(signed=True) * step),
            0x07: lambda: ("undefined", 0),
            0x08: lambda: ("same", 0),
            0x09: lambda: ("register", body.leb()),
            0x10: lambda: ("expression", body.take(body.leb())),
            0x16: lambda: ("value expression", body.take(body.leb())),
        }
        if op >> 6 == 2:
            self._row.rules[op & 0x3F] = ("offset", body.leb() * step)
        elif op >> 6 == 3:
            self._restore(op & 0x3F)
        elif op == 0x06:  # DW_CFA_restore_extended
            self._restore(body.leb())
        elif op in takers:
            register = body.leb()
            self._row.rules[register] = takers[op]()
        else:
            return False
        return True

    def _restore(self, register: int) -> None:
        rule = self._common.row.rules.get(register)
        if rule is None:
            self._row.rules.pop(register, None)
        else:
            self._row.rules[register] = rule

    def _others(self, op: int) -> None:
        if op == 0x0A:  # DW_CFA_remember_state
            if len(self._states) >= MAX_STATES:
                raise BadTable("it remembers too many states")
            self._states.append(self._row.copy())
        elif op == 0x0B:  # DW_CFA_restore_state
            if not self._states:
                raise BadTable("it goes back to a state that it did not remember")
            self._row = self._states.pop()
        elif op == 0x2D:  # DW_CFA_AARCH64_negate_ra_state
            self._row.is_signed = not self._row.is_signed
        elif op == 0x2E:  # DW_CFA_GNU_args_size
            self._body.leb()
        elif op:  # DW_CFA_nop
            raise BadTable(f"instruction {op:#x} is not known")
