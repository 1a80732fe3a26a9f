"""The tab Sizes: a treemap to go down in, another way to divide, pages counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle
from textual.widgets import Input, Static

from ckpt_tui.demo import demo_folder
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.panes.sizes import SizesPane
from ckpt_tui.ui.widgets.treemap import Treemap


async def sizes(app: CkptApp, pilot: Any, *keys: str) -> str:
    await settle(app, pilot)
    for key in ("9", *keys):
        await pilot.press(key)
        await settle(app, pilot)
    return screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_components_are_tiles_and_rows(data: Path, size: tuple[int, int]) -> None:
    app = CkptApp([str(data / "archives/cri-crio.tar")])
    async with app.run_test(size=size) as pilot:
        text = await sizes(app, pilot)
        assert "┏pages" in text, "the largest is under the cursor, on its edge"
        for name in ("pages", "delta", "images", "metadata"):
            assert name in text


async def test_enter_goes_down_to_the_region_and_escape_comes_back(data: Path) -> None:
    app = CkptApp([str(data / "archives/counter.tar.zst")])
    async with app.run_test(size=(120, 40)) as pilot:
        assert "by component › pages" in await sizes(app, pilot, "enter")
        about = app.screen.query_one("#about", Static)
        assert "1 sh" in str(about.content), "of what is under the cursor now"
        await pilot.press("enter", "enter")
        await settle(app, pilot)
        deepest = screen_text(app)
        assert deepest.count("›") >= 3
        await pilot.press("enter")
        await settle(app, pilot)
        assert "ADDRESS" in screen_text(app), "a region leads to the tab Memory"
        await pilot.press("escape", "escape", "escape", "escape")
        await settle(app, pilot)
        assert "by component   b: by" in screen_text(app)


async def test_arrows_move_in_the_picture_and_the_list_follows(data: Path) -> None:
    app = CkptApp([str(data / "archives/cri-crio.tar")])
    async with app.run_test(size=(120, 40)) as pilot:
        await sizes(app, pilot)
        treemap = app.screen.query_one(Treemap)
        await pilot.press("right")
        await settle(app, pilot)
        assert treemap.index > 0
        node = app.screen.query_one(SizesPane).node
        assert node is not None
        assert node.name == treemap.parts[treemap.index].label


async def test_a_click_chooses_and_a_second_one_goes_in(data: Path) -> None:
    app = CkptApp([str(data / "archives/cri-crio.tar")])
    async with app.run_test(size=(120, 40)) as pilot:
        await sizes(app, pilot)
        await pilot.click(Treemap, offset=(3, 3))
        await settle(app, pilot)
        assert "by component › pages" in screen_text(app)


async def test_b_divides_another_way(data: Path) -> None:
    app = CkptApp([str(data / "archives/counter.tar.zst")])
    async with app.run_test(size=(80, 24)) as pilot:
        assert "by kind of memory" in await sizes(app, pilot, "b")
        await pilot.press("b", "b")
        await settle(app, pilot)
        assert " by component" in screen_text(app)


async def test_p_counts_what_the_pages_hold(data: Path) -> None:
    app = CkptApp([str(data / "archives/counter.tar.zst")])
    async with app.run_test(size=(80, 24)) as pilot:
        before = await sizes(app, pilot)
        assert "p counts zero and equal" in before
        await pilot.press("p")
        await settle(app, pilot)
        assert "▇ unique" in screen_text(app)
        assert "▇ duplicate" in screen_text(app)


async def test_pages_of_another_checkpoint_are_counted(data: Path) -> None:
    archives = data / "archives"
    app = CkptApp([str(archives / "cri-crio.tar")])
    async with app.run_test(size=(120, 40)) as pilot:
        await sizes(app, pilot, "P")
        line = app.focused
        assert isinstance(line, Input)
        line.value = str(archives / "cri-podman.tar")
        await pilot.press("enter")
        await settle(app, pilot)
        assert "▇ in the other checkpoint" in screen_text(app)


async def test_the_layers_of_the_root_filesystem_are_read_when_asked_for() -> None:
    with demo_folder() as folder:
        app = CkptApp([str(folder / "counter.tar.zst")])
        async with app.run_test(size=(120, 40)) as pilot:
            text = await sizes(app, pilot, "b", "b", "b")
            assert "by layer of the root filesystem" in text
            assert "1. base 8930be18e784" in text, "found beside the archive"
            await pilot.press("enter")
            await settle(app, pilot)
            pane = app.screen.query_one(SizesPane)
            details = {node.name: node.detail for node in pane._inside}
            assert "bin/" in details
            await pilot.press("escape", "tab", "down")
            await settle(app, pilot)
            assert "added" in screen_text(app), "what the container did is told in full"


async def test_a_base_image_that_is_not_here_is_asked_for(data: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.tar.zst"
    alone.write_bytes((data / "archives/counter.tar.zst").read_bytes())
    app = CkptApp([str(alone)])
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await sizes(app, pilot, "b", "b", "b")
        said = "\n".join(str(n.message) for n in app._notifications)
        assert "--base IMAGE" in said
        app.clear_notifications()
        await settle(app, pilot)
        shown = " ".join(screen_text(app).split())
        assert "is not here" in shown, "in place, when the message has gone"
        assert "--base" in shown
        assert "No bytes" not in shown
        await pilot.press("b")
        await settle(app, pilot)
        assert " by component" in screen_text(app)
