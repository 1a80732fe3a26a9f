"""A checkpoint with very many descriptors: the overview comes first, the rest when it is read."""

from __future__ import annotations

from pathlib import Path
from threading import Event

import pytest
from demo import screen_text
from driving import CheckpointDemo, press

from ckpt_tui.checkpoint import build
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen


async def test_the_overview_is_there_before_the_descriptors(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "QUICK_BYTES", 100)
    allowed = Event()
    load = OpenCheckpoint.load

    def waiting(opened: OpenCheckpoint, progress: Progress) -> Checkpoint:
        allowed.wait(30)
        return load(opened, progress)

    monkeypatch.setattr(OpenCheckpoint, "load", waiting)
    app = CheckpointDemo(data / "images/kinds")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, CheckpointScreen)
        while screen.pane is None or screen.pane.current_key is None:
            await pilot.pause()
        assert "their descriptors are being read" in screen_text(app)
        await pilot.press("3")
        await pilot.pause()
        assert "The tab opens when the descriptors are read." in app.said
        assert screen.pane.id == "pane-1"
        allowed.set()
        await press(pilot)
        assert screen.pane.id == "pane-3"
        assert screen.pane.current_key == Ref.file(1, 0)
        await press(pilot, "1")
        assert "4 processes, 52 descriptors" in screen_text(app)
        assert screen.diagnosis is not None


async def test_reading_that_was_stopped_goes_on_with_a_tab(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "QUICK_BYTES", 100)
    load, stopped = OpenCheckpoint.load, Event()

    def waiting(opened: OpenCheckpoint, progress: Progress) -> Checkpoint:
        while not stopped.is_set():
            progress.ask()
        return load(opened, progress)

    monkeypatch.setattr(OpenCheckpoint, "load", waiting)
    app = CheckpointDemo(data / "images/kinds")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, CheckpointScreen)
        while screen.pane is None or not screen.job_running:
            await pilot.pause()
        await pilot.press("escape")
        await press(pilot)
        assert "not checked" in screen_text(app)
        stopped.set()
        await press(pilot, "3")
        assert screen.pane is not None
        assert screen.pane.id == "pane-3"
        assert screen.diagnosis is not None
