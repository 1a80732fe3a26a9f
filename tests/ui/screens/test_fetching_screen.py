"""A checkpoint in a registry: a question before much is fetched, and how much came so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from demo import screen_text
from driving import CheckpointDemo, press, settle
from textual.screen import Screen

from ckpt_tui.ui.screens.chain import ChainScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.pick import ConfirmScreen
from fault_server import FaultServer
from served import legacy


async def test_a_layer_that_comes_as_a_whole_is_asked_for_with_its_size(
    server: FaultServer,
) -> None:
    app = CheckpointDemo(legacy(server, "gzip"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        assert "downloaded" in screen_text(app)
        assert "3.19 MiB" in screen_text(app)
        await press(pilot, "enter")
        await settle(pilot)
        assert isinstance(app.screen, CheckpointScreen)
        assert app.screen.checkpoint is not None
        assert "↓3.23 MiB" in screen_text(app).splitlines()[0]


async def test_who_says_no_is_back_where_they_came_from(server: FaultServer) -> None:
    app = CheckpointDemo(legacy(server, "gzip"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "escape")
        await settle(pilot)
        assert not isinstance(app.screen, CheckpointScreen | ConfirmScreen)
    assert all("Range" in seen.headers for seen in server.seen if "/blobs/" in seen.path)


async def test_the_first_line_counts_on_while_views_fetch(server: FaultServer) -> None:
    app = CheckpointDemo(legacy(server, "plain"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        shown = app.screen
        assert isinstance(shown, CheckpointScreen)
        assert shown.opened is not None
        before = screen_text(app).splitlines()[0]
        assert "KiB fetched" in before
        shown.opened.tree.window("x").read(2 << 20, 500_000)
        shown._show_transferred()
        await settle(pilot)
        after = screen_text(app).splitlines()[0]
        assert "fetched" in after
        assert after != before


def whole(server: FaultServer) -> int:
    """Return how often a blob was asked for as a whole."""
    return sum(
        "/blobs/" in seen.path and seen.method == "GET" and "Range" not in seen.headers
        for seen in server.seen
    )


SCREENS = {
    "convert": ConvertScreen,
    "compare": lambda target: CompareScreen(target, target),
    "chain": lambda target: ChainScreen((target,) * 3),
    "formats": FormatsScreen,
}


@pytest.mark.parametrize("name", SCREENS)
async def test_each_screen_asks_once_before_a_layer_comes_as_a_whole(
    server: FaultServer, name: str
) -> None:
    make: Callable[[str], Screen[Any]] = SCREENS[name]
    app = CheckpointDemo(legacy(server, "plain"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        shown = make(legacy(server, "gzip"))
        app.push_screen(shown)
        await settle(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        assert "3.19 MiB" in screen_text(app)
        assert whole(server) == 0
        await press(pilot, "enter")
        await settle(pilot)
        assert app.screen is shown
        assert whole(server) > 0
        if isinstance(shown, ConvertScreen):  # another plan fetches nothing and asks nothing
            before = whole(server)
            await press(pilot, "k")
            await settle(pilot)
            assert app.screen is shown
            assert whole(server) == before


@pytest.mark.parametrize("name", SCREENS)
async def test_each_screen_is_left_by_who_says_no(server: FaultServer, name: str) -> None:
    make: Callable[[str], Screen[Any]] = SCREENS[name]
    app = CheckpointDemo(legacy(server, "plain"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        below = app.screen
        app.push_screen(make(legacy(server, "gzip")))
        await settle(pilot)
        await press(pilot, "escape")
        await settle(pilot)
        assert app.screen is below
        assert whole(server) == 0
