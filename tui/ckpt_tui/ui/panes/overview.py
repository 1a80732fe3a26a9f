"""The first tab, everything that matters on one page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.stacks import ShowsStacks
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import COPY_ONLY, ListView
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.facts import fact_lines
from ckpt_tui.views.overview import component_parts, overview_sections
from ckpt_tui.views.process_tree import COLUMNS, ProcessTree, Stacks
from ckpt_tui.views.table import RowSource


class OverviewPane(ShowsStacks, Pane):
    """Facts on the left; processes and sizes on the right."""

    BINDINGS: ClassVar[list[BindingType]] = bound("used-by", "pager")

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        shown = ListView(
            COLUMNS[:4],
            self._rows(checkpoint),
            empty="No processes: pstree.img is missing or empty",
            without=COPY_ONLY,
        )
        super().__init__(opened, checkpoint, shown)

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Facts(overview_sections(self.checkpoint), classes="facts")
            with Vertical(classes="inside"):
                yield self.list_view
                yield StackedBar(component_parts(self.checkpoint), empty="No bytes")

    def _rows(self, checkpoint: Checkpoint) -> RowSource:
        return ProcessTree(checkpoint, self.stacks, None, self.reads_stacks).rows()

    def take_stacks(self, stacks: Stacks, *, reading: bool) -> None:
        super().take_stacks(stacks, reading=reading)
        self.list_view.show(self._rows(self.checkpoint))

    def page_lines(self) -> Iterator[str]:
        lines = fact_lines(overview_sections(self.checkpoint), PAGER_WIDTH)
        return (line.text.plain for line in lines)

    def watch_reveals(self) -> None:
        self.query_one(Facts).show(overview_sections(self.checkpoint))

    @on(VirtualTable.RowHighlighted)
    def _quiet(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()

    def action_open(self) -> None:
        self.follow(self.current_key)
