"""One run of bytes in full: as text where it is text, else in hexadecimal."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import ContentSwitcher, Static

from ckpt_tui.checkpoint.search import parse_pattern, search_window
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import human_bytes, middle, printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import VIEW, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed
from ckpt_tui.ui.pager import show_in_pager
from ckpt_tui.ui.saving import ask_where_to_save
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
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
from ckpt_tui.views.hex import dump_lines
from ckpt_tui.views.table import LazyRows, ListRows, Row

READING, SEARCHING = "Reading", "Searching"

ANY_BYTES = (
    *("toggle_hex", "search", "next_match", "previous_match"),
    *("save", "pager", "reveal"),
)
"""Actions on whatever has bytes."""

NUMBERS = 12
"""Cells beside the text: line numbers, gaps, scrollbar."""


class ViewTitle(Lines):
    """What is shown, how much of it, and whether that is all."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__()
        self._what, self._bytes = name, size
        self.note = ""

    def lines(self, width: int) -> list[Text]:
        right = Text(human_bytes(self._bytes) + (f"   {self.note}" if self.note else ""), "muted")
        left = middle(printable(self._what), max(8, width - right.cell_len - 4))
        gap = " " * max(1, width - len(left) - right.cell_len - 2)
        return [Text.assemble(" ", (left, "strong"), gap, right, " ")]


class ViewScreen(JobScreen[None]):
    """Shows a window; `name` is foreign text, `reveal` shows what looks like a secret."""

    DEFAULT_CSS = """
    ViewScreen {
        ViewTitle { background: $panel; }
        ContentSwitcher { height: 1fr; }
        #as-nothing { padding: 1 2; color: $muted; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(VIEW)]
    name_in_commands = VIEW

    def __init__(self, name: str, window: ByteWindow, *, reveal: bool = False) -> None:
        super().__init__()
        self._name_shown, self._window, self._reveal = name, window, reveal
        self._data: bytes | None = None
        self._lines: list[str] = []
        self._sought = ""

    def compose(self) -> ComposeResult:
        yield ViewTitle(self._name_shown, self._window.size)
        with ContentSwitcher(initial="as-nothing"):
            yield Static("", id="as-nothing")
            yield VirtualTable(COLUMNS, empty="", id="as-text")
            yield HexView(self._window, id="as-hex")
        yield JobBar()
        yield KeyLine(VIEW)

    def on_mount(self) -> None:
        self.query_one(HexView).reveal_secrets(self._reveal)
        if not self._window.size:
            self.query_one("#as-nothing", Static).update("It has no bytes.")
            return
        self.start_job(READING, self._read)

    def _read(self, progress: Progress) -> bytes:
        progress.tick(0)
        start = self._window.read(0, PROBED)
        return self._window.read(0, MAX_TEXT) if is_text(start) else b""

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if message.name == READING and isinstance(message.result, bytes):
            self._data = message.result
            self._fill()
            self._show("as-text" if self._data else "as-hex")
        elif message.name == SEARCHING and isinstance(message.result, list):
            self._show_marks(message.result)

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        self.notify(printable(str(message.error)), severity="error", markup=False)
        if self._data is None:
            self._show("as-hex")

    @on(JobCancelled)
    def _cancelled(self) -> None:
        if self._data is None:
            self.dismiss()

    def _fill(self) -> None:
        data = self._data or b""
        self._lines = text_lines(data, self._reveal)
        self._wrap()
        title = self.query_one(ViewTitle)
        cut = self._window.size > len(data) or len(self._lines) == MAX_LINES
        title.note = "only the beginning is shown as text" if data and cut else ""
        title.redraw()

    def _wrap(self) -> None:
        rows = text_rows(self._lines, self.size.width - NUMBERS)
        self.query_one("#as-text", VirtualTable).set_rows(ListRows(rows))

    def on_resize(self, event: events.Resize) -> None:
        del event
        if self._lines:
            self._wrap()

    def _show(self, which: str) -> None:
        self.query_one(ContentSwitcher).current = which
        self.query_one(f"#{which}").focus()
        self.refresh_bindings()

    @property
    def _as_text(self) -> bool:
        switcher = self.query_one_optional(ContentSwitcher)
        return switcher is not None and switcher.current == "as-text"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ANY_BYTES:
            return bool(self._window.size)
        if action in ("copy", "copy_row"):
            return self._as_text
        return super().check_action(action, parameters)

    def action_toggle_hex(self) -> None:
        if self._as_text or not self._data:
            self._show("as-hex")
            if not self._data:
                self.notify("It is no text.", markup=False)
        else:
            self._show("as-text")

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
        self.query_one(HexView).reveal_secrets(self._reveal)
        self._fill()

    def action_search(self) -> None:
        hint = "words that must all occur in a line"
        forms = "text, re:expression, hex:bytes, u16:text"
        label = "search" if self._as_text else "search bytes"
        self.app.push_screen(AskScreen(label, hint if self._as_text else forms), self._search_for)

    def _search_for(self, text: str | None) -> None:
        if not text:
            return
        if self._as_text:
            self._sought = text
            self.action_next_match()
            return
        try:
            pattern = parse_pattern(text)
        except UsageError as error:
            self.notify(printable(str(error)), severity="warning", markup=False)
            return
        self.start_job(SEARCHING, lambda progress: search_window(self._window, pattern, progress))

    def _show_marks(self, marks: list[tuple[int, int]]) -> None:
        view = self.query_one(HexView)
        view.mark(marks)
        if marks:
            view.goto(marks[0][0])
        self.notify(f"{len(marks):,} places found" if marks else "Not found", markup=False)

    def action_next_match(self) -> None:
        self._step(1)

    def action_previous_match(self) -> None:
        self._step(-1)

    def _step(self, direction: int) -> None:
        if not self._as_text:
            view = self.query_one(HexView)
            if not (view.next_mark() if direction > 0 else view.previous_mark()):
                self.notify("No further place.", markup=False)
            return
        table = self.query_one("#as-text", VirtualTable)
        row = table.highlighted
        if not self._sought or row is None or not isinstance(row.key, tuple):
            return
        # the lines themselves: a number beside one is not part of it
        lines = LazyRows(range(len(self._lines)), lambda n: Row(n, (self._lines[n],)))
        number = find_row(lines, self._sought, row.key[0] - 1, direction, quiet())
        if number is None:
            self.notify("Not found.", markup=False)
        else:
            table.go_to((number + 1, 0))

    def action_save(self) -> None:
        ask_where_to_save(self, self._window, self._name_shown)

    def action_pager(self) -> None:
        lines = (
            iter(self._lines) if self._as_text else dump_lines(self._window, reveal=self._reveal)
        )
        show_in_pager(self.app, lines)

    async def action_copy(self) -> None:
        row = self.query_one("#as-text", VirtualTable).highlighted
        if row is not None and isinstance(row.key, tuple):
            await send_to_clipboard(self.app, self._lines[row.key[0] - 1], "the line")

    async def action_copy_row(self) -> None:
        await self.action_copy()
