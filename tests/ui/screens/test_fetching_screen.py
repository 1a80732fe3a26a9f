"""A checkpoint in a registry: a question before much is fetched, and how much came so far."""

from __future__ import annotations

from demo import screen_text
from driving import CheckpointDemo, press, settle

from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
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
        assert "fetched" in screen_text(app)
        assert "3.22 MiB" in screen_text(app)
        await press(pilot, "enter")
        await settle(pilot)
        assert isinstance(app.screen, CheckpointScreen)
        assert app.screen.checkpoint is not None
        assert "↓3.25 MiB" in screen_text(app).splitlines()[0]


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
