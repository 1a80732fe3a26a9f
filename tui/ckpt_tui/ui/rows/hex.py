"""Bytes as lines: offset, hexadecimal, letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from rich.text import Text

from ckpt_tui.core.window import ByteWindow

Span = tuple[int, int]
"""Offset and length in bytes."""

_GROUP = 8
"""Bytes between two wider gaps."""

_PAGE = 4096
"""Bytes read at a time for a dump: the smallest unit in which memory is there or not."""


def offset_digits(end: int) -> int:
    """Return the digits of the offset column for bytes that end at `end`."""
    return 8 if end <= 1 << 32 else 12 if end <= 1 << 48 else 16


def line_width(per_line: int, digits: int) -> int:
    """Return the cells that a line of `per_line` bytes needs."""
    return digits + 2 + per_line * 3 + (per_line - 1) // _GROUP + 1 + per_line


def bytes_per_line(width: int, digits: int) -> int:
    """Return 16 where that fits into `width` cells, else 8."""
    return 16 if line_width(16, digits) <= width else 8


def marks_within(marks: Sequence[Span], start: int, length: int) -> list[Span]:
    """Return the parts of sorted, disjoint `marks` within a line, counted from its first byte."""
    found = []
    for offset, count in marks[max(0, bisect_right(marks, (start, 0)) - 1) :]:
        if offset >= start + length:
            break
        first, last = max(offset, start), min(offset + count, start + length)
        if first < last:
            found.append((first - start, last - first))
    return found


def _letter(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else "·"


def _column(index: int) -> int:
    """Return the cell of a byte within the hexadecimal part."""
    return index * 3 + index // _GROUP


def hex_line(
    address: int, data: bytes, per_line: int, digits: int, marks: Sequence[Span] = ()
) -> Text:
    """Return one line; `data` may be shorter than `per_line`, `marks` count from its first byte."""
    head = f"{address:0{digits}x}  "
    groups = [data[i : i + _GROUP].hex(" ") for i in range(0, len(data), _GROUP)]
    letters_at = len(head) + _column(per_line - 1) + 4
    line = (head + "  ".join(groups)).ljust(letters_at) + "".join(map(_letter, data))
    text = Text(line, no_wrap=True)
    text.stylize("muted", 0, digits)
    for index, byte in enumerate(data):
        at = len(head) + _column(index)
        if not byte:
            text.stylize("muted", at, at + 2)
        if not 0x20 <= byte < 0x7F:
            text.stylize("muted", letters_at + index, letters_at + index + 1)
    for first, count in marks:
        text.stylize("mark", len(head) + _column(first), len(head) + _column(first + count - 1) + 2)
        text.stylize("mark", letters_at + first, letters_at + first + count)
    return text


def dump_lines(
    window: ByteWindow, base: int = 0, absent: Callable[[int], str] = lambda _: ""
) -> Iterator[str]:
    """Yield bytes as plain lines of 16, for a file or a pager.

    `absent` says, printable, why the page at an offset is not there, "" for one that is.
    """
    digits = offset_digits(base + window.size)
    for page in range(0, window.size, _PAGE):
        if words := absent(page):
            yield f"{base + page:0{digits}x}  {words}"
            continue
        data = window.read(page, _PAGE)
        for at in range(0, len(data), 16):
            yield hex_line(base + page + at, data[at : at + 16], 16, digits).plain
