"""The first tab, everything that matters on one page; and the tab of sizes."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Static

from ckpt_tui.ui.panes.list_pane import Pane
from ckpt_tui.ui.rows.overview import component_parts, overview_sections, share_parts
from ckpt_tui.ui.rows.processes import COLUMNS, process_rows
from ckpt_tui.ui.rows.table import ListRows
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.size_bars import SizeBars, StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable

SHOWN_FILES = 40
"""Largest files among the bars; `ckpt-tui sizes` and the tab Images have the others."""


class OverviewPane(Pane):
    """Facts on the left; processes and sizes on the right."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Facts(overview_sections(self.checkpoint), classes="facts")
            with Vertical(classes="inside"):
                yield VirtualTable(
                    COLUMNS[:3],
                    ListRows(process_rows(self.checkpoint)),
                    empty="No processes: pstree.img is missing or empty",
                )
                yield StackedBar(component_parts(self.checkpoint), empty="No bytes")

    def take_focus(self) -> None:
        self.query_one(VirtualTable).focus()

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


class SizesPane(Pane):
    """Where the bytes are, each breakdown on a scale of its own."""

    def compose(self) -> ComposeResult:
        sizes = self.checkpoint.sizes
        with VerticalScroll():
            yield Static("By component", classes="heading")
            yield StackedBar(component_parts(self.checkpoint), empty="No bytes")
            for title, shares, meaning, empty in (
                ("By process", sizes.processes, "pages", "No dumped memory"),
                ("By kind of memory", sizes.memory, "pages", "No dumped memory"),
                ("By kind of image", sizes.images, "images", "No images"),
                ("Largest files", sizes.files[:SHOWN_FILES], "metadata", "No files"),
            ):
                yield Static(title, classes="heading")
                yield SizeBars(share_parts(shares, meaning), empty=empty)

    def take_focus(self) -> None:
        self.query_one(VerticalScroll).focus()
