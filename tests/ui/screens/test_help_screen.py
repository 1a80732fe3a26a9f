"""The keys of a screen in words, where not all of them fit."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import screen_text
from driving import press
from textual.containers import VerticalScroll

from ckpt_tui.core.config import Config
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.commands import UNUSABLE
from ckpt_tui.ui.screens.help import HelpScreen
from ckpt_tui.ui.theme import THEMES
from crafted import ARCHIVES

MORE, CLOSES = "↓ more   esc closes", "esc closes"


async def test_it_says_that_there_is_more_below_and_scrolls(tmp_path: Path) -> None:
    app = CkptApp((), tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        panel = app.screen.query_one(VerticalScroll)
        assert panel.border_subtitle == MORE
        await press(pilot, "j", "j", "k")
        assert panel.scroll_y == 1
        await press(pilot, "end")
        assert panel.border_subtitle == CLOSES
        assert screen_text(app).split("\n")[-2].strip() == "+ added  ~ changed  − deleted"
        await pilot.resize_terminal(80, 60)
        await press(pilot, "home")
        assert panel.border_subtitle == CLOSES


@pytest.mark.parametrize("theme", [theme.name for theme in THEMES])
async def test_the_screen_below_stays_in_sight(tmp_path: Path, theme: str) -> None:
    app = CkptApp((), tmp_path, settings=Config(theme=theme))
    async with app.run_test(size=(120, 60)) as pilot:
        await press(pilot, "question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert screen_text(app).startswith(" ckpt-tui")


@pytest.mark.parametrize(("tab", "usable"), [("2", False), ("5", True)])
async def test_what_the_shown_tab_does_not_take_comes_last(tab: str, usable: bool) -> None:
    app = CkptApp((str(ARCHIVES / "counter.tar.zst"),))
    async with app.run_test(size=(80, 60)) as pilot:
        await press(pilot, tab, "question_mark")
        here, _, rest = screen_text(app).partition(UNUSABLE)
        assert ("Go to an address" in here) == usable
        assert ("Go to an address" in rest) != usable
        assert "Show a tab" in here
