"""The line for filters."""

from __future__ import annotations

from typing import Any

from demo import Demo, screen_text
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.table import Column, ListRows, Row


def list_with_bar() -> Widget:
    rows = ListRows([Row(n, (f"worker {n}",)) for n in range(40)])
    return Vertical(SearchBar(), VirtualTable((Column("COMMAND"),), rows))


def texts(messages: list[Message]) -> list[str]:
    """What was announced, once each although a message bubbles."""
    changes = [m for m in messages if isinstance(m, SearchBar.FilterChanged)]
    return list(dict.fromkeys(m.text for m in changes))


async def test_typing_announces_the_filter_and_enter_goes_back() -> None:
    messages: list[Message] = []
    app = Demo(list_with_bar)
    async with app.run_test(size=(80, 24), message_hook=messages.append) as pilot:
        table, bar = app.query_one(VirtualTable), app.query_one(SearchBar)
        table.focus()
        await pilot.pause()
        assert not bar.display
        bar.open()
        await pilot.press("a", "j", "enter")
        await pilot.pause()
        assert texts(messages) == ["a", "aj"]
        assert table.has_focus
        assert bar.is_open
        assert bar.text == "aj"


async def test_escape_empties_and_then_closes() -> None:
    messages: list[Message] = []
    app = Demo(list_with_bar)
    async with app.run_test(size=(80, 24), message_hook=messages.append) as pilot:
        table, bar = app.query_one(VirtualTable), app.query_one(SearchBar)
        table.focus()
        await pilot.pause()
        bar.open("search")
        await pilot.press("x", "escape")
        await pilot.pause()
        assert bar.is_open
        assert texts(messages) == ["x", ""]
        await pilot.press("escape")
        await pilot.pause()
        assert not bar.display
        assert table.has_focus


async def test_the_count_stands_beside_the_words() -> None:
    app = Demo(list_with_bar)
    async with app.run_test(size=(80, 24)) as pilot:
        bar = app.query_one(SearchBar)
        bar.open()
        await pilot.press("w")
        bar.show_count("312 of 104,220")
        await pilot.pause()
        first = screen_text(app).split("\n")[0]
        assert first.strip().startswith("filter w")
        assert first.rstrip().endswith("312 of 104,220")


async def _typed(pilot: Any) -> None:
    pilot.app.query_one(SearchBar).open()
    await pilot.press("w", "o", "r")
    pilot.app.query_one(SearchBar).show_count("40 of 104,220")
    await pilot.pause()


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(Demo(list_with_bar), terminal_size=(80, 24), run_before=_typed)


def test_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(Demo(list_with_bar), terminal_size=(120, 40), run_before=_typed)
