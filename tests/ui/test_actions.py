"""Help is asked for on a screen, and leads back to it."""

from __future__ import annotations

from typing import Any

from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.help import HelpScreen


async def test_help_shows_the_keys_of_the_screen_it_was_asked_on(tmp_path: Any) -> None:
    app = CkptApp((), tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, BrowseScreen)
