"""The widgets together, with the style sheet that all screens share."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
import screenshots
from demo import screen_text
from gallery import GalleryApp

from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable


async def test_a_filter_narrows_the_table_and_escape_gives_it_back() -> None:
    app = GalleryApp()
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.press("f", *"work")
        await pilot.pause()
        table = app.screen.query_one(VirtualTable)
        assert len(table.rows) == 2
        assert "2 of 6" in screen_text(app)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert len(table.rows) == 6
        assert table.has_focus
        assert not app.screen.query_one(SearchBar).is_open


async def test_the_job_bar_stands_above_the_key_line() -> None:
    app = GalleryApp()
    async with app.run_test(size=(100, 24)) as pilot:
        app.screen.query_one(JobBar).begin("Opening web-0.tar")
        await pilot.pause()
        lines = screen_text(app).split("\n")
        assert "? help" in lines[-1]
        assert "Opening web-0.tar" in lines[-2]


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(GalleryApp(), terminal_size=(80, 24))


async def _busy(pilot: Any) -> None:
    pilot.app.screen.query_one(JobBar).begin("Opening web-0.tar")
    await pilot.press("f", "o")
    await pilot.pause()


def test_looks_wide_while_it_works(snap_compare: Any) -> None:
    assert snap_compare(GalleryApp(), terminal_size=(120, 40), run_before=_busy)


def test_looks_light(snap_compare: Any) -> None:
    assert snap_compare(GalleryApp("ckpt-light"), terminal_size=(120, 40))


def test_looks_grey(monkeypatch: pytest.MonkeyPatch, snap_compare: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(GalleryApp(), terminal_size=(80, 24))


def test_a_picture_is_drawn_after_the_keys(tmp_path: Path) -> None:
    if not screenshots.font_is_there():
        pytest.skip("Fira Code is not installed")
    shot = screenshots.Shot("gallery", GalleryApp, ("f", "w"), (80, 24))
    screenshots.write(shot, tmp_path)
    svg, png = (tmp_path / "gallery.svg").read_text(), (tmp_path / "gallery.png").read_bytes()
    assert "of&#160;6" in svg
    width, height = struct.unpack(">II", png[16:24])
    assert width > 1500
    assert height > 1000
