"""Bytes as lines: offset, hexadecimal, letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.masks import BLOT, secret_byte_spans
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.window import ByteWindow

Span = tuple[int, int]
"""Offset and length in bytes."""

_GROUP = 8
"""Bytes between two wider gaps."""

_PAGE = 4096
"""Bytes of the smallest unit in which memory is there or not."""

BLOCK = 1 << 16
"""Bytes read at a time: enough for a hundred screens, and one small request to a registry."""

MARGIN = 8192
"""Bytes around a block that are looked at to tell secrets: a private key in PEM is shorter."""


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


def covered_spans(window: ByteWindow, offset: int, data: bytes) -> list[Span]:
    """Return what looks like a secret in `data`, which `window` has at `offset`: spans from the
    first byte of `data`, in ascending order."""
    before = _margin(window, max(0, offset - MARGIN), offset)
    end = offset + len(data)
    after = _margin(window, end, min(end + MARGIN, window.size))
    found = []
    for first, last in secret_byte_spans(before + data + after):
        start, stop = max(first - len(before), 0), min(last - len(before), len(data))
        if start < stop:
            found.append((start, stop - start))
    return found


def _margin(window: ByteWindow, start: int, end: int) -> bytes:
    try:
        return window.read(start, end - start) if start < end else b""
    except CkptError:  # the bytes beside cannot be read: use those that were
        return b""


def hex_line(
    address: int,
    data: bytes,
    per_line: int,
    digits: int,
    marks: Sequence[Span] = (),
    covers: Sequence[Span] = (),
) -> Styled:
    """Return one line; `data` may be shorter than `per_line`. `marks` and `covers`, which are not
    shown, count from its first byte."""
    head = f"{address:0{digits}x}  "
    groups = [data[i : i + _GROUP].hex(" ") for i in range(0, len(data), _GROUP)]
    letters_at = len(head) + _column(per_line - 1) + 4
    line = (head + "  ".join(groups)).ljust(letters_at) + "".join(map(_letter, data))
    for index in (first + i for first, count in covers for i in range(count)):
        at, letter = len(head) + _column(index), letters_at + index
        line = line[:at] + 2 * BLOT + line[at + 2 : letter] + BLOT + line[letter + 1 :]
    styles = ["muted"] * digits + [""] * (len(line) - digits)
    for index, byte in enumerate(data):
        at = len(head) + _column(index)
        if not byte:
            styles[at : at + 2] = ["muted"] * 2
        if not 0x20 <= byte < 0x7F:
            styles[letters_at + index] = "muted"
    for first, count in marks:
        columns = range(len(head) + _column(first), len(head) + _column(first + count - 1) + 2)
        for at in (*columns, *range(letters_at + first, letters_at + first + count)):
            styles[at] = f"{styles[at]} mark".strip()
    runs, at = [], 0
    for style, group in groupby(styles):
        start, at = at, at + len(list(group))
        runs.append((line[start:at], style))
    return styled(*runs)


def dump_lines(
    window: ByteWindow,
    base: int = 0,
    absent: Callable[[int], str] = lambda _: "",
    *,
    reveal: bool = False,
) -> Iterator[str]:
    """Yield bytes as plain lines of 16, for a file or a pager.

    `absent` says, printable, why the page at an offset is not there, "" for one that is. What looks
    like a secret is covered unless it is to be revealed.
    """
    digits = offset_digits(base + window.size)
    for block in range(0, window.size, BLOCK):
        end = min(block + BLOCK, window.size)
        words = {page: absent(page) for page in range(block, end, _PAGE)}
        data = b"" if all(words.values()) else window.read(block, end - block)
        covers = [] if reveal or not data else covered_spans(window, block, data)
        for page, word in words.items():
            if word:
                yield f"{base + page:0{digits}x}  {word}"
                continue
            for at in range(page, min(page + _PAGE, end), 16):
                line = data[at - block : at - block + 16]
                hidden = marks_within(covers, at - block, 16)
                yield hex_line(base + at, line, 16, digits, covers=hidden).plain
