"""Marking checkpoints in the browser, and comparing what is marked."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from browsing import line_of
from demo import screen_text
from driving import press, without_pause

from ckpt_tui.core.config import Config
from ckpt_tui.formats import roots
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.chain import ChainScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.widgets.marks_line import MarksLine
from crafted import ARCHIVES

NAMES = ("counter.tar.zst", "cri-crio.tar", "cri-podman.tar")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CkptApp:
    """The browser on three checkpoints and a folder."""
    for name in NAMES:
        shutil.copy(ARCHIVES / name, tmp_path / name)
    (tmp_path / "more").mkdir()
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    monkeypatch.setattr(BrowseCard, "set_timer", without_pause)
    return CkptApp((), tmp_path, "here")


def targets(app: CkptApp, *numbers: int) -> tuple[str, ...]:
    screen = app.screen_stack[1]
    assert isinstance(screen, BrowseScreen)
    return tuple(f"{screen.places.roots[0].entry.path}/{NAMES[number]}" for number in numbers)


def first_line(app: CkptApp) -> str:
    return screen_text(app).split("\n")[0].rstrip()


async def test_two_marked_are_compared_in_the_order_of_marking(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "down", "space", "up", "space", "C")
        assert isinstance(app.screen, CompareScreen)
        assert app.screen.targets == targets(app, 1, 0)


async def test_three_marked_are_a_time_line(app: CkptApp) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await press(pilot, "down", "down", "down", "space", "up", "space", "up", "space", "C")
        assert isinstance(app.screen, ChainScreen)
        assert app.screen.targets == targets(app, 2, 1, 0)
        assert [link.target for link in app.screen.links] == [*targets(app, 2, 1, 0)]


async def test_lines_show_their_number_and_the_first_line_how_many(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down")
        unmarked = line_of(app, NAMES[0])
        assert first_line(app) == " ckpt-tui"
        await press(pilot, "space")
        assert first_line(app) == " ckpt-tui   ● 1 marked   esc unmarks"
        assert line_of(app, NAMES[0]) == unmarked.replace("    counter", " ●1 counter")
        await press(pilot, "down", "space")
        assert first_line(app) == " ckpt-tui   ● 2 marked   C compares them   esc unmarks"
        assert f"●2 {NAMES[1]}" in screen_text(app)


async def test_the_same_key_unmarks_and_the_others_move_up(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "space", "up", "space")
        assert "1 marked" in first_line(app)
        assert f"●1 {NAMES[1]}" in screen_text(app)
        assert "●2" not in screen_text(app)


async def test_escape_unmarks_all_before_it_leads_up(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "space", "escape")
        screen = app.screen
        assert isinstance(screen, BrowseScreen)
        assert screen.line is not None
        assert screen.line.entry.name == NAMES[1]
        assert "●" not in screen_text(app)
        await press(pilot, "escape")
        assert screen.line.entry.name == "here"


async def test_marks_are_there_after_a_comparison_for_one_more(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "space", "C", "q", "down", "space", "C")
        assert isinstance(app.screen, ChainScreen)
        assert app.screen.targets == targets(app, 0, 1, 2)


@pytest.mark.parametrize("keys", [(), ("space",)], ids=["none", "one"])
async def test_fewer_than_two_are_not_compared_and_that_is_said(
    app: CkptApp, keys: tuple[str, ...]
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await press(pilot, "down", *keys, "C")
        assert isinstance(app.screen, BrowseScreen)
        said = [n.message for n in app._notifications]
        assert said == ["Mark two checkpoints or more: space marks what is under the cursor."]


async def test_a_folder_is_not_marked(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "space")
        assert first_line(app) == " ckpt-tui"


async def click(pilot: Any, words: str) -> None:
    """Click on words of the first line."""
    assert await pilot.click(MarksLine, offset=(first_line(pilot.app).index(words) + 1, 0))
    await press(pilot)


async def test_what_the_first_line_says_of_keys_can_be_clicked(app: CkptApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "space")
        await click(pilot, "C compares")
        assert isinstance(app.screen, CompareScreen)
        await press(pilot, "q")
        await click(pilot, "esc unmarks")
        assert first_line(app) == " ckpt-tui"


async def test_the_first_line_names_keys_of_ones_own(app: CkptApp, tmp_path: Path) -> None:
    own = CkptApp((), tmp_path, "here", Config(keys={"compare": "v"}))
    async with own.run_test(size=(80, 24)) as pilot:
        await press(pilot, "down", "space", "down", "space")
        assert "v compares them" in first_line(own)
        await press(pilot, "v")
        assert isinstance(own.screen, CompareScreen)
