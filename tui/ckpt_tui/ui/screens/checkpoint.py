"""A checkpoint: one line of facts, tabs, and what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import CHECKPOINT, bound, tab_bindings
from ckpt_tui.ui.jobs import ResultT, Task
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.switcher import PaneSwitcher, Stop
from ckpt_tui.ui.panes.table import PANES, TABS, pane_holding, pane_number
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.reading import Found, check, open_target, read_all
from ckpt_tui.ui.screens.stacks_job import read_stacks
from ckpt_tui.ui.screens.title import Title
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.tab_line import ListLine, TabLine
from ckpt_tui.views.problem import problem_sections

FETCHED_S = 0.5
"""Seconds between looking how many bytes downloaded."""

STOPPED = "The checks were stopped. Open the checkpoint anew to run them."


class CheckpointScreen(AsksToFetch[None]):
    """Opens one target in a job and shows its tabs."""

    CSS_PATH = "checkpoint.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bound("", "back convert diagnose log formats"),
        *tab_bindings(TABS),
    ]
    name_in_commands = CHECKPOINT
    binders: tuple[type[Widget], ...] = (ListView, PaneSwitcher, *(pane.kind for pane in PANES))
    """What binds keys on this screen, sooner or later."""

    def __init__(self, target: str, tab: str = "Overview", key: Hashable = None) -> None:
        """`tab` is the name of the one shown first; `key` that of a thing to show instead."""
        super().__init__()
        self._first_key = key
        self.target = target
        self._first_tab = tab
        self.diagnosis: TargetDiagnosis | None = None
        self.opened: OpenCheckpoint | None = None
        self.checkpoint: Checkpoint | None = None
        self._wanted: Stop | None = None
        """What was asked for and is not shown yet."""
        self._history: list[Stop] = []

    def compose(self) -> ComposeResult:
        yield Title(self.target)
        yield TabLine(TABS)
        yield ListLine()
        yield PaneSwitcher()
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        async def cannot_open(error: CkptError) -> None:
            sections = problem_sections(error)
            await self.switcher.mount(Facts(sections, id="failed", classes="problem"))
            self.switcher.current = "failed"

        self.run_opening(
            f"Opening {self.target}",
            partial(open_target, self.target, self.before_fetching),
            self._take,
            lambda found: found[0].close(),
            failed=cannot_open,
        )

    def _take(self, found: Found) -> None:
        """Show what was read at first."""
        self.opened, checkpoint = found
        holder = None if self._first_key is None else pane_holding(self._first_key)
        first = pane_number(self._first_tab) if holder is None else holder
        self._show_checkpoint(checkpoint)
        self.action_show_pane(first, self._first_key)
        if self.opened.transferred is not None:
            self.set_interval(FETCHED_S, self._show_transferred)

    async def _take_whole(self, checkpoint: Checkpoint) -> None:
        """Take all of a checkpoint in place of what was read at first."""
        before = self.checkpoint
        assert before is not None
        stop = self._wanted or self.switcher.stop
        self._show_checkpoint(checkpoint)
        if await self.switcher.take(checkpoint, before, self._wanted is not None):
            self.action_show_pane(*stop)

    def _show_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint, and go on with what is not known of it yet."""
        title = self.query_one(Title)
        assert self.opened is not None
        self.checkpoint = title.checkpoint = checkpoint
        title.waiting = "checking …" if checkpoint.is_loaded else "reading …"
        if checkpoint.is_loaded:
            self._run("Checking", partial(check, self.opened, checkpoint), self._take_diagnosis)
        else:
            self._read_the_rest()
        self._show_transferred()
        title.redraw()

    def _read_the_rest(self) -> None:
        has_descriptors = self.checkpoint is not None and self.checkpoint.has_descriptors
        assert self.opened is not None
        what = "changed files" if has_descriptors else "descriptors"
        self._run(f"Reading {what}", partial(read_all, self.opened), self._take_whole)

    def _run(self, name: str, task: Task[ResultT], then: Callable[[ResultT], object]) -> None:
        """Run a job without which the checkpoint is shown all the same, but not checked."""
        self.run(
            name,
            task,
            then,
            failed=lambda error: self._give_up_checks(printable(str(error))),
            stopped=lambda: self._give_up_checks(STOPPED),
        )

    def _show_transferred(self) -> None:
        """Views fetch on, page by page."""
        if self.opened is not None and (title := self.query_one_optional(Title)):
            title.show_transferred(self.opened.transferred)

    def _take_diagnosis(self, diagnosis: TargetDiagnosis) -> None:
        title = self.query_one(Title)
        self.diagnosis = title.diagnosis = diagnosis
        self.switcher.take_diagnosis(diagnosis)
        self._show_transferred()
        title.redraw()
        assert self.opened is not None
        assert self.checkpoint is not None
        read_stacks(self, self.switcher, self.opened, self.checkpoint)

    def _give_up_checks(self, why: str) -> None:
        title = self.query_one_optional(Title)
        if title is not None:  # the screen was not left meanwhile
            title.waiting = "not checked"
            title.redraw()
            self.switcher.take_diagnosis(self.diagnosis, why)

    def on_unmount(self) -> None:
        if self.opened is not None:
            self.opened.close()

    @property
    def switcher(self) -> PaneSwitcher:
        """The tabs."""
        return self.query_one(PaneSwitcher)

    @property
    def pane(self) -> Pane | None:
        """The tab that is shown."""
        switcher = self.query_one_optional(PaneSwitcher)
        return switcher.pane if switcher else None

    def action_show_tab(self, number: int) -> None:
        """Show a tab by its number, with the list that was shown there last."""
        if 1 <= number <= len(TABS):
            self.action_show_pane(self.switcher.number_in(TABS[number - 1]))

    @work(exclusive=True, group="tabs")
    async def action_show_pane(self, number: int, key: Hashable = None) -> None:
        """Show a list by its number, made when first shown, and there the thing of `key`."""
        if self.opened is None or self.checkpoint is None:
            return
        has_descriptors = self.checkpoint.has_descriptors
        shows_what_lacks = number > 1 if not has_descriptors else "delta" in PANES[number - 1].holds
        if shows_what_lacks and not self.checkpoint.is_loaded and not self.job_running:
            self._read_the_rest()
        self._wanted = (number, key)
        if not has_descriptors and number > 1:
            self.notify("The tab opens when the descriptors are read.", markup=False)
            number, key = 1, None
        while self.is_attached and (pane := self.switcher.shown(number, self.checkpoint)) is None:
            await self.switcher.make(number, self.opened, self.checkpoint)
        if not self.is_attached or pane is None:  # the screen was left meanwhile
            return
        if has_descriptors:
            self._wanted = None
        self.switcher.show(pane, number)
        self.query_one(TabLine).show(TABS.index(PANES[number - 1].tab) + 1)
        self.query_one(ListLine).show([(n, PANES[n - 1].name) for n in self.switcher.lists], number)
        pane.take_focus()
        if key is not None and not pane.go_to(key):
            self.notify("It is not in this checkpoint.", severity="warning", markup=False)
        self.refresh_bindings()

    @on(Pane.LinkFollowed)
    def _follow(self, message: Pane.LinkFollowed) -> None:
        """Show the thing of a key in its tab; escape comes back from there."""
        message.stop()
        number = pane_holding(message.key)
        if number is not None:
            self._history.append(self.switcher.stop)
            self.action_show_pane(number, message.key)

    def action_diagnose(self) -> None:
        self.action_show_pane(pane_number("Diagnosis"))

    def action_convert(self) -> None:
        from ckpt_tui.ui.screens.convert import ConvertScreen

        self.app.push_screen(ConvertScreen(self.target))

    def action_formats(self) -> None:
        from ckpt_tui.ui.screens.formats import FormatsScreen

        self.app.push_screen(FormatsScreen(self.target))

    def back(self) -> bool:
        unasked = self.switcher.reads_stacks
        if self.cancel_job() and not unasked:
            return True
        if self.pane and self.pane.back():
            return True
        if self._history:
            self.action_show_pane(*self._history.pop())
            return True
        return False
