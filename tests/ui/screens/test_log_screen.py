"""A log by itself: pasted, from a file, or found beside a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from demo import screen_text
from driving import press, settle
from textual import events
from textual.pilot import Pilot

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.log import LogScreen
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from crafted import ARCHIVES, DATA

FAILED = DATA / "failed"
SIZES = ((80, 24), (120, 40))


def marked(app: Any) -> str:
    """Return the text of the row under the cursor."""
    row = app.screen.query_one(VirtualTable).highlighted
    return "" if row is None else " ".join(str(cell) for cell in row.cells)


async def paste(pilot: Pilot[Any], text: str) -> None:
    """Paste, as a terminal does, and wait for what comes of it."""
    before = pilot.app.screen
    pilot.app.post_message(events.Paste(text))
    await settle(pilot)
    while pilot.app.screen is not before and not screen_text(pilot.app).strip():
        await settle(pilot)


async def test_pasted_log_shows_its_cause_whatever_the_line_ends_are(tmp_path: Path) -> None:
    lines = (FAILED / "net-unreachable" / "restore.log").read_text().splitlines()[-40:]
    for end in ("\r", "\n", "\r\n"):
        async with CkptApp(folder=tmp_path).run_test(size=SIZES[0]) as pilot:
            await settle(pilot)
            await paste(pilot, end.join(lines))
            assert isinstance(pilot.app.screen, LogScreen)
            assert "A saved TCP connection cannot be connected again" in screen_text(pilot.app)
            assert marked(pilot.app).startswith("✖ 36 ")
            await press(pilot, "z", "down")
            assert marked(pilot.app).startswith("↳ 37 ")
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, BrowseScreen)


async def test_a_log_that_is_named_opens_as_a_log() -> None:
    target = str(FAILED / "net-unreachable" / "restore.log")
    async with CkptApp(targets=[target]).run_test(size=SIZES[0]) as pilot:
        await settle(pilot)
        assert isinstance(pilot.app.screen, LogScreen)
        assert "A saved TCP connection cannot be connected again" in screen_text(pilot.app)


async def test_text_pasted_into_a_line_stays_in_it(tmp_path: Path) -> None:
    async with CkptApp(folder=tmp_path).run_test(size=SIZES[0]) as pilot:
        await press(pilot, "l")
        await paste(pilot, "/nowhere.log")
        assert not isinstance(pilot.app.screen, LogScreen)
        await press(pilot, "enter")
        assert "/nowhere.log cannot be read" in screen_text(pilot.app)


async def test_log_file_can_be_searched(tmp_path: Path) -> None:
    log = FAILED / "file-size" / "restore.log"
    async with CkptApp(folder=tmp_path).run_test(size=SIZES[1]) as pilot:
        await press(pilot, "l", f"text:{log}", "enter")
        assert "bad size 2024545" in marked(pilot.app)
        await press(pilot, "slash", "text:version: 4.2", "enter")
        assert "Version: 4.2" in marked(pilot.app)
        await press(pilot, "slash", "text:no such words", "enter")
        assert "Version: 4.2" in marked(pilot.app)


async def test_log_beside_a_checkpoint_leads_to_the_object(tmp_path: Path) -> None:
    target = shutil.copy(ARCHIVES / "counter.tar.zst", tmp_path)
    shutil.copy(FAILED / "file-size" / "restore.log", tmp_path / "counter.restore.log")
    async with CkptApp((target,), tmp_path).run_test(size=SIZES[0]) as pilot:
        await press(pilot, "d")
        text = screen_text(pilot.app)
        assert "restore failed" in text.split("\n")[0]
        assert "A file has another size" in text
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, LogScreen)
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, CheckpointScreen)
        assert pilot.app.screen.pane is not None
        assert pilot.app.screen.pane.current_key == Ref.process(1)
        await press(pilot, "z")
        assert [row.key for row in pilot.app.screen.pane.query_one(VirtualTable).rows] == [
            Ref.process(1)
        ]
        await press(pilot, "0", "g")
        assert pilot.app.screen.pane.current_key == Ref.process(1)


async def test_problems_only_hides_advice_in_the_diagnosis(tmp_path: Path) -> None:
    target = shutil.copy(ARCHIVES / "rootfs.tar.zst", tmp_path)
    async with CkptApp((target,), tmp_path).run_test(size=SIZES[1]) as pilot:
        await press(pilot, "d")
        assert "How to restore it" in screen_text(pilot.app)
        await press(pilot, "z")
        assert "How to restore it" not in screen_text(pilot.app)
        await press(pilot, "escape")
        assert "How to restore it" in screen_text(pilot.app)
