"""A list on the left, the thing under its cursor on the right: what most tabs are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.known_values import known_values
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.facts import Section, fact_lines
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.table import Column, ListRows, Row, RowSource, plain


@dataclass(frozen=True, slots=True)
class ListOf:
    """What one list shows."""

    rows: Callable[[Checkpoint], RowSource | list[Row]]
    columns: Sequence[Column]
    empty: str
    """Said if there are no rows."""
    copied_column: int = 0
    """Index of the column that the copy key takes."""
    is_problem: Callable[[Checkpoint, Row], bool] | None = None
    """Whether a row has a problem, where rows of this list can have one."""

    def with_rows(self, rows: Callable[[Checkpoint], RowSource | list[Row]]) -> ListOf:
        """Return the same list of other rows."""
        return replace(self, rows=rows)

    def source(self, checkpoint: Checkpoint) -> RowSource:
        """Return the rows of a checkpoint as a table takes them."""
        rows = self.rows(checkpoint)
        return ListRows(rows) if isinstance(rows, list) else rows

    def copied(self, row: Row) -> str:
        """Return what the copy key takes of a row."""
        return plain(row.cells[self.copied_column]).strip(f"{OPEN}{SHUT} ")


class ListPane(Pane):
    """Rows that can be filtered and sorted, with a panel for the one under the cursor. Class
    `-detail`: on a narrow terminal the panel takes the place of the list."""

    BINDINGS: ClassVar[list[BindingType]] = bound("used-by", "pager")
    not_offered: tuple[str, ...] = ()
    """Actions of the list that mean something else in this tab, or nothing."""

    def __init__(
        self,
        opened: OpenCheckpoint,
        checkpoint: Checkpoint,
        shown: ListOf,
        detail: Widget | None = None,
        below: Iterable[Widget] = (),
    ) -> None:
        """`detail` is the panel, facts by default; `below` is under the list or in its place."""
        self.shown = shown
        self.detail = Facts() if detail is None else detail
        self.detail.add_class("detail")
        rows = shown.source(checkpoint)
        super().__init__(
            opened,
            checkpoint,
            ListView(
                shown.columns,
                rows,
                empty=shown.empty,
                copied=shown.copied,
                is_problem=partial(_is_problem, self),
                without=self.not_offered,
                below=below,
            ),
        )

    def compose(self) -> ComposeResult:
        with self.list_view:
            yield self.detail

    def show_detail(self, key: Hashable) -> None:
        """Show the thing of this key on the right."""
        self.query_one(Facts).show(self.sections(key))

    def sections(self, key: Hashable) -> list[Section]:
        """Return what the panel says of a key."""
        return ref_sections(self.checkpoint, key, self.reveals)

    @on(VirtualTable.RowHighlighted, "#rows")
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        self.show_detail(message.key)

    def watch_reveals(self) -> None:
        cover_rows(self)
        row = self.list_view.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    def action_open(self) -> None:
        """On a narrow terminal the panel takes the place of the list; else it gets the focus."""
        self.add_class("-detail")
        if self.detail.can_focus:
            self.detail.focus()

    def back(self) -> bool:
        if super().back():
            return True
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.take_focus()
            return True
        return False

    def page_lines(self) -> Iterator[str]:
        lines = fact_lines(self.sections(self.current_key), PAGER_WIDTH)
        return (line.text.plain for line in lines)


def cover_rows(pane: ListPane) -> None:
    """Make the rows anew, which may have known secrets."""
    if known_values():
        pane.list_view.show(pane.shown.source(pane.checkpoint))


def _is_problem(pane: ListPane, row: Row) -> bool:
    """Tell whether the diagnosis found something wrong with a row, or it shows by itself."""
    asked = pane.shown.is_problem
    return row.key in pane.problem_keys or (asked is not None and asked(pane.checkpoint, row))
