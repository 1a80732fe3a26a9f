"""Bars: exact widths, one scale, nothing above zero is invisible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.views.bars import BarPart, bar, legend, progress, shares, stacked

PARTS = (
    BarPart("pages", 140 << 10, "pages"),
    BarPart("metadata", 46 << 10, "metadata"),
    BarPart("delta", 3 << 10, "delta", note="16 added"),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "    "),
        (1, "▏   "),
        (25, "█   "),
        (50, "██  "),
        (53, "██▏ "),
        (100, "████"),
        (999, "████"),
    ],
)
def test_a_bar_has_eighths(value: int, expected: str) -> None:
    assert bar(value, 100, 4) == expected


def test_a_bar_without_scale_or_width_is_empty() -> None:
    assert bar(5, 0, 3) == "   "
    assert bar(5, 5, 0) == ""


@given(st.lists(st.integers(0, 1 << 60), max_size=8), st.integers(8, 120))
def test_shares_fill_the_bar_and_hide_nothing(amounts: list[int], width: int) -> None:
    cells = shares(amounts, width)
    assert sum(cells) == (width if any(amounts) else 0)
    assert all((amount > 0) == (cell > 0) for amount, cell in zip(amounts, cells, strict=True))


def test_shares_do_not_fail_when_there_are_more_parts_than_cells() -> None:
    assert sum(shares([1] * 10, 4)) == 4


def test_a_stacked_bar_colours_each_part() -> None:
    line = stacked(PARTS, 40)
    assert line.plain == "█" * 40
    assert [style for _, style in line.runs] == ["pages", "metadata", "delta"]


def test_a_legend_wraps_between_entries() -> None:
    lines = [line.plain for line in legend(PARTS, 40)]
    assert lines == ["▇ pages 140 KiB   ▇ metadata 46.0 KiB", "▇ delta 3.00 KiB"]


def test_no_parts_are_no_lines() -> None:
    assert stacked((), 40).plain == ""


@pytest.mark.parametrize(
    ("done", "expected"),
    [(0, "────"), (1, "╸───"), (2, "━───"), (4, "━━──"), (8, "━━━━"), (99, "━━━━"), (-1, "────")],
)
def test_progress_has_half_steps_and_never_more_than_all(done: int, expected: str) -> None:
    assert progress(done, 8, 4).plain == expected


def test_progress_of_nothing_is_no_error() -> None:
    assert progress(0, 0, 3).plain == "───"
