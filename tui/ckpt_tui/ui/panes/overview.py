"""The first tab, everything that matters on one page."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.facts import fact_lines
from ckpt_tui.views.overview import component_parts, overview_sections
from ckpt_tui.views.processes import COLUMNS, process_rows


class OverviewPane(Pane):
    """Facts on the left; processes and sizes on the right."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset(("open", "go_to", "used_by", "pager"))

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Facts(overview_sections(self.checkpoint), classes="facts")
            with Vertical(classes="inside"):
                yield VirtualTable(
                    COLUMNS[:3],
                    process_rows(self.checkpoint),
                    empty="No processes: pstree.img is missing or empty",
                )
                yield StackedBar(component_parts(self.checkpoint), empty="No bytes")

    def take_focus(self) -> None:
        self.query_one(VirtualTable).focus()

    @property
    def current_key(self) -> Hashable:
        row = self.query_one(VirtualTable).highlighted
        return row.key if row else None

    def go_to(self, key: Hashable) -> bool:
        return self.query_one(VirtualTable).go_to(key)

    def page_lines(self) -> Iterator[str]:
        for line in fact_lines(overview_sections(self.checkpoint), PAGER_WIDTH):
            yield line.text.plain

    def reveal_secrets(self, reveal: bool) -> None:
        del reveal  # the checkpoint's own values, which all texts have or have not
        self.query_one(Facts).show(overview_sections(self.checkpoint))

    @on(VirtualTable.RowHighlighted)
    def _quiet(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()

    @on(VirtualTable.RowChosen)
    def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.choose()

    def choose(self) -> None:
        row = self.query_one(VirtualTable).highlighted
        if row is not None:
            self.post_message(self.LinkFollowed(row.key))
