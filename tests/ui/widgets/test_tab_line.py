"""The line of tabs: their names at every width, and the lists of a tab under it."""

from __future__ import annotations

import pytest
from demo import screen_text
from textual.app import ComposeResult
from textual.screen import Screen

from ckpt_tui.ui.panes.table import TABS
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.tab_line import ListLine, TabLine


class Tabbed(Screen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.chosen: list[tuple[str, int]] = []

    def compose(self) -> ComposeResult:
        yield TabLine(TABS)
        yield ListLine()

    def action_show_tab(self, number: int) -> None:
        self.chosen.append(("tab", number))

    def action_show_pane(self, number: int) -> None:
        self.chosen.append(("list", number))


class Tabs(ThemedApp[None]):
    def on_mount(self) -> None:
        self.push_screen(Tabbed())


@pytest.mark.parametrize(
    ("width", "has_keys"), [(80, False), (99, False), (100, True), (200, True)]
)
async def test_all_names_fit_and_keys_where_there_is_room(width: int, has_keys: bool) -> None:
    app = Tabs()
    async with app.run_test(size=(width, 3)) as pilot:
        for number in range(1, len(TABS) + 1):
            app.screen.query_one(TabLine).show(number)
            await pilot.pause()
            words = screen_text(app).split("\n")[0].split()
            assert [word for word in words if not word.isdigit()] == list(TABS)
            assert ("1" in words) is has_keys


@pytest.mark.parametrize("width", [80, 120])
async def test_a_click_on_a_name_chooses_its_tab(width: int) -> None:
    app = Tabs()
    async with app.run_test(size=(width, 3)) as pilot:
        await pilot.pause()
        line = screen_text(app).split("\n")[0]
        for name in TABS:
            await pilot.click(TabLine, offset=(line.index(name), 0))
        screen = app.screen
        assert isinstance(screen, Tabbed)
        assert screen.chosen == [("tab", number) for number in range(1, len(TABS) + 1)]


async def test_the_lists_of_a_tab_are_shown_where_it_has_several() -> None:
    app = Tabs()
    async with app.run_test(size=(80, 3)) as pilot:
        line = app.screen.query_one(ListLine)
        line.show([(3, "Open files"), (4, "Recovered")], 3)
        await pilot.pause()
        shown = screen_text(app).split("\n")[1]
        await pilot.click(ListLine, offset=(shown.index("Recovered"), 0))
        screen = app.screen
        assert isinstance(screen, Tabbed)
        assert screen.chosen == [("list", 4)]
        line.show([(5, "Sockets")], 5)
        assert not line.display
