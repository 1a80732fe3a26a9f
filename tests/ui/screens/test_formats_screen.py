"""The ways to dump and to restore: drawn at once, measured on a key."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.checkpoint.restore_steps import Way
from ckpt_tui.convert.measure import Measured, Measurement
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress
from ckpt_tui.demo import demo_folder
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.formats import NO_LEGACY, FormatsScreen


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
        await pilot.press("end")
        await settle(pilot.app, pilot)
        text += screen_text(pilot.app)
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


async def test_a_way_that_runs_fills_in_as_it_goes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Event()

    def halfway(self: Measurement, way: Way, progress: Progress) -> tuple[Measured, ...]:
        self.so_far, self.written = (Measured(way.steps[0], 1.25, 5 << 20),), 7 << 20
        progress.start(way.steps[1].name)
        seen.wait(20)
        return tuple(Measured(step, 1, 0) for step in way.steps)

    monkeypatch.setattr(Measurement, "quickest", halfway)
    async with CkptApp((), tmp_path).run_test(size=(120, 40)) as pilot:
        await opened(pilot, data / "archives/rootfs.tar.zst")
        await pilot.press("m")
        for _ in range(200):
            if "7.00 MiB" in screen_text(pilot.app):
                break
            await pilot.pause(0.01)
        text = screen_text(pilot.app)
        seen.set()
        assert re.search(r"7\.00 MiB +\d\.\d s…", text)
        assert "here 1.250 s, 5.00 MiB written" in text
        await settle(pilot.app, pilot)


async def test_a_way_whose_data_is_not_at_hand_says_so(tmp_path: Path) -> None:
    with demo_folder() as folder:
        async with CkptApp((), tmp_path).run_test(size=(120, 40)) as pilot:
            await opened(pilot, folder / "counter-optimized.oci.tar")
            assert NO_LEGACY not in screen_text(pilot.app)  # a dump
            await pilot.press("down", "down", "down", "down")
            await settle(pilot.app, pilot)
            assert NO_LEGACY in screen_text(pilot.app)
            await pilot.press("end")
            await settle(pilot.app, pilot)
            assert NO_LEGACY not in screen_text(pilot.app)


async def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    async with CkptApp((), tmp_path).run_test(size=(80, 24)) as pilot:
        await opened(pilot, tmp_path / "none.tar")
        for _ in range(100):  # the error is drawn some messages after the job has ended
            if "It cannot be read" in screen_text(pilot.app):
                break
            await pilot.pause()
        assert "It cannot be read" in screen_text(pilot.app)
        assert "no such file" in screen_text(pilot.app)
