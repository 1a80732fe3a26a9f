"""One run of bytes in full: as text where it is text, else in hexadecimal."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import ContentSwitcher, Static

from ckpt_tui.checkpoint.patterns import parse_pattern, search_window
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui.commands import VIEW, bound
from ckpt_tui.ui.pager import show_in_pager
from ckpt_tui.ui.saving import ask_where_to_save
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.views.choice import find_row
from ckpt_tui.views.content import (
    COLUMNS,
    MAX_LINES,
    MAX_TEXT,
    PROBED,
    is_text,
    text_lines,
    text_rows,
)
from ckpt_tui.views.hex import Span, dump_lines
from ckpt_tui.views.table import LazyRows, ListRows, Row

ANY_BYTES = (
    *("toggle_hex", "search", "next_match", "previous_match"),
    *("save", "pager", "reveal"),
)
"""Actions on whatever has bytes."""

NUMBERS = 12
"""Cells beside the text: line numbers, gaps, scrollbar."""


class TextLines:
    """The lines of a text, wrapped to the screen; a search looks at the lines themselves."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        """Printable."""
        self._rows = ListRows()

    def wrapped(self, width: int) -> ListRows:
        """Return the lines as rows of that many cells."""
        self._rows = ListRows(text_rows(self.lines, width - NUMBERS))
        return self._rows

    def find(self, words: str, start: int, direction: int, progress: Progress) -> int | None:
        """Return the row where the next line with all of these words begins; see `find_row`."""
        lines = LazyRows(range(len(self.lines)), lambda n: Row(n, (self.lines[n],)))
        number = find_row(lines, words, _number_of(self._rows[start]), direction, progress)
        return None if number is None else self._rows.index_of((number + 1, 0))

    def line_of(self, row: Row) -> str:
        """Return the whole line that a row is a part of."""
        return self.lines[_number_of(row)]


def _number_of(row: Row) -> int:
    """Return the index of the line that a row is of."""
    assert isinstance(row.key, tuple)
    return int(row.key[0]) - 1


class ViewScreen(JobScreen[None]):
    """Shows a window; `name` is foreign text, `reveal` shows what looks like a secret."""

    DEFAULT_CSS = """
    ViewScreen {
        ContentSwitcher { height: 1fr; }
        #as-nothing { padding: 1 2; color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bound("save hex search", "next previous reveal pager")
    name_in_commands = VIEW

    def __init__(self, name: str, window: ByteWindow, *, reveal: bool = False) -> None:
        super().__init__()
        self._name_shown, self._window, self._reveal = name, window, reveal
        self._data: bytes | None = None
        self._lines = TextLines()
        self._text = ListView(
            COLUMNS,
            empty="",
            copied=self._lines.line_of,
            find=self._lines.find,
            without=("filter", "sort", "reverse", "copy_row"),
            id="as-text",
        )
        self._hex = HexView(window, id="as-hex")

    def compose(self) -> ComposeResult:
        yield TitleLine(printable(self._name_shown), human_bytes(self._window.size))
        with ContentSwitcher(initial="as-nothing"):
            yield Static("", id="as-nothing")
            yield self._text
            yield self._hex
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._hex.reveal_secrets(self._reveal)
        if self._window.size:
            self.run("Reading", self._read, self._take, failed=self._fail, stopped=self.dismiss)
        else:
            self.query_one("#as-nothing", Static).update("It has no bytes.")

    def _read(self, progress: Progress) -> bytes:
        progress.tick(0)
        start = self._window.read(0, PROBED)
        return self._window.read(0, MAX_TEXT) if is_text(start) else b""

    def _take(self, data: bytes) -> None:
        self._data = data
        self._fill()
        self._show("as-text" if data else "as-hex")

    def _fail(self, error: CkptError) -> None:
        self.job_failed(error)
        self._show("as-hex")

    def _fill(self) -> None:
        data = self._data or b""
        self._lines.lines = text_lines(data, self._reveal)
        self._wrap()
        size = self._window.size
        note = human_bytes(size)
        if data and (size > len(data) or len(self._lines.lines) == MAX_LINES):
            note += "   only the beginning is shown as text"
        self.query_one(TitleLine).show(printable(self._name_shown), note)

    def on_resize(self) -> None:
        if self._lines.lines:
            self._wrap()

    def _wrap(self) -> None:
        self._text.show(self._lines.wrapped(self.size.width))

    def _show(self, which: str) -> None:
        self.query_one(ContentSwitcher).current = which
        (self._text.table if which == "as-text" else self._hex).focus()
        self.refresh_bindings()

    @property
    def _as_text(self) -> bool:
        switcher = self.query_one_optional(ContentSwitcher)
        return switcher is not None and switcher.current == "as-text"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ANY_BYTES:
            return bool(self._window.size)
        return super().check_action(action, parameters)

    def action_toggle_hex(self) -> None:
        if self._as_text or not self._data:
            self._show("as-hex")
            if not self._data:
                self.notify("Binary data; no text view.", markup=False)
        else:
            self._show("as-text")

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
        self._hex.reveal_secrets(self._reveal)
        self._fill()

    def action_search(self) -> None:
        forms = "text, re:expression (RE2), hex:bytes, u16:text"
        self.app.push_screen(AskScreen("search bytes", forms), self._search_for)

    def _search_for(self, text: str | None) -> None:
        def search(progress: Progress) -> list[Span]:
            return search_window(self._window, parse_pattern(text or ""), progress)

        if text:
            self.run("Searching", search, self._show_marks)

    def _show_marks(self, marks: list[Span]) -> None:
        self._hex.mark(marks)
        if marks:
            self._hex.goto(marks[0][0])
        self.notify(f"{len(marks):,} places found" if marks else "Not found", markup=False)

    def action_next_match(self) -> None:
        self._step(self._hex.next_mark())

    def action_previous_match(self) -> None:
        self._step(self._hex.previous_mark())

    def _step(self, is_there: bool) -> None:
        if not is_there:
            self.notify("No further place.", markup=False)

    def action_save(self) -> None:
        ask_where_to_save(self, self._window, self._name_shown)

    def action_pager(self) -> None:
        shown_as_hex = dump_lines(self._window, reveal=self._reveal)
        show_in_pager(self.app, iter(self._lines.lines) if self._as_text else shown_as_hex)
