"""Words sent in one piece with the key that asks for them reach the line, not the screen below."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from driving import settle, shown, type_ahead
from textual.screen import Screen
from textual.widgets import Input

from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.log import LogScreen, log_file
from crafted import ARCHIVES, DATA

LOG = DATA / "failed" / "file-size" / "restore.log"
SCREENS: dict[str, Callable[[], Screen[Any]]] = {
    "compare": lambda: CompareScreen(
        str(ARCHIVES / "cri-crio.tar"), str(ARCHIVES / "cri-podman.tar")
    ),
    "log": lambda: LogScreen("restore.log", log_file(str(LOG))),
}


@pytest.mark.parametrize("resized", [False, True])
@pytest.mark.parametrize("key", ["f", "/"])
@pytest.mark.parametrize("name", SCREENS)
async def test_a_word_reaches_the_line(name: str, key: str, resized: bool) -> None:
    app = CkptApp((), DATA / "failed")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = SCREENS[name]()
        app.push_screen(screen)
        await settle(pilot)
        if resized:
            await pilot.resize_terminal(80, 24)
        await type_ahead(pilot, f"{key}faqucount")
        line = app.focused
        assert isinstance(line, Input)
        assert line.value == "faqucount"
        assert screen in app.screen_stack


@pytest.mark.parametrize("resized", [False, True])
@pytest.mark.parametrize("tab", ["2", "3", "5", "6", "7", "8"])
async def test_a_word_reaches_the_filter_of_a_tab(tab: str, resized: bool) -> None:
    async with shown(ARCHIVES / "cri-crio.tar", tab, size=(120, 40)) as pilot:
        if resized:
            await pilot.resize_terminal(80, 24)
        await type_ahead(pilot, "fcount")
        line = pilot.app.focused
        assert isinstance(line, Input)
        assert line.value == "count"
        assert isinstance(pilot.app.screen, CheckpointScreen)


@pytest.mark.parametrize("key", ["f", "/"])
async def test_a_word_reaches_the_filter_of_the_browser(key: str) -> None:
    app = CkptApp((), DATA / "failed")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await type_ahead(pilot, f"{key}xcfount/")
        line = app.focused
        assert isinstance(line, Input)
        assert line.value == "xcfount/"
        assert isinstance(app.screen, BrowseScreen)
