"""The collector of cycles spares the screen, and what was left behind is freed all the same."""

from __future__ import annotations

import asyncio
import gc
import weakref
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from driving import press, settle, shown
from textual.pilot import Pilot

from ckpt_tui.ui import collector
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.log import LogScreen, log_file
from ckpt_tui.ui.widgets import list_view
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.choice import ChosenRows

PATIENCE = 100
"""Twentieths of a second to wait at most."""


async def freed(pilot: Pilot[None], *kept: weakref.ref[Any]) -> None:
    """Wait until all of these are gone; fail if they stay."""
    for _ in range(PATIENCE):
        if all(ref() is None for ref in kept):
            break
        await pilot.pause(0.05)
    assert [ref() for ref in kept] == [None] * len(kept)


async def test_only_young_objects_are_looked_at_while_the_program_runs(data: Path) -> None:
    before = gc.get_threshold()
    app = CkptApp((str(data / "images/kinds"),), data)
    async with app.run_test() as pilot:
        await settle(pilot)
        assert gc.get_threshold()[2] == collector.NEVER
        assert gc.get_freeze_count() > len(gc.get_objects())
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


async def test_a_checkpoint_that_was_left_is_freed(data: Path) -> None:
    app = CkptApp((str(data / "images/kinds"),), data)
    async with app.run_test() as pilot:
        await settle(pilot)
        screen = app.screen
        assert isinstance(screen, CheckpointScreen)
        assert screen.checkpoint is not None
        kept = weakref.ref(screen.checkpoint), weakref.ref(screen)
        del screen
        await pilot.press("q")
        await freed(pilot, *kept)


SCREENS = {
    "log": lambda data: LogScreen("log", log_file(str(data / "logs/kinds.dump.log.gz"))),
    "compare": lambda data: CompareScreen(str(data / "images/kinds"), str(data / "images/counter")),
    "formats": lambda data: FormatsScreen(str(data / "images/kinds")),
    "convert": lambda data: ConvertScreen(str(data / "archives/counter.tar.zst")),
}


@pytest.mark.parametrize("kind", SCREENS)
async def test_every_screen_with_jobs_that_was_left_is_freed(data: Path, kind: str) -> None:
    app = CkptApp((), data)
    async with app.run_test() as pilot:
        await settle(pilot)
        app.push_screen(SCREENS[kind](data))
        await settle(pilot)
        kept = weakref.ref(app.screen)
        assert isinstance(kept(), JobScreen)
        await pilot.press("q")
        await freed(pilot, kept)


async def test_a_scroll_bar_that_is_first_needed_after_it_keeps_no_checkpoint(data: Path) -> None:
    app = CkptApp((), data)
    async with app.run_test(size=(80, 60)) as pilot:
        await settle(pilot)
        app.open_target(str(data / "images/kinds"))
        await settle(pilot)
        kept = weakref.ref(app.screen)
        await pilot.resize_terminal(80, 7)
        await pilot.press("q")
        await freed(pilot, kept)


async def test_a_checkpoint_that_is_let_go_of_later_is_freed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, give_back = Event(), collector.give_back

    def watched(app: CkptApp, left: weakref.ref[object], seconds: float = 0.05) -> None:
        give_back(app, left, seconds)
        tried.set()

    monkeypatch.setattr(collector, "give_back", watched)
    app = CkptApp((str(data / "images/kinds"),), data)
    async with app.run_test() as pilot:
        await settle(pilot)
        held = [app.screen]
        kept = weakref.ref(held[0])
        await pilot.press("q")
        async with asyncio.timeout(30):
            while not tried.is_set():
                await pilot.pause(0.05)
        assert kept() is not None
        held.clear()
        await freed(pilot, kept)


async def test_the_rows_of_an_earlier_filter_are_freed_without_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_view, "MANY", 10)
    monkeypatch.setattr(list_view, "FOUND_S", 0.05)
    monkeypatch.setattr(collector, "keep_all", lambda: None)  # that hides them
    async with shown(data / "images/kinds", "3", "f") as pilot:
        before = gc.isenabled()
        gc.disable()
        try:
            for words in ("memfd", "eventfd", "pipe"):
                await press(pilot, f"text:{words}")
            await pilot.pause(2 * list_view.FOUND_S)
            alive = [found for found in gc.get_objects() if isinstance(found, ChosenRows)]
            assert alive == [pilot.app.screen.query_one("#pane-3 #rows", VirtualTable).rows]
        finally:
            if before:
                gc.enable()
