"""The ways to restore: drawn at once, measured on a key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.core.paths import cache_dir
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.formats import FormatsScreen


async def opened(pilot: Any, target: Path) -> FormatsScreen:
    pilot.app.push_screen(FormatsScreen(str(target)))
    await settle(pilot.app, pilot)
    screen = pilot.app.screen
    assert isinstance(screen, FormatsScreen)
    return screen


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_every_way_has_a_line(data: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    async with CkptApp((), tmp_path).run_test(size=size) as pilot:
        screen = await opened(pilot, data / "archives/rootfs.tar.zst")
        text = screen_text(pilot.app)
        assert all(way.name[:24] in text for way in screen.ways)
        assert "│read again" in text or "│copy all" in text
        assert "moved by legacy image" in text


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_both_forms_are_trees_side_by_side(
    data: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    async with CkptApp((), tmp_path).run_test(size=size) as pilot:
        await opened(pilot, data / "archives/rootfs.tar.zst")
        await pilot.press("tab", "G")
        await settle(pilot.app, pilot)
        text = screen_text(pilot.app)
        assert re.search(r"rootfs-diff.tar, nested +103 MiB +│ ├ \w", text)
        assert re.search(r"└ delta +103 MiB", text)


async def test_m_fills_in_seconds_and_leaves_nothing(data: Path, tmp_path: Path) -> None:
    async with CkptApp((), tmp_path).run_test(size=(120, 40)) as pilot:
        screen = await opened(pilot, data / "archives/rootfs.tar.zst")
        await pilot.press("m")
        await settle(pilot.app, pilot)
        assert set(screen.done) == {way.id for way in screen.ways}
        assert re.search(r"\d m?s in place", screen_text(pilot.app))
        await pilot.press("escape")
        await settle(pilot.app, pilot)
        assert not [*cache_dir().iterdir()]


async def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    async with CkptApp((), tmp_path).run_test(size=(80, 24)) as pilot:
        await opened(pilot, tmp_path / "none.tar")
        for _ in range(100):  # the error is drawn some messages after the job has ended
            if "It cannot be read" in screen_text(pilot.app):
                break
            await pilot.pause()
        assert "It cannot be read" in screen_text(pilot.app)
        assert "no such file" in screen_text(pilot.app)
