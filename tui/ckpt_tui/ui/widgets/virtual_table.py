"""A table that draws only the lines in view: a million rows cost what ten do."""

from __future__ import annotations

import textwrap
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ckpt_tui.ui.widgets.painting import Palette
from ckpt_tui.ui.widgets.scroll_bars import make_scroll_bars
from ckpt_tui.views.table import GAP, Column, ListRows, Row, RowSource, column_widths, fit

STRIPS_KEPT = 512
"""Drawn lines remembered: several screens full, so that paging back costs nothing."""

_MARGIN = 1
"""Cells left and right of the columns; the left one holds the cursor's mark."""

_HEADER = 1
"""Lines above the rows that do not scroll."""


class VirtualTable(ScrollView, can_focus=True):
    """Shows the rows of a `RowSource` under a line of titles, one of them under the cursor."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "virtual-table--header",
        "virtual-table--cursor",
        "virtual-table--mark",
        "virtual-table--blurred",
        "virtual-table--empty",
    }
    DEFAULT_CSS = """
    VirtualTable {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        & > .virtual-table--header { color: $muted; text-style: bold; }
        & > .virtual-table--cursor {
            background: $cursor-background; color: $strong; text-style: $cursor-style;
        }
        & > .virtual-table--mark { background: $cursor-background; color: $accent; }
        & > .virtual-table--blurred { background: $cursor-blurred; }
        & > .virtual-table--empty { color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    cursor: reactive[int] = reactive(0, repaint=False)
    """Index of the row under the cursor; 0 when there are no rows."""

    @dataclass
    class _RowMessage(Message):
        table: VirtualTable
        index: int
        key: Hashable

        @property
        def control(self) -> VirtualTable:
            return self.table

    class RowHighlighted(_RowMessage):
        """Another row is under the cursor."""

    class RowChosen(_RowMessage):
        """Enter, or a click on the row under the cursor."""

    @dataclass
    class HeaderChosen(Message):
        """A title was clicked, to sort by its column."""

        table: VirtualTable
        column: int

        @property
        def control(self) -> VirtualTable:
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        rows: RowSource | None = None,
        *,
        empty: str = "Nothing here",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._columns = tuple(columns)
        self._rows: RowSource = ListRows() if rows is None else rows
        self._empty = empty
        self._sorted: tuple[int, bool] | None = None
        self._announced: tuple[int, Hashable] | None = None
        self._strips: LRUCache[tuple[int, bool, bool, int], Strip] = LRUCache(STRIPS_KEPT)
        self._palette: Palette | None = None

    # What a screen calls

    @property
    def rows(self) -> RowSource:
        """The rows as they are shown."""
        return self._rows

    @property
    def columns(self) -> Sequence[Column]:
        """All columns, including those that do not fit."""
        return self._columns

    @property
    def highlighted(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor] if self.cursor < len(self._rows) else None

    def set_rows(self, rows: RowSource, empty: str | None = None) -> None:
        """Show other rows. The cursor stays on its key if that is still there.

        `empty` says, printable and in words, why there are none.
        """
        self._rows = rows
        if empty is not None:
            self._empty = empty
        kept = self._announced and rows.index_of(self._announced[1])
        self.cursor = self.validate_cursor(self.cursor if kept is None else kept)
        self._rows_changed()

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns; the rows must have their cells."""
        self._columns = tuple(columns)
        self._sorted = None
        self._forget()

    def show_sorted(self, column: int, descending: bool) -> None:
        """Mark a title as the one that the rows are sorted by; sorts nothing itself."""
        self._sorted = (column, descending)
        self.refresh(Region(0, 0, self.size.width, _HEADER))

    def go_to(self, key: Hashable) -> bool:
        """Move the cursor to a key; return whether it is there."""
        index = self._rows.index_of(key)
        if index is not None:
            self.cursor = index
            # how far it can scroll follows with the next layout, if the rows were just set
            self.call_after_refresh(self._reveal)
        return index is not None

    # Inside

    def on_mount(self) -> None:
        make_scroll_bars(self)
        self._rows_changed()

    def on_resize(self) -> None:
        self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None
        self._strips.clear()

    def on_focus(self) -> None:
        self.refresh_line(self.cursor + _HEADER)

    def on_blur(self) -> None:
        self.refresh_line(self.cursor + _HEADER)

    def _rows_changed(self) -> None:
        count = len(self._rows)
        self.virtual_size = Size(0, count + _HEADER if count else 0)
        self._forget()
        self._reveal()
        self._announce()

    def _forget(self) -> None:
        self._strips.clear()
        self.refresh()

    def _announce(self) -> None:
        """Tell which row is under the cursor, once for each."""
        row = self.highlighted
        place = None if row is None else (self.cursor, row.key)
        if row is not None and place != self._announced:
            # Textual lets no message bubble past the widget that it takes for the sender: here that
            # may be one around this table, which gave it other rows
            message = self.RowHighlighted(self, self.cursor, row.key)
            self.post_message(message.set_sender(self))
        self._announced = place

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, len(self._rows) - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh_line(old + _HEADER)
        self.refresh_line(new + _HEADER)
        self._reveal()
        self._announce()

    @property
    def _page(self) -> int:
        return max(1, self.size.height - _HEADER)

    def _reveal(self) -> None:
        """Scroll as little as needed to have the cursor in view."""
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + self._page:
            self.scroll_to(y=self.cursor - self._page + 1, animate=False)

    def action_move(self, rows: int) -> None:
        self.cursor += rows

    def action_page(self, pages: float) -> None:
        self.cursor += int(pages * self._page) or (1 if pages > 0 else -1)

    def action_first(self) -> None:
        self.cursor = 0

    def action_last(self) -> None:
        self.cursor = len(self._rows) - 1

    def action_choose(self) -> None:
        row = self.highlighted
        if row is not None:
            self.post_message(self.RowChosen(self, self.cursor, row.key))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None or not len(self._rows):
            return
        event.stop()
        if offset.y < _HEADER:
            self._click_header(offset.x)
            return
        index = self.scroll_offset.y + offset.y - _HEADER
        if index == self.cursor:
            self.action_choose()
        elif index < len(self._rows):
            self.cursor = index

    def _click_header(self, x: int) -> None:
        left = _MARGIN
        for number, width in enumerate(self._widths()):
            if width and left <= x < left + width + GAP:
                self.post_message(self.HeaderChosen(self, number))
                return
            left += width + GAP if width else 0

    # Drawing

    def _widths(self) -> tuple[int, ...]:
        return column_widths(self._columns, self.scrollable_size.width - 2 * _MARGIN)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_size.width
        if not len(self._rows):
            return self._empty_line(y, width)
        if y < _HEADER:
            return self._header_line(width)
        index = self.scroll_offset.y + y - _HEADER
        if index >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        key = (index, index == self.cursor, self.has_focus, width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._row_line(self._rows[index], key[1], width)
        return strip

    def _component(self, name: str) -> Style:
        return self.rich_style + self.get_component_rich_style(name, partial=True)

    def _empty_line(self, y: int, width: int) -> Strip:
        lines = textwrap.wrap(self._empty, max(1, width - 4))
        number = y - max(0, (self.size.height - len(lines)) // 3)
        text = lines[number] if 0 <= number < len(lines) else ""
        segment = Segment(
            str(fit(" " * ((width - len(text)) // 2) + text, width)),
            self._component("virtual-table--empty"),
        )
        return Strip([segment], width)

    def _header_line(self, width: int) -> Strip:
        titles = []
        for number, column in enumerate(self._columns):
            sign = "" if self._sorted is None or self._sorted[0] != number else "↓↑"
            arrow = f" {sign[0 if self._sorted and self._sorted[1] else 1]}" if sign else ""
            titles.append(column.title + arrow)
        row = Row(None, tuple(titles))
        return self._line(row, self._component("virtual-table--header"), None, width)

    def _row_line(self, row: Row, under_cursor: bool, width: int) -> Strip:
        palette = self._colours()
        style = self.rich_style + palette.style(row.meaning)
        mark = None
        if under_cursor and self.has_focus:
            style += self.get_component_rich_style("virtual-table--cursor", partial=True)
            mark = self._component("virtual-table--mark")
        elif under_cursor:
            style += self.get_component_rich_style("virtual-table--blurred", partial=True)
        return self._line(row, style, mark, width)

    def _colours(self) -> Palette:
        if self._palette is None:
            self._palette = Palette(self.app.theme_variables)
        return self._palette

    def _line(self, row: Row, style: Style, mark: Style | None, width: int) -> Strip:
        segments = [Segment("▌", mark) if mark else Segment(" " * _MARGIN, style)]
        palette, gap = self._colours(), ""
        for column, cell, cells in zip(self._columns, row.cells, self._widths(), strict=False):
            if not cells:
                continue
            fitted = fit(cell, cells, column.align, column.shrink)
            segments += [Segment(gap, style), *palette.segments(fitted, style)]
            gap = " " * GAP
        return Strip(segments).adjust_cell_length(width, style)
