"""What a search in memory found, as rows; and a place in memory as a person types it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ckpt_tui.checkpoint.hits import Hit
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.checkpoint.search import Match, Matches
from ckpt_tui.core.masks import BLOT, secret_byte_spans
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, human_count, printable
from ckpt_tui.views.table import Column, Row, row_of

COLUMNS = (
    Column("PID", width=5, align="right"),
    Column("ADDRESS", width=12, align="right"),
    Column("REGION", width=12, shrink="middle", optional=True),
    Column("CONTEXT", share=1, least=20),
)

BEFORE = 12
"""Bytes shown before a match."""

AFTER = 80
"""Bytes shown behind a match's first one."""


def found_row(number: int, match: Match, region: Region | None, reveal: bool) -> Row:
    """Return one match; its context is masked where it looks like a secret."""
    place = printable(region.path.rpartition("/")[2] or region.kind) if region else "?"
    shown = context(match, reveal)
    address = f"{match.address:x}", match.address
    return row_of(("found", number), match.pid, address, place, (shown, shown.plain))


def context(match: Match | Hit, reveal: bool) -> Styled:
    """Return a match with the bytes around it as one line, one character a byte."""
    whole = match.before + match.found + match.after
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in whole)
    for begin, end in () if reveal else secret_byte_spans(whole):
        text = text[:begin] + BLOT * (end - begin) + text[end:]
    start = max(0, len(match.before) - BEFORE)
    line = styled(text[start : len(match.before) + AFTER])
    shown = len(match.before) - start
    return line.with_style("mark", shown, shown + len(match.found))


def found_text(found: Matches) -> str:
    """Return in words how much was found, and what was not searched."""
    words = "no place" if not found.matches else human_count(len(found.matches), "place")
    if found.is_cut:
        words = f"the first {len(found.matches):,} places"
    left_out = f"; {human_count(len(found.problems), 'range')} unreadable" if found.problems else ""
    return f"{words} in {human_bytes(found.searched)}{left_out}"


def region_at(regions: Sequence[Region], address: int) -> Region | None:
    """Return the region that holds an address; `regions` are those of one process, by address."""
    index = bisect_right(regions, address, key=lambda region: region.start) - 1
    found = regions[index] if index >= 0 else None
    return found if found is not None and address < found.end else None


def parse_address(text: str) -> int | None:
    """Return an address as it is written in lists, hexadecimal with or without 0x."""
    try:
        value = int(text.strip().removeprefix("0x"), 16)
    except ValueError:
        return None
    return value if 0 <= value < 1 << 64 else None
