"""Leaving a screen while it opens something: what is opened all the same is closed once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from driving import press, settle, shown
from textual.screen import Screen

from ckpt_tui.checkpoint.items import Recovered
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.panes import recovered
from ckpt_tui.ui.screens import checkpoint, convert
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.view import ViewScreen
from crafted import ARCHIVES

COUNTER = str(ARCHIVES / "counter.tar.zst")
WEB = str(Path(convert.__file__).parents[2] / "demo" / "web.tar.zst")


class Late:
    """Holds back what a function returns, whether or not anybody still wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch.setattr
        self.open = threading.Event()
        self.has_opened = threading.Event()
        self.result: Any = None

    def hold(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def slow(*words: Any, **named: Any) -> Any:
            self.result = real(*words, **named)
            self.has_opened.set()
            self.open.wait(10)
            return self.result

        self._patch(owner, name, slow)

    def count(self, kind: type) -> list[object]:
        """Return a list of what is closed of a class from now on."""
        closed: list[object] = []
        real = kind.close  # type: ignore[attr-defined]

        def close(this: object) -> None:
            closed.append(this)
            real(this)

        self._patch(kind, "close", close)
        return closed

    async def reached(self, pilot: Any) -> None:
        """Wait until it is opened and held back."""
        for _ in range(1000):
            if self.has_opened.is_set():
                return
            await pilot.pause(0.01)
        raise AssertionError("it was never opened")


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[Late]:
    found = Late(monkeypatch)
    yield found
    found.open.set()


async def let_go(pilot: Any, closed: list[object], count: int) -> None:
    """Wait until that many are closed, and a little longer."""
    for _ in range(1000):
        if len(closed) >= count:
            break
        await pilot.pause(0.005)
    await settle(pilot)
    await pilot.pause(0.01)


@pytest.mark.parametrize(
    ("owner", "name", "screen", "count"),
    [
        (checkpoint, "open_target", lambda: CheckpointScreen(COUNTER), 1),
        (FormatsScreen, "_open", lambda: FormatsScreen(COUNTER), 1),
        (CompareScreen, "_open", lambda: CompareScreen(COUNTER, WEB), 2),
        (convert, "prepare", lambda: ConvertScreen(WEB), 1),
    ],
)
async def test_a_screen_left_while_it_opens(
    late: Late, tmp_path: Path, owner: Any, name: str, screen: Callable[[], Screen[Any]], count: int
) -> None:
    late.hold(owner, name)
    closed = late.count(OpenCheckpoint)
    app = CkptApp((), tmp_path)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        app.push_screen(screen())
        await late.reached(pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert closed == []
        late.open.set()
        await let_go(pilot, closed, count)
        assert len(closed) == len({id(c) for c in closed}) == count
    assert len(closed) == count


async def test_recovering_that_was_stopped(late: Late) -> None:
    late.hold(recovered, "recover")
    closed = late.count(Recovered)
    async with shown(COUNTER) as pilot:
        await pilot.press("3", "right_square_bracket")
        await late.reached(pilot)
        await pilot.press("escape")
        late.open.set()
        await let_go(pilot, closed, 1)
        assert len(closed) == 1
    assert len(closed) == 1


async def test_the_archive_of_changes_of_a_checkpoint_that_was_left(
    late: Late, tmp_path: Path
) -> None:
    late.hold(OpenCheckpoint, "open_delta")
    async with CkptApp([COUNTER], tmp_path).run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        closed = await _read_a_change(pilot, late)
        await pilot.press("escape", "q")
        await settle(pilot)
        assert isinstance(pilot.app.screen, BrowseScreen)
        late.open.set()
        await let_go(pilot, closed, 1)
        assert len(closed) == 1
    assert len(closed) == 1


async def test_the_archive_of_changes_that_nobody_waits_for_is_opened_anew(late: Late) -> None:
    late.hold(OpenCheckpoint, "open_delta")
    async with shown(COUNTER) as pilot:
        closed = await _read_a_change(pilot, late)
        await pilot.press("escape")
        late.open.set()
        await let_go(pilot, closed, 1)
        assert len(closed) == 1
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, ViewScreen)
        assert "/tmp/count" in screen_text(pilot.app)
    assert len(closed) == 1


async def _read_a_change(pilot: Any, late: Late) -> list[object]:
    """Ask for a file that the container wrote; return a list of how often its archive is closed."""
    await press(pilot, "6")
    pane = pilot.app.screen.pane
    entries = pane.checkpoint.delta.entries
    pane.go_to(("delta", next(n for n, e in enumerate(entries) if e.path == "/tmp/count")))
    await pilot.press("enter")
    await late.reached(pilot)
    closed: list[object] = []
    tree = late.result
    real = tree.close
    tree.close = lambda: closed.append(tree) or real()
    return closed
