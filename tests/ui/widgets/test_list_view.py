"""The list that screens and tabs have: its line for filters, search, sort, copy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import pytest
from demo import Demo, screen_text
from driving import press, settle, type_ahead
from textual.pilot import Pilot
from textual.widgets import Input

from ckpt_tui.ui.widgets import list_view
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.views import choice
from ckpt_tui.views.choice import MANY
from ckpt_tui.views.table import Column, LazyRows, Row, row_text

NAMES = ("redis", "nginx", "redis", "cron", "counter")
COLUMNS = (Column("COMMAND"), Column("RSS"), Column("PID"))


def row_of(number: int) -> Row:
    name = NAMES[number % len(NAMES)]
    return Row(number, (f"{name} {number}", f"{number} MiB", f"{number}"), (name, -number, -number))


@asynccontextmanager
async def shown(
    count: int = len(NAMES), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], ListView]]:
    """Show so many rows with a panel beside them."""

    def made() -> ListView:
        view = ListView(COLUMNS, LazyRows(range(count), row_of), **options)
        view.compose_add_child(Facts())
        return view

    async with Demo(made).run_test(size=(80, 24), notifications=True) as pilot:
        view = pilot.app.query_one(ListView)
        view.table.focus()
        await settle(pilot)
        yield pilot, view


def keys(view: ListView) -> list[Any]:
    """Return the keys of the rows as they are shown."""
    rows = view.table.rows
    return [rows[number].key for number in range(len(rows))]


def said(pilot: Pilot[Any]) -> str:
    return "\n".join(str(note.message) for note in pilot.app._notifications)


async def test_a_word_sent_with_the_filter_key_is_typed_into_the_line() -> None:
    async with shown() as (pilot, view):
        await type_ahead(pilot, "fcoun")
        assert view.bar.text == "coun"
        assert keys(view) == [4]
        assert view.choice.column is None, "s and other keys of the list are letters here"


async def test_the_filter_key_is_a_letter_while_a_line_is_typed() -> None:
    async with shown() as (pilot, view):
        await type_ahead(pilot, "ff/")
        assert view.bar.text == "f/"


async def test_the_filter_key_works_in_the_panel_beside_the_rows() -> None:
    async with shown() as (pilot, view):
        pilot.app.query_one(Facts).focus()
        await settle(pilot)
        await type_ahead(pilot, "fcron")
        assert keys(view) == [3]
        await press(pilot, "enter")
        assert isinstance(pilot.app.focused, Facts)


async def test_a_word_sent_with_the_search_key_is_asked_for() -> None:
    async with shown() as (pilot, view):
        await type_ahead(pilot, "/cron")
        line = pilot.app.focused
        assert isinstance(line, Input)
        assert line.value == "cron"
        await press(pilot, "enter")
        assert view.table.cursor == 3


async def test_a_filter_says_how_many_are_left_and_ends_with_its_line() -> None:
    async with shown() as (pilot, view):
        await press(pilot, "f", *"redis")
        assert keys(view) == [0, 2]
        assert "2 of 5" in screen_text(pilot.app)
        assert view.back()
        await settle(pilot)
        assert keys(view) == [0, 1, 2, 3, 4]
        assert not view.back()


async def test_what_no_row_has_is_said() -> None:
    async with shown(empty="No processes") as (pilot, view):
        await press(pilot, "f", *"redis", "x")
        assert "No row has all of these words" in screen_text(pilot.app)
        view.show(LazyRows(range(0), row_of))
        await settle(pilot)
        assert "No processes" in screen_text(pilot.app)


async def test_other_rows_are_filtered_and_sorted_as_those_before() -> None:
    async with shown() as (pilot, view):
        await press(pilot, "s", "s", "f", *"redis")
        view.show(LazyRows(range(10), row_of))
        assert keys(view) == [7, 5, 2, 0]


async def test_search_goes_round_in_both_directions() -> None:
    async with shown() as (pilot, view):
        await press(pilot, "n")
        assert "Nothing to search for yet" in said(pilot)
        await press(pilot, "slash", "text:redis", "enter")
        assert view.table.cursor == 2
        await press(pilot, "n")
        assert view.table.cursor == 0
        await press(pilot, "N")
        assert view.table.cursor == 2
        await press(pilot, "slash", "text:sshd", "enter")
        assert view.table.cursor == 2
        assert "No row has all of these words." in said(pilot)


async def test_sorting_goes_through_the_columns_and_turns_round() -> None:
    async with shown() as (pilot, view):
        await press(pilot, "s")
        assert keys(view) == [4, 3, 1, 0, 2]
        await press(pilot, "s")
        assert keys(view) == [4, 3, 2, 1, 0]
        await press(pilot, "S")
        assert keys(view) == [0, 1, 2, 3, 4]
        await press(pilot, "s", "s")
        assert view.choice.column == 0
        await pilot.click("#rows", offset=(1, 0))
        assert keys(view) == [0, 2, 1, 3, 4]


async def test_a_row_that_a_filter_hides_is_shown_when_gone_to() -> None:
    async with shown() as (pilot, view):
        await press(pilot, "s", "f", *"redis")
        assert view.go_to(3)
        await settle(pilot)
        assert keys(view) == [4, 3, 1, 0, 2]
        assert view.current_key == 3
        assert not view.bar.is_open
        assert view.go_to(1), "a row that is shown"
        assert not view.go_to(7)


async def test_problems_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async with shown(is_problem=lambda row: row.key in (1, 3)) as (pilot, view):
        await press(pilot, "z")
        assert keys(view) == [1, 3]
        view.show(LazyRows(range(1), row_of))
        await settle(pilot)
        assert "No problem here" in screen_text(pilot.app)


@pytest.mark.parametrize(("key", "sent"), [("y", "0 MiB"), ("Y", "redis 0\t0 MiB\t0")])
async def test_copying_a_value_and_a_row(key: str, sent: str) -> None:
    async with shown(copied=lambda row: str(row.cells[1])) as (pilot, _):
        await press(pilot, key)
        assert pilot.app.clipboard == sent


async def test_what_a_list_is_without_is_not_done() -> None:
    async with shown(without=("copy", "sort", "reverse")) as (pilot, view):
        await press(pilot, "y", "s", "S", "z")
        await pilot.click("#rows", offset=(1, 0))
        assert pilot.app.clipboard == ""
        assert view.choice == choice.Choice()


async def test_a_long_list_is_filtered_and_searched_in_a_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count, allowed, seen = 4 * MANY, Event(), []

    def slow(row: Row) -> str:
        seen.append(row.key)
        if len(seen) == 3 * MANY:
            allowed.wait(30)
        return row_text(row)

    monkeypatch.setattr(choice, "row_text", slow)
    monkeypatch.setattr(list_view, "FOUND_S", 0.02)
    async with shown(count) as (pilot, view):
        await pilot.press("f", "c")
        while "so far" not in screen_text(pilot.app):
            await pilot.pause(0.02)
        assert view.job_running
        allowed.set()
        await settle(pilot)
        assert len(keys(view)) == 2 * count // 5
        assert f"{2 * count // 5:,} of {count:,}" in screen_text(pilot.app)
        view.bar.close()
        await press(pilot, "slash", f"text:{count - 1}", "enter")
        assert view.table.cursor == count - 1


async def test_going_back_stops_the_job_first(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = Event()

    def slow(row: Row) -> str:
        allowed.wait(30)
        return row_text(row)

    monkeypatch.setattr(choice, "row_text", slow)
    async with shown(4 * MANY) as (pilot, view):
        await pilot.press("f", "c")
        await pilot.pause()
        assert view.back()
        assert not view.job_running
        assert view.bar.text == "c"
        allowed.set()
        await settle(pilot)
        assert view.back()
        assert not view.bar.is_open
