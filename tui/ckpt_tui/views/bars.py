"""Sizes as lengths: bars of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes
from ckpt_tui.views.meanings import sign

_EIGHTHS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")


@dataclass(frozen=True, slots=True)
class BarPart:
    """One bar, or one share of a stacked bar."""

    label: str
    """Printable."""
    amount: int
    """Bytes."""
    meaning: str
    """Name of the meaning whose colour it has."""
    note: str = ""
    """Shown after the number, printable."""


def bar(value: int | float, scale: int | float, width: int) -> str:
    """Return a bar of `value` where `scale` fills `width` cells; padded to `width`.

    Anything above zero shows at least an eighth of a cell.
    """
    if value <= 0 or scale <= 0 or width <= 0:
        return " " * max(0, width)
    eighths = max(1, min(width * 8, round(value * width * 8 / scale)))
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).ljust(width)


def progress(done: int, total: int, width: int) -> Styled:
    """Return a thin line of `width` cells, the part that is done in the accent's colour."""
    halves = max(0, min(2 * width, 2 * width * done // max(1, total)))
    full = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return styled((full, "heading"), ("─" * (width - len(full)), "base"))


def shares(amounts: Sequence[int], width: int) -> list[int]:
    """Divide `width` cells by `amounts`: the sum is `width`, what is not zero has a cell.

    The largest gives up cells to those that would have none; all zero means no cells at all.
    """
    total = sum(amounts)
    if total <= 0 or width <= 0:
        return [0] * len(amounts)
    exact = [amount * width / total for amount in amounts]
    cells = [max(int(share), 1 if share else 0) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: int(exact[i]) - exact[i])
    for i in by_remainder:
        if sum(cells) < width and exact[i] >= 1:
            cells[i] += 1
    while sum(cells) > width:
        cells[max(range(len(cells)), key=cells.__getitem__)] -= 1
    cells[max(range(len(cells)), key=exact.__getitem__)] += width - sum(cells)
    return cells


def stacked(parts: Sequence[BarPart], width: int) -> Styled:
    """Return one bar of `width` cells in which each part has its share."""
    line = Styled()
    for part, cells in zip(parts, shares([p.amount for p in parts], width), strict=True):
        line += ("█" * cells, part.meaning)
    return line


def legend(parts: Sequence[BarPart], width: int) -> list[Styled]:
    """Return lines, `width` cells at most, that name the parts of a stacked bar in its order."""
    lines = [Styled()]
    for part in parts:
        entry = styled(
            (sign(part.meaning), part.meaning),
            f" {part.label} ",
            (human_bytes(part.amount), "strong"),
        )
        if lines[-1] and lines[-1].width + 3 + entry.width > width:
            lines.append(Styled())
        if lines[-1]:
            lines[-1] += "   "
        lines[-1] += entry
    return lines
