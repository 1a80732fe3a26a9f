"""No key does nothing: each command of a screen has an action there, in its list or in the app."""

from __future__ import annotations

from typing import Any

import pytest
from textual.screen import Screen

from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.commands import commands_for
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.screens.copy import CopyScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.help import HelpScreen
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.ui.widgets.list_view import ListView

SCREENS: tuple[type[Screen[Any]], ...] = (
    BrowseScreen,
    CheckpointScreen,
    CompareScreen,
    ConvertScreen,
    CopyScreen,
    FormatsScreen,
    ViewScreen,
)


@pytest.mark.parametrize("screen", SCREENS)
def test_every_command_of_a_screen_has_an_action(screen: type[Screen[Any]]) -> None:
    name: str = vars(screen)["name_in_commands"]
    missing = []
    for command in commands_for(name):
        action = command.action.partition("(")[0]
        owners = (CkptApp,) if action.startswith("app.") else (screen, ListView)
        if not any(hasattr(owner, f"action_{action.removeprefix('app.')}") for owner in owners):
            missing.append(command.id)
    assert not missing


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
