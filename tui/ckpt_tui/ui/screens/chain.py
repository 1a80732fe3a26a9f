"""Several checkpoints as a time line: what each step changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count
from ckpt_tui.formats.comparing import Link, compare_chain
from ckpt_tui.ui.clipboard import send_row
from ckpt_tui.ui.commands import CHAIN, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed
from ckpt_tui.ui.screens.compare import CompareScreen, ask_for_one_more
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.chain import COLUMNS, link_rows, link_sections, memory_parts, no_memory
from ckpt_tui.views.problem import problem_sections


class ChainScreen(AsksToFetch, JobScreen[None]):
    """Compares each target with the one before, in a job; enter shows the two of a step."""

    CSS_PATH = "chain.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(CHAIN)]
    name_in_commands = CHAIN

    def __init__(self, targets: Sequence[str]) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self.links: list[Link] = []

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Vertical(classes="list"):
            yield VirtualTable(COLUMNS, empty="Comparing …")
        with Vertical(classes="detail"):
            yield Facts()
            yield StackedBar(empty="")
        yield JobBar()
        yield KeyLine(CHAIN)

    def on_mount(self) -> None:
        self.table.focus()
        self._compare()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def link(self) -> Link | None:
        """The checkpoint under the cursor."""
        row = self.table.highlighted
        return self.links[row.key] if row and isinstance(row.key, int) else None

    def _compare(self) -> None:
        count = human_count(len(self.targets), "checkpoint")
        self.query_one("#title", Static).update(Content(f" {count} in a row"))
        self.start_job("Comparing", self._links)

    def _links(self, progress: Progress) -> list[Link]:
        """Runs in a thread. Only the numbers are kept: a step is compared again when opened."""
        return [
            dataclasses.replace(link, difference=None)
            for link in compare_chain(self.targets, progress, before_fetching=self.before_fetching)
        ]

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if isinstance(message.result, list):
            self.links = message.result
            self.table.set_rows(link_rows(self.links))
            self._show_detail()

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self.ask_to_fetch(message.error, self._compare, self.dismiss):
            return
        self.query_one(Facts).show(problem_sections(message.error))
        self.table.set_rows(self.table.rows, "They cannot be compared")

    @on(JobCancelled)
    def _cancelled(self) -> None:
        if not self.links:
            self.dismiss()

    @on(VirtualTable.RowHighlighted)
    def _show_detail(self) -> None:
        if self.link is not None:
            self.query_one(Facts).show(link_sections(self.link))
            self.query_one(StackedBar).show(memory_parts(self.link), no_memory(self.link))

    @on(VirtualTable.RowChosen)
    def _chosen(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        """Show the two checkpoints of a step; the first and a damaged one alone."""
        link = self.link
        if link is None or self.job_running:
            return
        if link.before:
            self.app.push_screen(CompareScreen(link.before, link.target))
        else:
            from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

            self.app.push_screen(CheckpointScreen(link.target))

    def action_add_checkpoint(self) -> None:
        """Ask for one more, and compare all anew."""

        def add(target: str | None) -> None:
            if target:
                self.targets = (*self.targets, target)
                self._compare()

        self.app.push_screen(ask_for_one_more(self.targets[-1]), add)

    async def action_copy(self) -> None:
        await send_row(self.app, self.table.highlighted)
