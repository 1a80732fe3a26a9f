"""The line of tabs: every key is there, and the name of the tab that is shown."""

from __future__ import annotations

import pytest
from demo import screen_text
from textual.app import ComposeResult
from textual.screen import Screen

from ckpt_tui.ui.panes.table import PANES
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.tab_line import TabLine

KEYS = "1234567890-="


class Tabbed(Screen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield TabLine([(pane.name, pane.short) for pane in PANES])

    def action_show_tab(self, number: int) -> None:
        self.chosen.append(number)


class Tabs(ThemedApp[None]):
    def on_mount(self) -> None:
        self.push_screen(Tabbed())


@pytest.mark.parametrize("width", [45, 60, 79, 80, 120, 200])
async def test_the_keys_of_all_tabs_fit_and_the_shown_one_has_its_name(width: int) -> None:
    app = Tabs()
    async with app.run_test(size=(width, 3)) as pilot:
        await pilot.pause()
        for number, pane in enumerate(PANES, 1):
            app.screen.query_one(TabLine).show(number)
            await pilot.pause()
            line = screen_text(app).split("\n")[0]
            words = line.split()
            assert [word for word in words if word in KEYS] == list(KEYS)
            assert words[words.index(KEYS[number - 1]) + 1] in (pane.name, pane.short)


@pytest.mark.parametrize("width", [45, 60, 120])
async def test_a_click_on_a_key_chooses_its_tab(width: int) -> None:
    app = Tabs()
    async with app.run_test(size=(width, 3)) as pilot:
        await pilot.pause()
        line = screen_text(app).split("\n")[0]
        for key in KEYS:
            await pilot.click(TabLine, offset=(line.index(key), 0))
        screen = app.screen
        assert isinstance(screen, Tabbed)
        assert screen.chosen == list(range(1, len(PANES) + 1))
