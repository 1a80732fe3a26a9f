"""Several checkpoints as a time line: what each step changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count
from ckpt_tui.formats.comparing import Link, compare_chain
from ckpt_tui.ui.commands import CHAIN, bound
from ckpt_tui.ui.opening import ShowCheckpoint, ShowComparison
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.chain import COLUMNS, link_rows, link_sections, memory_parts, no_memory
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import row_texts


class ChainScreen(AsksToFetch[None]):
    """Compares each target with the one before, in a job; enter shows the two of a step."""

    CSS_PATH = "chain.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bound("open add")
    name_in_commands = CHAIN

    def __init__(self, targets: Sequence[str]) -> None:
        super().__init__()
        self.targets = tuple(targets)
        self.links: list[Link] = []
        self._list = ListView(
            COLUMNS, empty="Comparing …", copied=row_texts, without=("sort", "reverse")
        )

    def compose(self) -> ComposeResult:
        yield TitleLine()
        with self._list, Vertical(classes="detail"):
            yield Facts()
            yield StackedBar(empty="")
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._list.table.focus()
        self._compare()

    @property
    def link(self) -> Link | None:
        """The checkpoint under the cursor."""
        key = self._list.current_key
        return self.links[key] if isinstance(key, int) else None

    def _compare(self) -> None:
        count = human_count(len(self.targets), "checkpoint")
        self.query_one(TitleLine).show(f"{count} in a row")
        stopped = self.job_stopped if self.links else None
        self.run_opening(
            "Comparing", self._compared, self._show, failed=self._fail, stopped=stopped
        )

    def _compared(self, progress: Progress) -> list[Link]:
        """Runs in a thread. Only the numbers are kept: a step is compared again when opened."""
        return [
            dataclasses.replace(link, difference=None)
            for link in compare_chain(self.targets, progress, before_fetching=self.before_fetching)
        ]

    def _show(self, links: list[Link]) -> None:
        self.links = links
        self._list.show(link_rows(links))
        self._show_detail()

    def _fail(self, error: CkptError) -> None:
        self.query_one(Facts).show(problem_sections(error))
        self._list.show(self._list.source, "Comparison failed")

    @on(VirtualTable.RowHighlighted)
    def _show_detail(self) -> None:
        if self.link is not None:
            self.query_one(Facts).show(link_sections(self.link))
            self.query_one(StackedBar).show(memory_parts(self.link), no_memory(self.link))

    @on(VirtualTable.RowChosen)
    def action_open(self) -> None:
        """Show the two checkpoints of a step; the first and a damaged one alone."""
        link = self.link
        if link is None or self.job_running:
            return
        if link.before:
            self.post_message(ShowComparison((link.before, link.target)))
        else:
            self.post_message(ShowCheckpoint(link.target))

    def action_add_checkpoint(self) -> None:
        """Ask for one more, and compare all anew."""

        def add(target: str | None) -> None:
            if target:
                self.targets = (*self.targets, target)
                self._compare()

        self.app.push_screen(AskScreen.for_target("one more", self.targets[-1]), add)
