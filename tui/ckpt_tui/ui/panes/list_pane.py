"""A list on the left, the thing under its cursor on the right: what most tabs are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.rows.details import by_key
from ckpt_tui.ui.rows.facts import Section
from ckpt_tui.ui.rows.table import Column, ListRows, Row, filter_rows, plain, sort_rows
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable


class Pane(Widget):
    """One tab. The screen calls its actions; a pane answers those that mean something in it."""

    @dataclass
    class LinkFollowed(Message):
        """Somebody wants to see the thing of this key, wherever it is shown."""

        key: Hashable

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.opened = opened
        self.checkpoint = checkpoint

    @property
    def current_key(self) -> Hashable:
        """Key of the row under the cursor, None without one."""
        return None

    def take_focus(self) -> None:
        """Put the focus on what the arrow keys should move in."""

    def go_to(self, key: Hashable) -> bool:
        """Show the thing of this key; return whether it is here."""
        del key
        return False

    def reveal_secrets(self, reveal: bool) -> None:
        """Show or cover what looks like a secret."""

    def begin_search(self, label: str) -> None:
        """Open the line for a filter or a search."""

    def step(self, direction: int) -> None:
        """Go to the next or the previous match."""

    def sort(self, *, reverse: bool) -> None:
        """Sort by the next column, or turn the order round."""

    def choose(self) -> None:
        """Go into what is under the cursor."""

    def toggle(self) -> None:
        """Open or close the branch under the cursor."""

    def back(self) -> bool:
        """Close what is open in the pane; return False if there is nothing to close."""
        return False

    def copy_text(self, *, whole_row: bool) -> str:
        """Return what the copy keys send: the value, or the row with tabs between its cells."""
        del whole_row
        return ""


class ListPane(Pane):
    """Rows that can be filtered and sorted, with a panel for the one under the cursor."""

    columns: Sequence[Column] = ()
    copied_column = 0
    """Index of the column that the copy key takes."""

    def __init__(
        self,
        opened: OpenCheckpoint,
        checkpoint: Checkpoint,
        rows: Sequence[Row],
        columns: Sequence[Column],
        empty: str,
        copied_column: int = 0,
    ) -> None:
        super().__init__(opened, checkpoint)
        self._all = list(rows)
        self._shown = self._all
        self.columns = columns
        self._empty = empty
        self.copied_column = copied_column
        self._reveal = False
        self._order: tuple[int, bool] | None = None
        self._needle = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="list"):
                yield VirtualTable(self.columns, ListRows(self._all), empty=self._empty, id="rows")
                yield SearchBar()
            yield self.make_detail()

    def make_detail(self) -> Widget:
        """Return the widget on the right."""
        return Facts(empty=self._empty if not self._all else "", classes="detail")

    @property
    def table(self) -> VirtualTable:
        return self.query_one("#rows", VirtualTable)

    @property
    def current_key(self) -> Hashable:
        row = self.table.highlighted
        return row.key if row else None

    def show_detail(self, key: Hashable) -> None:
        """Show the thing of this key on the right."""
        self.query_one(Facts).show(self.sections(key))

    def sections(self, key: Hashable) -> list[Section]:
        """Return what the panel says of a key."""
        return by_key(self.checkpoint, key, self._reveal)

    @on(VirtualTable.RowHighlighted, "#rows")
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        self.show_detail(message.key)

    @on(VirtualTable.RowChosen, "#rows")
    def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.choose()

    @on(VirtualTable.HeaderChosen, "#rows")
    def _header(self, message: VirtualTable.HeaderChosen) -> None:
        message.stop()
        same = self._order is not None and self._order[0] == message.column
        self._sort_by(message.column, same and not self._order[1] if self._order else False)

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        kind, *numbers = message.link.split(":")
        self.post_message(self.LinkFollowed((kind, *map(int, numbers))))

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        message.stop()
        self._needle = message.text
        self._refill()

    def take_focus(self) -> None:
        self.table.focus()

    def go_to(self, key: Hashable) -> bool:
        if self._needle:
            self.query_one(SearchBar).close()
            self._needle = ""
            self._refill()
        return self.table.go_to(key)

    def reveal_secrets(self, reveal: bool) -> None:
        self._reveal = reveal
        row = self.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    def begin_search(self, label: str) -> None:
        self.query_one(SearchBar).open(label)

    def step(self, direction: int) -> None:
        self.table.action_move(direction)

    def sort(self, *, reverse: bool) -> None:
        column, descending = self._order or (-1, False)
        if reverse:
            self._sort_by(max(column, 0), not descending)
        else:
            self._sort_by((column + 1) % len(self.columns), False)

    def choose(self) -> None:
        """On a narrow terminal the panel takes the place of the list; else it gets the focus."""
        self.add_class("-detail")
        detail = self.query(".detail").first()
        if detail.can_focus:
            detail.focus()

    def back(self) -> bool:
        bar = self.query_one(SearchBar)
        if bar.is_open:
            bar.close()
            return True
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.table.focus()
            return True
        return False

    def copy_text(self, *, whole_row: bool) -> str:
        row = self.table.highlighted
        if row is None:
            return ""
        if whole_row:
            return "\t".join(plain(cell).strip() for cell in row.cells)
        return plain(row.cells[self.copied_column]).strip()

    def _sort_by(self, column: int, descending: bool) -> None:
        self._order = (column, descending)
        self._refill()
        self.table.show_sorted(column, descending)

    def _refill(self) -> None:
        rows = filter_rows(self._all, self._needle)
        if self._order is not None:
            rows = sort_rows(rows, *self._order)
        self._shown = rows
        bar = self.query_one(SearchBar)
        bar.show_count(f"{len(rows):,} of {len(self._all):,}" if self._needle else "")
        empty = "No row has all of these words" if self._needle else self._empty
        self.table.set_rows(ListRows(rows), empty)
