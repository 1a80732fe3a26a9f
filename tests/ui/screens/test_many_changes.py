"""A checkpoint with very many changed files: they are listed while they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
from demo import screen_text
from driving import CheckpointDemo, press
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from ckpt_tui.archive.tree import Member
from ckpt_tui.checkpoint import build, delta
from ckpt_tui.checkpoint.model import DeltaEntry
from ckpt_tui.ui.panes import delta as pane
from ckpt_tui.ui.panes.delta import DeltaPane
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.table import plain


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Event:
    """The changes are known, and not all that there is to know of them before this is set."""
    monkeypatch.setattr(build, "QUICK_DELTA", 0)
    monkeypatch.setattr(pane, "GROWS_S", 0.2)
    may, entries = Event(), delta.layer_entries

    def waiting(
        members: Mapping[str, Member], base: Mapping[str, Member] | None
    ) -> Iterator[DeltaEntry]:
        may.wait(30)
        return entries(members, base)

    monkeypatch.setattr(delta, "layer_entries", waiting)
    return may


async def _until(pilot: Pilot[None], wanted: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not wanted():
            await pilot.pause(0.01)


@asynccontextmanager
async def _opened(
    data: Path,
) -> AsyncIterator[tuple[CheckpointDemo, Pilot[None], CheckpointScreen]]:
    """Open a checkpoint and wait for its first page."""
    app = CheckpointDemo(data / "archives/cri-crio.tar")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = app.screen
        assert isinstance(screen, CheckpointScreen)
        await _until(pilot, lambda: screen.pane)
        yield app, pilot, screen


async def test_the_list_of_changes_grows(data: Path, allowed: Event) -> None:
    async with _opened(data) as (app, pilot, screen):
        assert screen.checkpoint is not None
        assert "disk being read" in screen_text(app)
        assert "reading …" in screen_text(app)
        await pilot.press("6")
        await _until(
            pilot, lambda: isinstance(screen.pane, DeltaPane) and len(screen.pane.list_view.source)
        )
        shown = screen.pane
        assert isinstance(shown, DeltaPane)
        assert not screen.checkpoint.is_loaded
        await pilot.press("end")
        key = shown.current_key
        await pilot.press("f", "t")
        allowed.set()
        await press(pilot)
        assert screen.checkpoint.is_loaded
        assert screen.pane is shown
        assert shown.list_view.choice.needle == "t"
        await press(pilot, "escape", "escape")
        entries = screen.checkpoint.delta.entries
        await _until(pilot, lambda: len(shown.list_view.table.rows) == len(entries))
        assert shown.go_to(key)
        await press(pilot, "1")
        assert "being read" not in screen_text(app)
        assert "disk 9 written, 3 deleted" in screen_text(app)
        assert screen.diagnosis is not None


async def test_what_is_known_of_the_changes_is_added_up(data: Path, allowed: Event) -> None:
    async with _opened(data) as (app, pilot, screen):
        await pilot.press("9")
        await _until(pilot, lambda: "delta" in screen_text(app))
        table = screen.query_one("SizesPane VirtualTable", VirtualTable)
        await _until(pilot, lambda: len(table.rows))
        parts = [plain(table.rows[number].cells[0]) for number in range(len(table.rows))]
        table.cursor = next(number for number, name in enumerate(parts) if "delta" in name)
        await pilot.pause()
        await pilot.press("enter")
        await _until(pilot, lambda: "these are some of them" in app.said)
        allowed.set()
        await press(pilot)
        inside = [plain(table.rows[number].cells[0]) for number in range(len(table.rows))]
        assert [name for name in inside if "data" in name], inside


async def test_reading_that_was_stopped_goes_on_with_the_tab(data: Path, allowed: Event) -> None:
    async with _opened(data) as (_, pilot, screen):
        assert screen.checkpoint is not None
        assert screen.cancel_job()
        allowed.set()
        await press(pilot, "2")
        assert not screen.checkpoint.is_loaded
        await press(pilot, "6")
        assert screen.checkpoint.is_loaded
        shown, entries = screen.pane, screen.checkpoint.delta.entries
        assert isinstance(shown, DeltaPane)
        await _until(pilot, lambda: len(shown.list_view.table.rows) == len(entries))


@pytest.mark.parametrize(("tab", "pane_id"), [(1, "pane-1"), (6, "pane-7")])
async def test_a_tab_that_is_made_while_the_rest_is_read_has_all(
    data: Path, allowed: Event, monkeypatch: pytest.MonkeyPatch, tab: int, pane_id: str
) -> None:
    mount = ContentSwitcher.mount

    async def mounted_late(switcher: ContentSwitcher, *panes: Widget) -> None:
        allowed.set()
        await _until(pilot, lambda: screen.checkpoint and screen.checkpoint.is_loaded)
        await mount(switcher, *panes)

    async with _opened(data) as (app, pilot, screen):
        monkeypatch.setattr(ContentSwitcher, "mount", mounted_late)
        if tab == 1:
            screen.query_one(ContentSwitcher).current = "waiting"
            await screen.query("#pane-1").remove()
        screen.action_show_tab(tab)
        await _until(pilot, lambda: screen.checkpoint and screen.checkpoint.is_loaded)
        await press(pilot)
        assert screen.pane is not None
        assert screen.pane.id == pane_id
        assert screen.pane.checkpoint is screen.checkpoint
        assert "being read" not in screen_text(app)
