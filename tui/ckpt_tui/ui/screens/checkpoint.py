"""A checkpoint: one line of facts, tabs, and what is under the cursor."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.widgets import ContentSwitcher, Static

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import CHECKPOINT, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed, JobHost
from ckpt_tui.ui.panes.list_pane import Pane
from ckpt_tui.ui.panes.table import PANES, pane_holding
from ckpt_tui.ui.rows.overview import title_line
from ckpt_tui.ui.rows.problem import problem_sections
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.ui.widgets.tab_line import TabLine


class Title(Lines):
    """The first line."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target
        self.checkpoint: Checkpoint | None = None

    def lines(self, width: int) -> list[Text]:
        if self.checkpoint is None:
            return [Text(f" {self._target}", "strong")]
        return [title_line(self.checkpoint, width)]


class CheckpointScreen(JobHost, Screen[None]):
    """Opens one target in a job and shows its tabs."""

    CSS_PATH = "checkpoint.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(CHECKPOINT)]
    name_in_commands = CHECKPOINT

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target
        self.opened: OpenCheckpoint | None = None
        self.checkpoint: Checkpoint | None = None
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
        self.start_job(f"Opening {self.target}", self._open)

    def _open(self, progress: Progress) -> tuple[OpenCheckpoint, Checkpoint]:
        opened = open_checkpoint(self.target, progress)
        try:
            return opened, opened.load(progress)
        except BaseException:
            opened.close()
            raise

    @on(JobDone)
    def _opened(self, message: JobDone) -> None:
        assert isinstance(message.result, tuple)
        self.opened, self.checkpoint = message.result
        title = self.query_one(Title)
        title.checkpoint = self.checkpoint
        title.redraw()
        self.action_show_tab(1)

    @on(JobFailed)
    async def _failed(self, message: JobFailed) -> None:
        switcher = self.query_one(ContentSwitcher)
        await switcher.mount(Facts(problem_sections(message.error), id="failed", classes="problem"))
        switcher.current = "failed"

    @on(JobCancelled)
    def _cancelled(self) -> None:
        self.dismiss()

    def on_unmount(self) -> None:
        if self.opened is not None:
            self.opened.close()

    @property
    def pane(self) -> Pane | None:
        """The tab that is shown."""
        current = self.query_one(ContentSwitcher).current
        return self.query_one(f"#{current}", Pane) if (current or "").startswith("pane") else None

    @on(TabLine.TabChosen)
    def _tab(self, message: TabLine.TabChosen) -> None:
        self.action_show_tab(message.number)

    @work(exclusive=True, group="tabs")
    async def action_show_tab(self, number: int, key: Hashable = None) -> None:
        """Show a tab by its number, made when first shown, and there the thing of `key`."""
        if self.opened is None or self.checkpoint is None or not 1 <= number <= len(PANES):
            return
        switcher = self.query_one(ContentSwitcher)
        identity = f"pane-{number}"
        if not self.query(f"#{identity}"):
            pane = PANES[number - 1].make(self.opened, self.checkpoint)
            pane.id = identity
            await switcher.mount(pane)
            pane.reveal_secrets(self._reveal)
        switcher.current = identity
        self.query_one(TabLine).show(number)
        shown = self.query_one(f"#{identity}", Pane)
        shown.take_focus()
        if key is not None and not shown.go_to(key):
            self.notify("It is not in this checkpoint.", severity="warning", markup=False)
        self.refresh_bindings()

    @on(Pane.LinkFollowed)
    def _follow(self, message: Pane.LinkFollowed) -> None:
        index = pane_holding(message.key)
        if index is not None:
            self._history.append((self._current_number(), self._current_key()))
            self.action_show_tab(index + 1, message.key)

    def _current_number(self) -> int:
        current = self.query_one(ContentSwitcher).current or ""
        return int(current.removeprefix("pane-")) if current.startswith("pane-") else 1

    def _current_key(self) -> Hashable:
        return self.pane.current_key if self.pane else None

    def action_open(self) -> None:
        if self.pane:
            self.pane.choose()

    def action_toggle_branch(self) -> None:
        if self.pane:
            self.pane.toggle()

    def action_filter(self) -> None:
        if self.pane:
            self.pane.begin_search("filter")

    def action_search(self) -> None:
        if self.pane:
            self.pane.begin_search("search")

    def action_next_match(self) -> None:
        if self.pane:
            self.pane.step(1)

    def action_previous_match(self) -> None:
        if self.pane:
            self.pane.step(-1)

    def action_sort(self) -> None:
        if self.pane:
            self.pane.sort(reverse=False)

    def action_reverse(self) -> None:
        if self.pane:
            self.pane.sort(reverse=True)

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
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

    def action_convert(self) -> None:
        from ckpt_tui.ui.screens.convert import ConvertScreen

        self.app.push_screen(ConvertScreen(self.target))

    def action_back(self) -> None:
        if self.cancel_job():
            return
        if self.pane and self.pane.back():
            return
        if self._history:
            number, key = self._history.pop()
            self.action_show_tab(number, key)
            return
        self.dismiss()

    def action_leave(self) -> None:
        self.cancel_job()
        self.dismiss()
