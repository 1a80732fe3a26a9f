"""Bytes of unknown kind as text: whether they are text, and their lines wrapped and masked."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.core.masks import masked, masked_bytes
from ckpt_tui.core.text import printable
from ckpt_tui.views.table import Column, Row

MAX_TEXT = 2 << 20
"""Bytes that are shown as text; of more the rest is to be seen as bytes only."""

MAX_LINES = 100_000
"""Lines shown as text."""

PROBED = 4096
"""Bytes looked at to tell text from other bytes."""

COLUMNS = (Column("LINE", width=6, align="right"), Column("TEXT", share=1, least=10))


def is_text(start: bytes) -> bool:
    """Return whether bytes that begin so are text: valid UTF-8, hardly a control character."""
    start = start[:PROBED]
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # else a character is cut at the end
            return False
        text = start[: error.start].decode()
    odd = sum(character < " " and character not in "\t\n\r\f\x1b" for character in text)
    return odd * 50 <= len(text)


def text_lines(data: bytes, reveal: bool) -> list[str]:
    """Return the lines of a text, printable, secrets masked; at most `MAX_LINES`."""
    text = masked(_without_wide(data, reveal).decode("utf-8", "surrogateescape"), reveal)
    lines = text.split("\n", MAX_LINES)[:MAX_LINES]
    if lines and not lines[-1]:
        lines.pop()
    return [printable(line.removesuffix("\r").expandtabs(8), reveal=reveal) for line in lines]


def _without_wide(data: bytes, reveal: bool) -> bytes:
    """Return bytes with the secrets in UTF-16 covered: as text they have a NUL between letters."""
    return masked_bytes(data, reveal) if b"\0" in data else data


def text_rows(lines: list[str], width: int) -> list[Row]:
    """Return lines as rows, folded at `width` characters; the first row of each has its number."""
    rows = []
    for number, line in enumerate(lines, 1):
        for index, piece in enumerate(_folded(line, max(width, 10))):
            rows.append(Row((number, index), (str(number) if not index else "", piece)))
    return rows


def _folded(line: str, width: int) -> Iterator[str]:
    for start in range(0, max(len(line), 1), width):
        yield line[start : start + width]
