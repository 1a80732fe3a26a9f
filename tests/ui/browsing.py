"""The browser in tests: its lines, its card, and going to a line."""

from __future__ import annotations

from typing import Any

from demo import screen_text
from driving import press
from textual.app import App

from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.widgets.facts import Facts


def browser(app: App[Any]) -> BrowseScreen:
    """Return the browser, which must be what is shown."""
    assert isinstance(app.screen, BrowseScreen)
    return app.screen


def labels(app: App[Any]) -> list[str]:
    """Return the labels of all lines."""
    return [line.entry.name for _, line in browser(app).places.shown]


def card(app: App[Any], width: int = 80) -> str:
    """Return the text of the card of what is under the cursor, in lines of so many cells."""
    lines = browser(app).query_one(Facts)._text.lines(width)
    return "\n".join(line.plain for line in lines)


def line_of(app: App[Any], name: str) -> str:
    """Return the first line of the screen that has a word."""
    return next(line for line in screen_text(app).split("\n") if name in line)


async def go_to(pilot: Any, label: str, *keys: str) -> None:
    """Put the cursor on a line, wait until it was looked into, and press some keys."""
    await press(pilot)
    screen = browser(pilot.app)
    line = next(line for _, line in screen.places.shown if line.entry.name == label)
    assert screen.branches.table.go_to(line.key)
    await press(pilot, *keys)
