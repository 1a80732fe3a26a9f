"""The first tab, everything that matters on one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.styled import Styled
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.stacks import ShowsStacks
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.ui.widgets.list_view import COPY_ONLY, ListView
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.dashboard import dashboard, fix_of
from ckpt_tui.views.facts import fact_lines
from ckpt_tui.views.overview import component_parts, overview_sections
from ckpt_tui.views.process_tree import COLUMNS, ProcessTree, Stacks
from ckpt_tui.views.table import Row, RowSource, plain


class Dashboard(Lines):
    """What matters first; a click on a line shows the tab that it is of."""

    @dataclass
    class TabWanted(Message):
        """A click on a line; `tab` is the name of the tab that it is of."""

        tab: str

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(classes="dashboard")
        self._checkpoint = checkpoint
        self.diagnosis: TargetDiagnosis | None = None
        self._unchecked = ""
        self._tabs: list[str] = []

    def fill(self, diagnosis: TargetDiagnosis | None, unchecked: str = "") -> None:
        """Show a diagnosis, or why there is none."""
        self.diagnosis, self._unchecked = diagnosis, unchecked
        self.redraw()

    def lines(self, width: int) -> Sequence[Styled]:
        found = dashboard(self._checkpoint, self.diagnosis, self._unchecked, width)
        self._tabs = [line.tab for line in found]
        return [line.text for line in found]

    def on_click(self, event: events.Click) -> None:
        tab = self._tabs[event.y] if event.y < len(self._tabs) else ""
        if tab:
            event.stop()
            self.post_message(self.TabWanted(tab))


class OverviewPane(ShowsStacks, Pane):
    """The dashboard, the processes, and below them all facts and sizes."""

    BINDINGS: ClassVar[list[BindingType]] = bound("used-by", "pager")

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        shown = ListView(
            COLUMNS[:4],
            self._rows(checkpoint),
            empty="No processes: pstree.img is missing or empty",
            copied=self._copied,
            without=COPY_ONLY,
        )
        self.dashboard = Dashboard(checkpoint)
        super().__init__(opened, checkpoint, shown)

    def compose(self) -> ComposeResult:
        yield self.dashboard
        yield self.list_view
        yield Facts(overview_sections(self.checkpoint), classes="facts")
        yield StackedBar(component_parts(self.checkpoint), empty="No bytes")

    def _copied(self, row: Row) -> str:
        """Return the fix that the dashboard shows; without one the command of the process."""
        return fix_of(self.dashboard.diagnosis) or plain(row.cells[1]).strip()

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
