"""Memory: the regions, the bytes of one, and a search over all that was dumped."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.containers import Vertical
from textual.widget import Widget

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, Region
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.regions import MemoryWindow, absent_text, region_window
from ckpt_tui.checkpoint.search import Match, Matches, areas_of, find_all, parse_pattern
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.text import printable
from ckpt_tui.criu.pages import PageState
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.found import COLUMNS, found_row, found_text, parse_address, region_at
from ckpt_tui.views.hex import dump_lines
from ckpt_tui.views.table import LazyRows, Row, row_texts

FORMS = "text, re:expression (RE2), hex:bytes, u16:text; a * before it searches every process"


class MemoryPane(ListPane):
    """The tab Memory. Class `-hex`: only the bytes are shown; `-found`: the list is of matches."""

    without = ("search", "next_match", "previous_match", "copy", "copy_row")
    ACTIONS: ClassVar[frozenset[str]] = ListPane.ACTIONS | {*without, "ask_address", "reveal"}

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        super().__init__(opened, checkpoint, shown)
        self._region: Region | None = None
        self._matches: Sequence[Match] = ()

    def more_lists(self) -> Iterable[Widget]:
        yield VirtualTable(COLUMNS, empty="Nothing was found", id="found")

    def make_detail(self) -> Widget:
        return Vertical(Facts(id="facts"), HexView(id="bytes"), classes="detail")

    @property
    def found(self) -> VirtualTable:
        """The list of matches."""
        return self.query_one("#found", VirtualTable)

    @property
    def bytes(self) -> HexView:
        """The bytes of the region."""
        return self.query_one("#bytes", HexView)

    @property
    def current_key(self) -> Hashable:
        region = self._region
        return Ref.region(region.pid, region.start) if region else None

    def show_detail(self, key: Hashable) -> None:
        super().show_detail(key)
        index = index_of(self.checkpoint)
        number = index.region.get(key.ids) if isinstance(key, Ref) else None
        if number is not None and self._region is not index.regions[number]:
            self._show_region(index.regions[number])

    def _show_region(self, region: Region) -> None:
        self._region = region
        window = region_window(self.opened.memory, region)
        empty = "This region has no bytes"
        self.bytes.show(window, region.start, empty, lambda at: _absent(region, window, at))
        self.bytes.mark(
            (match.address - region.start, len(match.found))
            for match in self._matches
            if match.pid == region.pid and region.start <= match.address < region.end
        )

    # Going to places

    def go_to_address(self, pid: int, address: int) -> bool:
        """Show the bytes at an address of a process; return whether a region holds it."""
        memory = index_of(self.checkpoint).memory.get(pid)
        region = region_at(memory.regions, address) if memory else None
        if region is None:
            return False
        if self._region is not region:
            self.query_one(Facts).show(self.sections(Ref.region(region.pid, region.start)))
            self._show_region(region)
        self.bytes.goto(address - region.start)
        return True

    def ask_address(self) -> None:
        region = self._region

        def go(text: str | None) -> None:
            address = parse_address(text or "")
            if not text or region is None:
                return
            if address is None or not self.go_to_address(region.pid, address):
                said = f"No region of process {region.pid} holds {printable(text)}."
                self.notify(said, severity="warning", markup=False)
                return
            if self._region is not None and not self.has_class("-found"):
                self.table.go_to(Ref.region(self._region.pid, self._region.start))
            self._show_bytes()

        if region is not None:
            self.app.push_screen(AskScreen("address", f"of process {region.pid}, in hex"), go)

    def _show_bytes(self) -> None:
        self.add_class("-hex")
        self.bytes.focus()

    def choose(self) -> None:
        """On a narrow terminal the panel comes first, the bytes alone after it."""
        if self.screen.has_class("-narrow") and not self.has_class("-detail"):
            self.add_class("-detail")
            self.bytes.focus()
        elif self._region is not None:
            self._show_bytes()

    def back(self) -> bool:
        if self.cancel_job():
            return True
        if self.has_class("-hex"):
            self.remove_class("-hex")
            self.take_focus()
            return True
        if self.has_class("-detail"):
            self.remove_class("-detail")
            self.take_focus()
            return True
        if self.has_class("-found"):
            self._close_found()
            return True
        return super().back()

    def take_focus(self) -> None:
        if self.has_class("-hex"):
            self.bytes.focus()
        else:
            (self.found if self.has_class("-found") else self.table).focus()

    def go_to(self, key: Hashable) -> bool:
        self._close_found()
        self.remove_class("-hex")
        return super().go_to(key)

    # Searching

    def search(self) -> None:
        self.app.push_screen(AskScreen("search memory", FORMS), self._search_for)

    def _search_for(self, text: str | None) -> None:
        if not text:
            return
        memories = self.checkpoint.memory
        if text.startswith("*"):
            text = text[1:].strip()
        elif self._region is not None:
            memories = tuple(m for m in memories if self._region and m.pid == self._region.pid)
        try:
            pattern = parse_pattern(text)
        except UsageError as error:
            self.notify(printable(str(error)), severity="warning", markup=False)
            return
        reader = self.opened.memory
        self.run(
            "Searching memory",
            lambda progress: find_all(areas_of(reader, memories), pattern, progress),
            self._show_found,
        )

    def _show_found(self, found: Matches) -> None:
        self.notify(found_text(found), markup=False)
        if not found.matches:
            return
        self._matches = found.matches
        self.add_class("-found")
        self.remove_class("-hex")
        self.found.set_rows(LazyRows(range(len(self._matches)), self._found_row, _number))
        self.found.cursor = 0
        self._go_to_match(0)
        self.found.focus()

    def _found_row(self, number: int) -> Row:
        match = self._matches[number]
        memory = index_of(self.checkpoint).memory.get(match.pid)
        region = region_at(memory.regions, match.address) if memory else None
        return found_row(number, match, region, self._reveal)

    def _go_to_match(self, number: int) -> None:
        if number < len(self._matches):
            match = self._matches[number]
            self._region = None  # so that its marks are those of this search
            self.go_to_address(match.pid, match.address)

    def _close_found(self) -> None:
        self._matches = ()
        self.bytes.mark(())
        self.remove_class("-found")
        self.take_focus()
        row = self.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    @on(VirtualTable.RowHighlighted, "#found")
    def _match_highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        if self.has_class("-found"):
            self._go_to_match(message.index)

    @on(VirtualTable.RowChosen, "#found")
    def _match_chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.choose()

    def step(self, direction: int) -> None:
        if self._matches:
            self.found.cursor = (self.found.cursor + direction) % len(self._matches)
        else:
            self.notify("Nothing to search for yet: / asks for it.", markup=False)

    def reveal_secrets(self, reveal: bool) -> None:
        self.cover_list(reveal)
        self.bytes.reveal_secrets(reveal)
        if self._matches:
            self.found.set_rows(self.found.rows)

    # Out of the program

    def copy_text(self, *, whole_row: bool) -> str:
        row = (self.found if self.has_class("-found") else self.table).highlighted
        texts = row_texts(row) if row else []
        return "\t".join(texts) if whole_row else "".join(texts[1:2])

    def page_lines(self) -> Iterator[str]:
        region = self._region
        if region is None:
            return
        window = region_window(self.opened.memory, region)
        yield from dump_lines(
            window, region.start, lambda at: _absent(region, window, at), reveal=self._reveal
        )


def _absent(region: Region, window: MemoryWindow, offset: int) -> str:
    """Return why a byte is not in the dump, "" if it is."""
    state = window.state_at(offset)
    return "" if state is PageState.DATA else printable(absent_text(region, state))


def _number(key: Hashable) -> int | None:
    return key[1] if isinstance(key, tuple) and key[0] == "found" else None
