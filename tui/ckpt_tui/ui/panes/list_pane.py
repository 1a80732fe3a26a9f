"""A list on the left, the thing under its cursor on the right: what most tabs are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.known_values import known_values
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.facts import Section, fact_lines
from ckpt_tui.views.table import Column, ListRows, Row, RowSource, row_texts


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

    def source(self, checkpoint: Checkpoint) -> RowSource:
        """Return the rows of a checkpoint as a table takes them."""
        rows = self.rows(checkpoint)
        return ListRows(rows) if isinstance(rows, list) else rows


class ListPane(Pane):
    """A list, with a panel for the row under the cursor."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset(("open", "go_to", "used_by", "pager"))
    without: ClassVar[tuple[str, ...]] = ()
    """Actions of the list that the tab has itself, or not at all."""

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        super().__init__(opened, checkpoint)
        self.shown = shown
        self.list_view = ListView(
            shown.columns,
            shown.source(checkpoint),
            empty=shown.empty,
            copied=lambda row: row_texts(row)[shown.copied_column],
            is_problem=self._is_problem,
            without=self.without,
            below=self.more_lists(),
        )
        self._reveal = False

    def compose(self) -> ComposeResult:
        with self.list_view:
            yield self.make_detail()

    def more_lists(self) -> Iterable[Widget]:
        """Return widgets below the list, or in its place."""
        return ()

    def make_detail(self) -> Widget:
        """Return the widget on the right."""
        return Facts(classes="detail")

    def offers(self, action: str) -> bool:
        return super().offers(action) or action == "reveal"

    @property
    def table(self) -> VirtualTable:
        return self.list_view.table

    @property
    def current_key(self) -> Hashable:
        return self.list_view.current_key

    def show_detail(self, key: Hashable) -> None:
        """Show the thing of this key on the right."""
        self.query_one(Facts).show(self.sections(key))

    def sections(self, key: Hashable) -> list[Section]:
        """Return what the panel says of a key."""
        return ref_sections(self.checkpoint, key, self._reveal)

    @on(VirtualTable.RowHighlighted, "#rows")
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        self.show_detail(message.key)

    @on(VirtualTable.RowChosen, "#rows")
    def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.choose()

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        self.post_message(self.LinkFollowed(message.link))

    def take_focus(self) -> None:
        self.table.focus()

    def go_to(self, key: Hashable) -> bool:
        return self.list_view.go_to(key)

    def source(self) -> RowSource:
        """Return the rows of the list."""
        return self.shown.source(self.checkpoint)

    def cover_list(self, reveal: bool) -> None:
        """Show or cover what the list has of known secrets."""
        if reveal != self._reveal and known_values():
            self.list_view.show(self.source())
        self._reveal = reveal

    def reveal_secrets(self, reveal: bool) -> None:
        self.cover_list(reveal)
        row = self.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    def choose(self) -> None:
        """On a narrow terminal the panel takes the place of the list; else it gets the focus."""
        self.add_class("-detail")
        detail = self.query(".detail").first()
        if detail.can_focus:
            detail.focus()

    def back(self) -> bool:
        if self.cancel_job() or self.list_view.back():
            return True
        if self.list_view.choice.problems_only:
            self.list_view.action_problems_only()
            return True
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.table.focus()
            return True
        return False

    def page_lines(self) -> Iterator[str]:
        for line in fact_lines(self.sections(self.current_key), PAGER_WIDTH):
            yield line.text.plain

    def _is_problem(self, row: Row) -> bool:
        """Tell whether the diagnosis found something wrong with a row, or it shows by itself."""
        asked = self.shown.is_problem
        return row.key in self.problem_keys or (asked is not None and asked(self.checkpoint, row))
