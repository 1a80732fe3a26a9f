"""The screen of two checkpoints: marked in the browser, compared, looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.rows.compare import Line
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable


async def comparing(pilot: Any, *targets: Path) -> CkptApp:
    """Compare two targets on the screen, and wait for the result."""
    app: CkptApp = pilot.app
    app.push_screen(CompareScreen(*map(str, targets)))
    await settle(app, pilot)
    return app


def found(app: CkptApp) -> list[Line]:
    screen = app.screen
    assert isinstance(screen, CompareScreen)
    return screen._lines


async def go_to(app: CkptApp, pilot: Any, number: int) -> None:
    app.screen.query_one(VirtualTable).cursor = number
    await settle(app, pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_differences_and_memory_are_shown(data: Path, size: tuple[int, int]) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=size) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        text = screen_text(app)
        assert "cri-crio.tar  ↔  cri-podman.tar" in text
        assert "processes: 2 changed" in text
        assert "▇ changed" in text


async def test_enter_on_a_region_shows_the_changed_bytes_of_both(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        number = next(i for i, ln in enumerate(found(app)) if ln.region and ln.region.places)
        region = found(app)[number].region
        assert region is not None
        await go_to(app, pilot, number)
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen.has_class("-hex")
        assert [v.place for v in app.screen.query(HexView)] == [region.places[0][0]] * 2
        await pilot.press("n")
        more = len(region.places) > 1
        assert app.screen.query_one("#after", HexView).place == region.places[more][0]
        await pilot.press("escape")
        assert not app.screen.has_class("-hex")


async def test_enter_on_a_file_opens_it_in_its_checkpoint(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        lines = found(app)
        number = next(i for i, ln in enumerate(lines) if ln.change and ln.change.area == "delta")
        await go_to(app, pilot, number)
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, CheckpointScreen)
        assert "6 Filesystem" in screen_text(app)


async def test_a_filter_keeps_lines_with_its_words(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        await pilot.press("f", *"hostname")
        await settle(app, pilot)
        rows = app.screen.query_one(VirtualTable).rows
        assert 0 < len(rows) < len(found(app))
        await pilot.press("escape", "escape")
        await settle(app, pilot)
        assert len(app.screen.query_one(VirtualTable).rows) == len(found(app))


async def test_what_is_no_checkpoint_is_said(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(80, 24)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "base-bb.oci.tar")
        assert "holds no checkpoint" in screen_text(app)
        await pilot.press("q")
        await settle(app, pilot)
        assert isinstance(app.screen, BrowseScreen)


async def test_space_marks_two_in_the_browser(data: Path) -> None:
    app = CkptApp((), data / "archives", "archives")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("down", "down", "space")
        await settle(app, pilot)
        assert "●" in screen_text(app)
        await pilot.press("down", "space")
        await settle(app, pilot)
        assert isinstance(app.screen, CompareScreen)
