"""Filtered, sorted and searched rows that are made only when looked at."""

from __future__ import annotations

import pytest

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.views.choice import Choice, ChosenRows, find_row
from ckpt_tui.views.table import LazyRows, Row, RowSource


def row_of(number: int) -> Row:
    return Row(
        ("n", number), (f"row {number}",), (-number,), meaning="fails" if number == 7 else ""
    )


def number_of(key: object) -> int | None:
    return key[1] if isinstance(key, tuple) else None


SOURCE = LazyRows(range(100), row_of, number_of)


def is_problem(row: Row) -> bool:
    return row.meaning == "fails"


def keys(choice: Choice) -> list[object]:
    rows = choice.rows(SOURCE, is_problem, quiet())
    return [rows[n].key[1] for n in range(len(rows))]  # type: ignore[index]


def test_nothing_chosen_is_the_source_itself() -> None:
    assert Choice().rows(SOURCE, is_problem, quiet()) is SOURCE


def test_filter_and_sort_work_together() -> None:
    assert keys(Choice("9 row")) == [9, 19, 29, 39, 49, 59, 69, 79, *range(89, 100)]
    assert keys(Choice("row 9", column=0))[0] == 99
    assert keys(Choice("row 9", column=0, descending=True))[0] == 9


def test_problems_only() -> None:
    assert keys(Choice(problems_only=True)) == [7]
    assert keys(Choice("row 8", problems_only=True)) == []


def test_a_key_is_found_where_it_is_shown() -> None:
    rows = Choice("row 9").rows(SOURCE, is_problem, quiet())
    assert rows.index_of(("n", 29)) == 2
    assert rows.index_of(("n", 5)) is None
    assert rows.index_of("foreign") is None


def test_only_rows_in_view_are_made() -> None:
    made = []

    def counted(number: int) -> Row:
        made.append(number)
        return row_of(number)

    rows = ChosenRows(LazyRows(range(1_000_000), counted), range(999_999, -1, -1))
    assert rows[3].key == ("n", 999_996)
    assert made == [999_996]


def test_what_a_filter_finds_is_seen_meanwhile() -> None:
    growing: list[RowSource] = []
    counts = []

    def counted(number: int) -> Row:
        counts.append(len(growing[0]))
        return row_of(number)

    source = LazyRows(range(100), counted, number_of)
    rows = Choice("row 9").rows(source, is_problem, quiet(), growing.append)
    assert (counts[0], counts[9], counts[10], counts[91]) == (0, 0, 1, 10)
    assert len(growing[0]) == len(rows) == 19
    assert growing[0][1].key == ("n", 19)
    Choice("row 9", column=0).rows(SOURCE, is_problem, quiet(), growing.append)
    Choice(column=0).rows(SOURCE, is_problem, quiet(), growing.append)
    assert len(growing) == 1


def test_choosing_can_be_cancelled() -> None:
    with pytest.raises(Cancelled):
        Choice("x").rows(SOURCE, is_problem, Progress(cancelled=lambda: True))


def test_a_search_goes_round_in_both_directions() -> None:
    assert find_row(SOURCE, "row 5", 0, 1, quiet()) == 5
    assert find_row(SOURCE, "row 5", 5, 1, quiet()) == 15
    assert find_row(SOURCE, "row 5", 5, -1, quiet()) == 95
    assert find_row(SOURCE, "row 55", 60, 1, quiet()) == 55
    assert find_row(SOURCE, "none", 0, 1, quiet()) is None
    assert find_row(LazyRows(range(0), row_of), "x", 0, 1, quiet()) is None


@pytest.mark.parametrize("descending", [False, True])
def test_many_rows_are_sorted_as_few_are(descending: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = [None if n % 10 == 3 else n * 7919 % 31 for n in range(200)]
    source = LazyRows(range(200), lambda n: Row(n, ("",), (values[n],)))
    chosen = Choice(column=0, descending=descending)
    few = chosen.rows(source, is_problem, quiet())
    monkeypatch.setattr("ckpt_tui.views.choice.RUN", 16)
    many = chosen.rows(source, is_problem, quiet())
    assert [many[n].key for n in range(200)] == [few[n].key for n in range(200)]
