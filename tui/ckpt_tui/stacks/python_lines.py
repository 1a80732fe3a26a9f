"""Line tables of CPython: from an instruction to a line of the source.

3.8 and 3.9: Objects/lnotab_notes.txt; 3.10: PEP 626; from 3.11 on: Objects/locations.md (PEP 657).
"""

from __future__ import annotations

NO_LINE = -128
"""In the table of 3.10: instructions that are of no line."""


def line_at(version: tuple[int, int], table: bytes, first: int, place: int) -> int | None:
    """Return the line of the instruction `place` bytes behind the first one of a function whose
    first line is `first`; None where it has none, or the table is damaged."""
    if place < 0:
        return first
    if version < (3, 10):
        return _by_lnotab(table, first, place)
    if version < (3, 11):
        return _by_ranges(table, first, place)
    return _by_locations(table, first, place)


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _by_lnotab(table: bytes, line: int, place: int) -> int:
    at = 0
    for distance, lines in zip(table[::2], table[1::2], strict=False):
        at += distance
        if at > place:
            break
        line += _signed(lines)
    return line


def _by_ranges(table: bytes, line: int, place: int) -> int | None:
    end = 0
    for size, byte in zip(table[::2], table[1::2], strict=False):
        lines = _signed(byte)
        end += size
        if lines != NO_LINE:
            line += lines
        if place < end:
            return None if lines == NO_LINE else line
    return None


def _by_locations(table: bytes, line: int, place: int) -> int | None:
    at = end = 0
    try:
        while at < len(table):
            head = table[at]
            at += 1
            end += 2 * ((head & 7) + 1)
            kind = head >> 3 & 15
            if kind in (13, 14):  # no columns, and all of them
                number, at = _number(table, at)
                line += -(number >> 1) if number & 1 else number >> 1
                for _ in range(3 if kind == 14 else 0):
                    _, at = _number(table, at)
            elif kind != 15:
                line += max(kind - 10, 0)
                at += 2 if kind >= 10 else 1
            if place < end:
                return None if kind == 15 else line
    except IndexError:
        pass
    return None


def _number(table: bytes, at: int) -> tuple[int, int]:
    """Return a number of pieces of six bits, and where it ends."""
    value = shift = 0
    while shift < 60:
        byte = table[at]
        at += 1
        value |= (byte & 63) << shift
        shift += 6
        if not byte & 64:
            break
    return value, at
