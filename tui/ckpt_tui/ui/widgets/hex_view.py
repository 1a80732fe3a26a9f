"""Bytes of any length, of which only the blocks in view are ever read."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.ui.jobs import read_block
from ckpt_tui.ui.widgets.painting import Palette
from ckpt_tui.ui.widgets.scroll_bars import make_scroll_bars
from ckpt_tui.views.hex import (
    BLOCK,
    Span,
    bytes_per_line,
    covered_spans,
    hex_line,
    marks_within,
    offset_digits,
)

BLOCKS_KEPT = 32
"""Blocks remembered, 2 MiB in all."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Bytes that were read."""

    data: bytes
    secrets: list[Span]


class HexView(ScrollView, can_focus=True):
    """Offset, hexadecimal and letters, what looks like a secret covered. A block that is not read
    yet shows as … until it is.

    Reading may mean decompressing or asking a registry, so it happens in a thread, one block at
    a time. It is not a job: nothing waits for it, and there is nothing to cancel.
    """

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    HexView { height: 1fr; overflow-x: hidden; padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "lines(-1)", "Up", show=False),
        Binding("down,j", "lines(1)", "Down", show=False),
        Binding("pageup", "pages(-1)", "Page up", show=False),
        Binding("pagedown", "pages(1)", "Page down", show=False),
        Binding("ctrl+u", "pages(-0.5)", "Half a page up", show=False),
        Binding("ctrl+d", "pages(0.5)", "Half a page down", show=False),
        Binding("home", "first", "First", show=False),
        Binding("end,G", "last", "Last", show=False),
    ]

    @dataclass(eq=False)
    class _BlockRead(Message, bubble=False):
        window: ByteWindow
        block: int
        outcome: _Block | CkptError

    def __init__(
        self,
        window: ByteWindow | None = None,
        *,
        base: int = 0,
        empty: str = "No bytes",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`base` is added to every offset shown: the address of the first byte in a process."""
        super().__init__(id=id, classes=classes)
        self._window: ByteWindow = BytesWindow(b"") if window is None else window
        self._base, self._empty = base, empty
        self._absent: Callable[[int], str] | None = None
        self._blocks: LRUCache[int, _Block | CkptError] = LRUCache(BLOCKS_KEPT)
        self._reading = False
        self._marks: list[Span] = []
        self._place = 0
        self._palette: Palette | None = None
        self._reveal = False

    # What a screen calls

    def show(
        self,
        window: ByteWindow,
        base: int = 0,
        empty: str | None = None,
        absent: Callable[[int], str] | None = None,
    ) -> None:
        """Show other bytes from their start.

        `absent` says, printable, why the byte at an offset is not there, "" for one that is; lines
        that begin with such a byte show the words instead.
        """
        self._window, self._base, self._absent = window, base, absent
        self._empty = self._empty if empty is None else empty
        self._blocks.clear()
        self._marks, self._place = [], 0
        self._lay_out()
        self.scroll_to(y=0, animate=False)

    def reveal_secrets(self, reveal: bool) -> None:
        """Show or cover what looks like a secret; it is covered at first."""
        self._reveal = reveal
        self.refresh()

    @property
    def place(self) -> int:
        """Offset of the byte last gone to, without the base."""
        return self._place

    def goto(self, offset: int) -> None:
        """Bring a byte into view, near the top."""
        self._place = max(0, min(offset, self._window.size - 1))
        if self.size.height:
            self._reveal_place()
        else:  # it was just made, and has no room yet
            self.call_after_refresh(self._reveal_place)

    def _reveal_place(self) -> None:
        line, height = self._place // self._per_line, self.size.height
        if not self.scroll_offset.y <= line < self.scroll_offset.y + height:
            self.scroll_to(y=max(0, line - height // 4), animate=False)
        self.refresh()

    def mark(self, ranges: Iterable[Span]) -> None:
        """Mark the bytes that were found, as offsets and lengths that do not overlap."""
        self._marks = sorted(ranges)
        self.refresh()

    def next_mark(self) -> bool:
        """Go to the next mark; return whether there is one."""
        index = bisect_right(self._marks, (self._place, self._window.size))
        if index < len(self._marks):
            self.goto(self._marks[index][0])
        return index < len(self._marks)

    def previous_mark(self) -> bool:
        """Go to the mark before; return whether there is one."""
        index = bisect_left(self._marks, (self._place, 0)) - 1
        if index >= 0:
            self.goto(self._marks[index][0])
        return index >= 0

    # Inside

    @property
    def _digits(self) -> int:
        return offset_digits(self._base + self._window.size)

    @property
    def _per_line(self) -> int:
        # Of the full width: whether there is a scrollbar must not change the number of lines.
        return bytes_per_line(self.size.width - self.styles.scrollbar_size_vertical, self._digits)

    def _lay_out(self) -> None:
        lines = -(-self._window.size // self._per_line)
        self.virtual_size = Size(0, lines)
        self.refresh()

    def on_mount(self) -> None:
        make_scroll_bars(self)
        self._lay_out()

    def on_resize(self, event: events.Resize) -> None:
        del event
        before = self.virtual_size.height
        self._lay_out()
        if before and self.virtual_size.height != before:
            self.goto(self._place)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._palette = None

    def action_lines(self, lines: int) -> None:
        self.scroll_relative(y=lines, animate=False)

    def action_pages(self, pages: float) -> None:
        self.scroll_relative(y=int(pages * self.size.height), animate=False)

    def action_first(self) -> None:
        self.goto(0)

    def action_last(self) -> None:
        self.goto(self._window.size - 1)

    def _block(self, number: int) -> _Block | CkptError | None:
        """Return a block, or None after having it fetched if no other one is on its way."""
        found = self._blocks.get(number)
        if found is None and not self._reading:
            self._reading = True
            read = partial(self._read, self._window, number)
            self.run_worker(read, group="bytes", thread=True, exit_on_error=False)
        return found

    def _read(self, window: ByteWindow, number: int) -> None:
        """Runs in a thread."""
        found = read_block(window, number * BLOCK, BLOCK)
        outcome: _Block | CkptError
        if isinstance(found, bytes):
            outcome = _Block(found, covered_spans(window, number * BLOCK, found))
        else:
            outcome = found
        self.post_message(self._BlockRead(window, number, outcome))

    def _on_hex_view__block_read(self, message: _BlockRead) -> None:
        self._reading = False
        if message.window is self._window:
            self._blocks[message.block] = message.outcome
        self.refresh()  # what is in view and still missing is fetched next

    def render_line(self, y: int) -> Strip:
        if self._palette is None:
            self._palette = Palette(self.app.theme_variables)
        line = self._text(self.scroll_offset.y + y, y)
        segments = self._palette.segments(line, self.rich_style) or [Segment("", self.rich_style)]
        return Strip(segments).adjust_cell_length(self.scrollable_size.width, self.rich_style)

    def _text(self, line: int, y: int) -> Styled:
        if not self._window.size:
            return styled((self._empty if y == 0 else "", "muted"))
        start = line * self._per_line
        if start >= self._window.size:
            return Styled()
        address = f"{self._base + start:0{self._digits}x}  "
        if self._absent is not None and (words := self._absent(start)):
            return styled((address + (words if y == 0 or start % 0x100 == 0 else "·"), "muted"))
        block = self._block(start // BLOCK)
        if block is None:
            return styled((address + "…", "muted"))
        if isinstance(block, CkptError):
            said = printable(str(block)) if y == 0 or start % BLOCK == 0 else ""
            return styled((address, "muted"), ("✖ ", "fails"), said)
        at, count = start % BLOCK, self._per_line
        data = block.data[at : at + count]
        marks = marks_within(self._marks, start, count)
        covers = [] if self._reveal else marks_within(block.secrets, at, count)
        return hex_line(self._base + start, data, count, self._digits, marks, covers)
