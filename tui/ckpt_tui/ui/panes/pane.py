"""What every tab of a checkpoint is: the actions it answers, the jobs it runs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.message import Message
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.views.links import Lead, links, users

Find = Callable[[], Sequence[Lead]]
"""Finds links; may take seconds where there are very many descriptors."""

AT_ONCE = 2_000
"""Descriptors up to which links are found in a moment: 7 µs each, if all have one path open."""


class Pane(JobHost, Widget):
    """One tab. The screen calls its actions; a pane answers those that mean something in it."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset()
    """Names of the screen's actions that do something here."""
    problem_keys: frozenset[Hashable] = frozenset()
    """Keys of the things that the diagnosis found something wrong with, in whatever tab."""

    @dataclass
    class LinkFollowed(Message):
        """Somebody wants to see the thing of this key, wherever it is shown."""

        key: Hashable

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.opened = opened
        self.checkpoint = checkpoint

    def offers(self, action: str) -> bool:
        """Return whether an action of the screen does something here, now."""
        return action in self.ACTIONS

    @property
    def current_key(self) -> Hashable:
        """Key of the row under the cursor, None without one."""
        return None

    def leads_to(self) -> Find:
        """Return what finds out where the thing under the cursor leads, in whatever thread."""
        return partial(links, self.checkpoint, self.current_key)

    def used_by(self) -> Find:
        """Return what finds out who refers to the thing under the cursor, in whatever thread."""
        return partial(users, self.checkpoint, self.current_key)

    def look_up(self, find: Find, then: Callable[[Sequence[Lead]], None]) -> None:
        """Call `then` with what is found: at once, or after a job where it may take its time."""
        if len(self.checkpoint.files) <= AT_ONCE:
            then(find())
            return

        def task(progress: Progress) -> Sequence[Lead]:
            progress.start("looking through all descriptors")
            return find()

        self.run("Looking up who refers to what", task, then)

    def take_focus(self) -> None:
        """Put the focus on what the arrow keys should move in."""

    def go_to(self, key: Hashable) -> bool:
        """Show the thing of this key; return whether it is here."""
        del key
        return False

    def reveal_secrets(self, reveal: bool) -> None:
        """Show or cover what looks like a secret."""

    def filter(self) -> None:
        """Open the line for a filter."""

    def search(self) -> None:
        """Ask what to search for."""

    def step(self, direction: int) -> None:
        """Go to the next or the previous match."""

    def sort(self, *, reverse: bool) -> None:
        """Sort by the next column, or turn the order round."""

    def choose(self) -> None:
        """Go into what is under the cursor."""

    def toggle(self) -> None:
        """Open or close the branch under the cursor."""

    def show_problems(self) -> None:
        """Show only what has a problem, or everything again."""

    def count_pages(self) -> None:
        """Count what the dumped pages hold."""

    def count_pages_with(self) -> None:
        """Count what another checkpoint has, too."""

    def next_breakdown(self) -> None:
        """Divide the whole another way."""

    def ask_address(self) -> None:
        """Ask for an address and go there."""

    def save(self) -> None:
        """Ask for a file and write the bytes under the cursor to it."""

    def back(self) -> bool:
        """Close what is open in the pane; return False if there is nothing to close."""
        return False

    def copy_text(self, *, whole_row: bool) -> str:
        """Return what the copy keys send: the value, or the row with tabs between its cells."""
        del whole_row
        return ""

    def page_lines(self) -> Iterator[str]:
        """Yield what the pager shows of the thing under the cursor, printable lines."""
        return iter(())

    @property
    def job_bars(self) -> Iterable[JobBar]:
        return self.screen.query(JobBar)
