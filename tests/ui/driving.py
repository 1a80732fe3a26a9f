"""The screen of one checkpoint in an app of its own, and waiting until it rests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

import ckpt_tui.ui
from ckpt_tui.ui.app import ScreensApp
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

UI = Path(ckpt_tui.ui.__file__).parent

TABS = tuple("1234567890")
"""Keys of the tabs in their order."""

RECOVERED = ("3", "right_square_bracket")
"""Keys of the list in the tab Files."""

NAMESPACES = ("7", "right_square_bracket")
"""Keys of the list in the tab System."""


class CheckpointDemo(ScreensApp):
    """Opens `target` at once."""

    CSS_PATH = UI / "app.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012

    def __init__(self, target: str | Path) -> None:
        super().__init__()
        self._target = str(target)

    def on_mount(self) -> None:
        self.push_screen(CheckpointScreen(self._target))

    @property
    def said(self) -> str:
        """Everything that was notified."""
        return "\n".join(str(n.message) for n in self._notifications)


def without_pause(card: BrowseCard, seconds: float, look: Callable[[], None]) -> None:
    """In place of `BrowseCard.set_timer`: look into what is under the cursor at once."""
    del seconds
    card.call_later(look)


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until no worker runs and every message is handled, those that start another included."""
    await pilot.pause()
    while _works(pilot.app):
        await pilot.pause(0.01)
        await pilot.pause()
    for _ in range(3):  # a result, what is told of it, and what that is shown by
        await pilot.pause()


def _works(app: App[Any]) -> bool:
    """Tell whether a worker runs, or what comes after one is still to be done."""
    if any(not worker.is_finished for worker in app.workers):
        return True
    nodes = (node for screen in app.screen_stack for node in screen.walk_children(with_self=True))
    return any(isinstance(node, JobHost) and node.job_running for node in nodes)


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys and let each have its effect; `text:…` is what a line is filled with. Without
    any only wait."""
    await settle(pilot)
    for key in keys:
        if key.startswith("text:"):
            line = pilot.app.focused
            assert isinstance(line, Input)
            line.value = key.removeprefix("text:")
        else:
            await pilot.press(key)
        await settle(pilot)


async def type_ahead(pilot: Pilot[Any], text: str) -> None:
    """Send letters and / as a terminal does when they come in one piece: none waits for the effect
    of the one before."""
    for letter in text:
        pilot.app.post_message(events.Key("slash" if letter == "/" else letter, letter))
    await settle(pilot)


@asynccontextmanager
async def shown(
    target: str | Path, *keys: str, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[Pilot[Any]]:
    """Open a checkpoint and press some keys."""
    app = CheckpointDemo(target)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, *keys)
        yield pilot
