"""Filtering, sorting and fitting of rows, without a screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.styled import Styled, cell_len, styled
from ckpt_tui.views.choice import Choice
from ckpt_tui.views.table import (
    GAP,
    Column,
    LazyRows,
    ListRows,
    Row,
    column_widths,
    fit,
    plain,
)

ROWS = [
    Row("a", ("python3", "96 MiB"), ("python3", 96 << 20)),
    Row("b", (styled(("sh -c Web", "good")), "1 MiB"), ("sh", 1 << 20)),
    Row("c", ("zombie", "–"), ("zombie", None)),
]


def chosen(rows: list[Row], choice: Choice) -> list[Row]:
    found = choice.rows(ListRows(rows), lambda _: False, quiet())
    return [found[number] for number in range(len(found))]


def filter_rows(rows: list[Row], needle: str) -> list[Row]:
    return chosen(rows, Choice(needle))


def sort_rows(rows: list[Row], column: int, descending: bool = False) -> list[Row]:
    return chosen(rows, Choice(column=column, descending=descending))


def keys(rows: list[Row]) -> str:
    return "".join(str(row.key) for row in rows)


@pytest.mark.parametrize(
    ("needle", "expected"),
    [
        ("", "abc"),
        ("  ", "abc"),
        ("PY", ""),
        ("py", "a"),
        ("web sh", "b"),
        ("Web", "b"),
        ("mib", "ab"),
        ("sh 96", ""),
    ],
)
def test_filter_wants_every_word_and_capitals_make_it_exact(needle: str, expected: str) -> None:
    assert keys(filter_rows(ROWS, needle)) == expected


def test_a_word_is_not_found_across_two_cells() -> None:
    assert filter_rows([Row(1, ("ab", "cd"))], "bc") == []


def test_sorting_uses_values_and_puts_missing_ones_last_both_ways() -> None:
    assert keys(sort_rows(ROWS, 1)) == "bac"
    assert keys(sort_rows(ROWS, 1, descending=True)) == "abc"


def test_sorting_without_values_ignores_case() -> None:
    rows = [Row(name, (name,)) for name in ("b", "A", "C", "a")]
    assert keys(sort_rows(rows, 0)) == "AabC"


def test_sorting_survives_numbers_beside_words() -> None:
    rows = [Row(1, ("",), ("word",)), Row(2, ("",), (3,)), Row(3, ("",), (None,))]
    assert keys(sort_rows(rows, 0)) == "213"


def test_lazy_rows_are_made_only_when_seen() -> None:
    made = []

    def row_of(key: int) -> Row:
        made.append(key)
        return Row(key, (str(key),))

    rows = LazyRows(range(50_000_000), row_of)
    assert rows[49_999_999].cells == ("49999999",)
    assert rows.index_of(12_345_678) == 12_345_678
    assert rows.index_of("foreign") is None
    assert made == [49_999_999]


def test_list_rows_find_a_key() -> None:
    assert ListRows(ROWS).index_of("c") == 2
    assert ListRows(ROWS).index_of("d") is None


COLUMNS = (
    Column("PID", width=5),
    Column("COMMAND", share=2),
    Column("MEMORY", width=10, optional=True),
    Column("NOTE", share=1, optional=True),
)


def test_columns_fill_what_is_there() -> None:
    widths = column_widths(COLUMNS, 78)
    assert widths[0] == 5
    assert widths[2] == 10
    assert sum(widths) + 3 * GAP == 78
    assert widths[1] in (2 * widths[3], 2 * widths[3] - 1, 2 * widths[3] + 1)


def test_optional_columns_go_the_last_one_first() -> None:
    assert column_widths(COLUMNS, 34)[3] == 0
    assert column_widths(COLUMNS, 34)[2] == 10
    assert column_widths(COLUMNS, 20)[2:] == (0, 0)


@given(st.integers(0, 200))
def test_columns_never_need_more_than_there_is(available: int) -> None:
    widths = column_widths(COLUMNS, available)
    shown = [width for width in widths if width]
    assert sum(widths) + GAP * max(0, len(shown) - 1) <= max(available, 0)


@pytest.mark.parametrize(
    ("cell", "width", "align", "shrink", "expected"),
    [
        ("abc", 5, "left", "end", "abc  "),
        ("abc", 5, "right", "end", "  abc"),
        ("abcdef", 4, "left", "end", "abc…"),
        ("/usr/lib/libc.so.6", 10, "left", "middle", "/usr/…so.6"),
        ("日本語", 5, "left", "end", "日本…"),
        ("日本語", 4, "left", "end", "日… "),
        ("abc", 0, "left", "end", ""),
    ],
)
def test_cells_fit_exactly(cell: str, width: int, align: str, shrink: str, expected: str) -> None:
    fitted = plain(fit(cell, width, align, shrink))
    assert fitted == expected
    assert cell_len(fitted) == width


@given(st.text(), st.integers(1, 30), st.sampled_from(["end", "middle"]), st.booleans())
def test_any_text_fits_any_width(text: str, width: int, shrink: str, in_runs: bool) -> None:
    cell = styled(text) if in_runs else text
    assert cell_len(plain(fit(cell, width, shrink=shrink))) == width


def test_a_cut_keeps_the_styles_on_both_sides() -> None:
    cell = styled(("head", "good"), "-" * 40, ("tail", "fails"))
    fitted = fit(cell, 11, shrink="middle")
    assert isinstance(fitted, Styled)
    assert {style for _, style in fitted.runs if style} == {"good", "fails"}


def test_a_megabyte_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def counted(text: str) -> int:
        measured.append(len(text))
        return cell_len(text)

    monkeypatch.setattr("ckpt_tui.views.table.cell_len", counted)
    fit("x" * (1 << 20), 40, shrink="middle")
    assert max(measured) <= 160
