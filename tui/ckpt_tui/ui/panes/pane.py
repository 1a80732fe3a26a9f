"""What every tab of a checkpoint is, and where the thing under its cursor leads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.pager import show_in_pager
from ckpt_tui.ui.screens.pick import PickScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.links import Lead, links, users

Find = Callable[[], Sequence[Lead]]
"""Finds links; may take seconds where there are very many descriptors."""

AT_ONCE = 2_000
"""Descriptors up to which links are found in a moment: 7 µs each, if all have one path open."""


class Pane(Widget):
    """One tab: what it shows, and the keys that work in it. `action_open` goes into what is under
    the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bound("open go-to")
    reveals = reactive(False, init=False)
    """Whether it shows what looks like a secret."""
    problem_keys: frozenset[Hashable] = frozenset()
    """Keys of the things that the diagnosis found something wrong with, in whatever tab."""

    @dataclass
    class LinkFollowed(Message):
        """Asks to show the thing of this key in the tab that has it."""

        key: Hashable

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, list_view: ListView) -> None:
        """`list_view` is what the cursor moves in, and what runs the jobs of the tab."""
        super().__init__()
        self.opened = opened
        self.checkpoint = checkpoint
        self.list_view = list_view

    @property
    def current_key(self) -> Hashable:
        """Key of the row under the cursor, None without one."""
        return self.list_view.current_key

    def take_focus(self) -> None:
        """Put the focus on what the arrow keys should move in."""
        self.list_view.table.focus()

    def go_to(self, key: Hashable) -> bool:
        """Show the thing of this key; return whether it is here."""
        return self.list_view.go_to(key)

    def back(self) -> bool:
        """Close what is open in the pane; return False if there is nothing to close."""
        if self.list_view.back():
            return True
        if self.list_view.choice.problems_only:
            self.list_view.action_problems_only()
            return True
        return False

    def leads_to(self) -> Find:
        """Return what finds out where the thing under the cursor leads, in whatever thread."""
        return partial(links, self.checkpoint, self.current_key)

    def used_by(self) -> Find:
        """Return what finds out what refers to the thing under the cursor, in whatever thread."""
        return partial(users, self.checkpoint, self.current_key)

    def page_lines(self) -> Iterator[str]:
        """Yield what the pager shows of the thing under the cursor, printable lines."""
        return iter(())

    def action_pager(self) -> None:
        show_in_pager(self.app, self.page_lines())

    def action_go_to(self) -> None:
        def show(found: Sequence[Lead]) -> None:
            if len(found) == 1:
                self.follow(found[0].ref)
            else:
                _pick(self, found, "Leads to", "It leads nowhere else.")

        _look_up(self, self.leads_to(), show)

    def action_used_by(self) -> None:
        nothing = "No other object in this checkpoint refers to it."
        _look_up(self, self.used_by(), lambda found: _pick(self, found, "Used by", nothing))

    def follow(self, key: Hashable | None) -> None:
        """Ask for the thing of a key to be shown, None for nothing."""
        if key is not None:
            self.post_message(self.LinkFollowed(key))

    @on(VirtualTable.RowChosen)
    async def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        await self.run_action("open")

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        self.follow(message.link)


def _look_up(pane: Pane, find: Find, then: Callable[[Sequence[Lead]], None]) -> None:
    """Call `then` with what is found: at once, or after a job where it may take its time; not if
    the tab was left meanwhile."""

    def look(progress: Progress) -> Sequence[Lead]:
        progress.start("looking through all descriptors")
        return find()

    if len(pane.checkpoint.files) <= AT_ONCE:
        then(find())
    else:
        shown = "Looking up what refers to what"
        pane.list_view.run(shown, look, lambda found: then(found) if pane.display else None)


def _pick(pane: Pane, found: Sequence[Lead], heading: str, nothing: str) -> None:
    """Ask which of several links to follow."""
    if found:
        pane.app.push_screen(PickScreen(f"{heading} ({len(found):,})", found), pane.follow)
    else:
        pane.notify(nothing, markup=False)
