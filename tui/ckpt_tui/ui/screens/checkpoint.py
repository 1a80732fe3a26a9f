"""A checkpoint: one line of facts, tabs, and what is under the cursor."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import ClassVar
from weakref import ref

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import ContentSwitcher, Static

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.host import this_host
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.ui import collector
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import CHECKPOINT, DIAGNOSIS_TAB, bindings_for
from ckpt_tui.ui.jobs import ResultT, Task
from ckpt_tui.ui.panes.diagnosis import DiagnosisPane
from ckpt_tui.ui.panes.overview import OverviewPane
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.table import PANES, pane_holding
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.pane_actions import PaneActions
from ckpt_tui.ui.screens.pick import PickScreen
from ckpt_tui.ui.screens.title import Title
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.tab_line import TabLine
from ckpt_tui.views.diagnosis import problem_keys
from ckpt_tui.views.links import Lead
from ckpt_tui.views.problem import problem_sections

FETCHED_S = 0.5
"""Seconds between looking how many bytes downloaded."""


STOPPED = "The checks were stopped. Open the checkpoint anew to run them."


class CheckpointScreen(AsksToFetch[None], PaneActions):
    """Opens one target in a job and shows its tabs."""

    CSS_PATH = "checkpoint.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(CHECKPOINT)]
    name_in_commands = CHECKPOINT

    def __init__(self, target: str, tab: int = 1, key: Hashable = None) -> None:
        """`tab` is the number of the one shown first; `key` that of a thing to show instead."""
        super().__init__()
        self._first_key = key
        self.target = target
        self._first_tab = tab
        self.diagnosis: TargetDiagnosis | None = None
        self._unchecked = ""
        """Why there is no diagnosis and none to come."""
        self.opened: OpenCheckpoint | None = None
        self.checkpoint: Checkpoint | None = None
        self._wanted: tuple[int, Hashable] | None = None
        """The tab, and the key in it, that was asked for and is not shown yet."""
        self._reveal = False
        self._history: list[tuple[int, Hashable]] = []

    def compose(self) -> ComposeResult:
        yield Title(self.target)
        yield TabLine([(p.name, p.short) for p in PANES])
        with ContentSwitcher(id="tabs"):
            yield Static("", id="waiting")
        yield JobBar()
        yield KeyLine(CHECKPOINT)

    def on_mount(self) -> None:
        self.run_opening(
            f"Opening {self.target}",
            self._open,
            self._take,
            lambda found: found[0].close(),
            failed=self._cannot_open,
        )

    def _open(self, progress: Progress) -> tuple[OpenCheckpoint, Checkpoint]:
        opened = open_checkpoint(self.target, progress, before_fetching=self.before_fetching)
        try:
            checkpoint = opened.load_first(progress)
            index_of(checkpoint, progress)
            return opened, checkpoint
        except BaseException:
            opened.close()
            raise

    def _take(self, found: tuple[OpenCheckpoint, Checkpoint]) -> None:
        """Show what was read at first."""
        self.opened, checkpoint = found
        holder = None if self._first_key is None else pane_holding(self._first_key)
        first = self._first_tab if holder is None else holder + 1
        self._show_checkpoint(checkpoint)
        self.action_show_tab(first, self._first_key)
        if self.opened.transferred is not None:
            self.set_interval(FETCHED_S, self._show_transferred)

    async def _take_whole(self, checkpoint: Checkpoint) -> None:
        """Take all of a checkpoint in place of what was read at first."""
        assert self.checkpoint is not None
        number, key = self._wanted or (self._current_number(), self._current_key())
        outdated = OverviewPane if self.checkpoint.has_descriptors else Pane
        is_outdated = self._wanted is not None or isinstance(self.pane, outdated)
        if is_outdated:
            self.query_one(ContentSwitcher).current = "waiting"
        for pane in self.query(Pane):
            if not isinstance(pane, outdated):
                pane.checkpoint = checkpoint
        removal = self.query(outdated).remove()
        self._show_checkpoint(checkpoint)
        await removal
        if is_outdated:
            self.action_show_tab(number, key)

    def _show_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint, and go on with what is not known of it yet."""
        title = self.query_one(Title)
        self.checkpoint = title.checkpoint = checkpoint
        self._unchecked = ""
        title.waiting = "checking …" if checkpoint.is_loaded else "reading …"
        if checkpoint.is_loaded:
            self._run("Checking", self._check, self._take_diagnosis)
        else:
            self._read_the_rest()
        self._show_transferred()
        title.redraw()

    def _read_the_rest(self) -> None:
        has_descriptors = self.checkpoint is not None and self.checkpoint.has_descriptors
        what = "changed files" if has_descriptors else "descriptors"
        self._run(f"Reading {what}", self._read_all, self._take_whole)

    def _run(self, name: str, task: Task[ResultT], then: Callable[[ResultT], object]) -> None:
        """Run a job without which the checkpoint is shown all the same, but not checked."""
        self.run(
            name,
            task,
            then,
            failed=lambda error: self._give_up_checks(printable(str(error))),
            stopped=lambda: self._give_up_checks(STOPPED),
        )

    def _read_all(self, progress: Progress) -> Checkpoint:
        assert self.opened is not None
        checkpoint = self.opened.load(progress)
        index_of(checkpoint, progress)
        return checkpoint

    def _show_transferred(self) -> None:
        """Views fetch on, page by page."""
        if self.opened is not None and (title := self.query_one_optional(Title)):
            title.show_transferred(self.opened.transferred)

    def _check(self, progress: Progress) -> TargetDiagnosis:
        assert self.opened is not None
        assert self.checkpoint is not None
        with base_tree(self.opened, "", progress) as base:
            return diagnose_opened(self.opened, self.checkpoint, progress, this_host(), base)

    def _take_diagnosis(self, diagnosis: TargetDiagnosis) -> None:
        title = self.query_one(Title)
        self.diagnosis = title.diagnosis = diagnosis
        self._show_diagnosis()
        self._show_transferred()
        title.redraw()

    def _show_diagnosis(self) -> None:
        if self.diagnosis is not None:
            keys = problem_keys(self.diagnosis)
            for pane in self.query(Pane):
                pane.problem_keys = keys
                if isinstance(pane, DiagnosisPane):
                    pane.fill(self.diagnosis)
        elif self._unchecked:
            for pane in self.query(DiagnosisPane):
                pane.give_up(self._unchecked)

    def _give_up_checks(self, why: str) -> None:
        title = self.query_one_optional(Title)
        if title is None:  # the screen was left meanwhile
            return
        self._unchecked, title.waiting = why, "not checked"
        title.redraw()
        self._show_diagnosis()

    async def _cannot_open(self, error: CkptError) -> None:
        switcher = self.query_one(ContentSwitcher)
        await switcher.mount(Facts(problem_sections(error), id="failed", classes="problem"))
        switcher.current = "failed"

    def on_unmount(self) -> None:
        # set from the app's own handler: one set here would keep this screen as who started it
        give_back = partial(collector.give_back, self.app, ref(self))
        self.app.call_later(self.app.set_timer, collector.LEFT_S, give_back)
        if self.opened is not None:
            self.opened.close()

    @property
    def reveals(self) -> bool:
        """Whether secrets are shown."""
        return self._reveal

    @property
    def pane(self) -> Pane | None:
        """The tab that is shown."""
        switcher = self.query_one_optional(ContentSwitcher)
        current = (switcher.current if switcher else "") or ""
        return self.query_one(f"#{current}", Pane) if current.startswith("pane") else None

    @on(TabLine.TabChosen)
    def _tab(self, message: TabLine.TabChosen) -> None:
        self.action_show_tab(message.number)

    @work(exclusive=True, group="tabs")
    async def action_show_tab(self, number: int, key: Hashable = None) -> None:
        """Show a tab by its number, made when first shown, and there the thing of `key`."""
        if self.opened is None or self.checkpoint is None or not 1 <= number <= len(PANES):
            return
        has_descriptors = self.checkpoint.has_descriptors
        shows_what_lacks = number > 1 if not has_descriptors else "delta" in PANES[number - 1].holds
        if shows_what_lacks and not self.checkpoint.is_loaded and not self.job_running:
            self._read_the_rest()
        self._wanted = (number, key)
        if not has_descriptors and number > 1:
            self.notify("The tab opens when the descriptors are read.", markup=False)
            number, key = 1, None
        switcher = self.query_one_optional(ContentSwitcher)
        identity = f"pane-{number}"
        pane = self.query_one_optional(f"#{identity}", Pane)
        while switcher is not None and (pane is None or pane.checkpoint is not self.checkpoint):
            if pane is not None:  # the rest was read while it was made
                await pane.remove()
            pane = PANES[number - 1].make(self.opened, self.checkpoint)
            pane.id = identity
            await switcher.mount(pane)
            pane.reveal_secrets(self._reveal)
            self._show_diagnosis()
        tabs = self.query_one_optional(TabLine)
        shown = self.query_one_optional(f"#{identity}", Pane)
        if switcher is None or tabs is None or shown is None:  # the screen was left meanwhile
            return
        if has_descriptors:
            self._wanted = None
        switcher.current = identity
        tabs.show(number)
        shown.take_focus()
        if key is not None and not shown.go_to(key):
            self.notify("It is not in this checkpoint.", severity="warning", markup=False)
        self.refresh_bindings()

    @on(Pane.LinkFollowed)
    def _follow(self, message: Pane.LinkFollowed) -> None:
        message.stop()
        self._show(message.key)

    def _show(self, key: Hashable) -> None:
        """Show the thing of a key in its tab; escape comes back from there."""
        index = pane_holding(key)
        if index is not None:
            self._history.append((self._current_number(), self._current_key()))
            self.action_show_tab(index + 1, key)

    def action_go_to(self) -> None:
        if self.pane:
            then = partial(
                self._pick, self.pane, heading="Leads to", nothing="It leads nowhere else."
            )
            self.pane.look_up(self.pane.leads_to(), then)

    def action_used_by(self) -> None:
        if self.pane:
            nobody = "Nobody else in this checkpoint refers to it."
            then = partial(self._pick, self.pane, heading="Used by", nothing=nobody, ask=True)
            self.pane.look_up(self.pane.used_by(), then)

    def _pick(
        self, pane: Pane, found: Sequence[Lead], *, heading: str, nothing: str, ask: bool = False
    ) -> None:
        """Go where the only link leads, or ask which one of several; `ask` shows one, too. Who
        left the tab meanwhile is not called back."""
        if pane is not self.pane:
            return
        if not found:
            self.notify(nothing, markup=False)
        elif len(found) == 1 and not ask:
            self._show(found[0].ref)
        else:
            self.app.push_screen(PickScreen(f"{heading} ({len(found):,})", found), self._picked)

    def _picked(self, key: Hashable | None) -> None:
        if key is not None:
            self._show(key)

    def _current_number(self) -> int:
        current = self.query_one(ContentSwitcher).current or ""
        return int(current.removeprefix("pane-")) if current.startswith("pane-") else 1

    def _current_key(self) -> Hashable:
        return self.pane.current_key if self.pane else None

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
        if self.opened is not None:
            self.opened.secrets.reveal(self._reveal)
        for pane in self.query(Pane):
            pane.reveal_secrets(self._reveal)

    async def action_copy(self) -> None:
        await self._copy(whole_row=False)

    async def action_copy_row(self) -> None:
        await self._copy(whole_row=True)

    async def _copy(self, *, whole_row: bool) -> None:
        text = self.pane.copy_text(whole_row=whole_row) if self.pane else ""
        if text:
            await send_to_clipboard(self.app, text, "the row" if whole_row else "the value")

    def action_diagnose(self) -> None:
        self.action_show_tab(DIAGNOSIS_TAB)

    def action_convert(self) -> None:
        from ckpt_tui.ui.screens.convert import ConvertScreen

        self.app.push_screen(ConvertScreen(self.target))

    def action_formats(self) -> None:
        from ckpt_tui.ui.screens.formats import FormatsScreen

        self.app.push_screen(FormatsScreen(self.target))

    def back(self) -> bool:
        if self.cancel_job() or (self.pane and self.pane.back()):
            return True
        if self._history:
            number, key = self._history.pop()
            self.action_show_tab(number, key)
            return True
        return False
