"""Where processes were: read in the background and on demand, followed, saved as core files."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from demo import screen_text
from driving import CheckpointDemo, press, settle, shown
from textual.widgets import Input

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks import of_checkpoint
from ckpt_tui.ui.panes.memory import MemoryPane
from ckpt_tui.ui.panes.processes import ProcessesPane
from ckpt_tui.ui.panes.switcher import PaneSwitcher
from ckpt_tui.ui.panes.table import PANES
from ckpt_tui.ui.screens import stacks_job
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.views.table import plain
from crafted import ARCHIVES

COUNTER = ARCHIVES / "counter.tar.zst"
"""Its base image is beside it."""


def without_end(begun: Event, *arguments: Any) -> None:
    """Work until the job is cancelled; its progress is the last argument."""
    begun.set()
    while True:
        arguments[-1].tick(0)


def pane(pilot: Any) -> ProcessesPane:
    found = pilot.app.screen.pane
    assert isinstance(found, ProcessesPane)
    return found


def cells(pilot: Any, column: int) -> list[str]:
    rows = pane(pilot).list_view.table.rows
    return [plain(rows[number].cells[column]).strip() for number in range(len(rows))]


@pytest.fixture
def on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read before it is asked for, as of a checkpoint in a registry."""
    monkeypatch.setattr(OpenCheckpoint, "transferred", 0)


async def test_the_overview_says_where_each_process_was() -> None:
    async with shown(COUNTER) as pilot:
        text = screen_text(pilot.app)
        assert "WHERE IT WAS" in text
        assert "wait4 in busybox" in text
        assert "clock_nanosl" in text


async def test_a_process_opens_to_its_stack_and_closes_from_within() -> None:
    async with shown(COUNTER, "2", "space") as pilot:
        assert cells(pilot, 0)[:3] == ["1", "#0", "#1"]
        assert cells(pilot, 3)[1] == "busybox+0x4ae3f5"
        await press(pilot, "down")
        assert pane(pilot).current_key == Ref.frame(1, 1, 0)
        assert "0x4ae3f5" in screen_text(pilot.app)
        await press(pilot, "space")
        assert cells(pilot, 0) == ["1", "8"]
        assert pane(pilot).current_key == Ref.process(1)


async def test_g_leads_from_a_frame_to_its_bytes_and_escape_comes_back() -> None:
    async with shown(COUNTER, "2", "space", "down", "g") as pilot:
        found = pilot.app.screen.pane
        assert isinstance(found, MemoryPane)
        assert found.shown_region is not None
        assert found.shown_region.start + found.bytes.place == 0x4AE3F5
        await press(pilot, *["escape"] * 2)
        assert pane(pilot).current_key == Ref.frame(1, 1, 0)


async def test_threads_stand_between_a_process_and_its_frames(data: Path) -> None:
    async with shown(data / "images/kinds", "2", "space") as pilot:
        assert cells(pilot, 0)[:5] == ["1", "1", "6", "7", "8"]
        await press(pilot, "down", "down", "space")
        assert cells(pilot, 0)[2:4] == ["6", "#0"]
        assert "The caller of 0x7f11e32b172c was not found" in cells(pilot, 1)[4]
        assert "Stack" in screen_text(pilot.app)


@pytest.mark.usefixtures("on_demand")
async def test_what_is_in_a_registry_is_read_only_when_asked_for() -> None:
    async with shown(COUNTER, "2") as pilot:
        assert cells(pilot, 3) == ["wait4", "clock_nanosleep"]
        assert not pane(pilot).stacks
        await press(pilot, "space")
        assert [*pane(pilot).stacks] == [1]
        assert cells(pilot, 3)[0] == "wait4 in busybox"


@pytest.mark.usefixtures("on_demand")
async def test_a_link_to_a_frame_reads_its_stack_first() -> None:
    async with shown(COUNTER, "2") as pilot:
        assert pane(pilot).go_to(Ref.frame(8, 8, 1))
        await settle(pilot)
        assert pane(pilot).current_key == Ref.frame(8, 8, 1)


async def test_escape_while_stacks_are_read_unasked_goes_one_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun = Event()
    monkeypatch.setattr(stacks_job, "stacks_of", partial(without_end, begun))
    app = CheckpointDemo(COUNTER)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        while not begun.is_set():
            await pilot.pause(0.01)
        await pilot.pause()
        assert "Reading where the processes were" in screen_text(app)
        await pilot.press("2", "escape")
        await settle(pilot)
        assert not isinstance(app.screen, CheckpointScreen)


async def test_a_stack_that_cannot_be_read_says_why(
    monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    async with shown(data / "images/counter", "2") as pilot:
        assert "Process 8" not in screen_text(pilot.app)
        found = pane(pilot)
        found.take_stacks({8: CkptError("Process 8 has no memory.")}, reading=False)
        await press(pilot, "down", "space")
        assert cells(pilot, 1)[-1] == "Process 8 has no memory."


async def test_capital_k_writes_a_core_file(tmp_path: Path) -> None:
    target = tmp_path / "core.8"
    async with shown(COUNTER, "2", "down", "K") as pilot:
        assert "with all secrets" in screen_text(pilot.app)
        line = pilot.app.focused
        assert isinstance(line, Input)
        assert line.value == "core.8"
        await press(pilot, f"text:{target}", "enter")
        assert "of memory, with the secrets in it" in pilot.app.said
    assert target.read_bytes()[:4] == b"\x7fELF"


async def test_escape_stops_a_core_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = Event()

    def write_core(plan: object, images: object, memory: object, file: Any, progress: Any) -> None:
        file.write(b"half")
        without_end(begun, progress)

    monkeypatch.setattr(of_checkpoint, "write_core", write_core)
    async with shown(COUNTER, "2", "K", f"text:{tmp_path / 'core'}") as pilot:
        await pilot.press("enter")
        while not begun.is_set():
            await pilot.pause(0.01)
        assert "Writing" in screen_text(pilot.app)
        await pilot.press("escape")
        await settle(pilot)
        assert isinstance(pilot.app.screen, CheckpointScreen)
        assert not pane(pilot).list_view.job_running
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("number", [1, 2])
async def test_what_comes_while_a_tab_is_made_is_shown_once_it_is_there(number: int) -> None:
    async with shown(COUNTER) as pilot:
        switcher = pilot.app.screen.query_one(PaneSwitcher)
        assert switcher.pane is not None
        made = PANES[number - 1].make(switcher.pane.opened, switcher.pane.checkpoint)
        mounting = switcher.mount(made)
        assert not made.is_mounted
        switcher.take_stacks({}, reading=True)
        switcher.take_diagnosis(None, "not looked at")
        switcher.action_reveal()
        await mounting
        await settle(pilot)
        assert made.is_mounted
