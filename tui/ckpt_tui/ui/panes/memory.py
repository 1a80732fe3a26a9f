"""Memory: the regions, the bytes of one, and a search over all that was dumped."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, Region
from ckpt_tui.checkpoint.patterns import parse_pattern
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.regions import MemoryWindow, absent_text, region_window
from ckpt_tui.checkpoint.search import Matches, areas_of, find_all
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.text import printable
from ckpt_tui.criu.pages import PageState
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane, cover_rows
from ckpt_tui.ui.panes.match_list import MatchList
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.found import found_text, parse_address, region_at
from ckpt_tui.views.hex import dump_lines

FORMS = "text, re:expression (RE2), hex:bytes, u16:text; a * before it searches every process"


class MemoryPane(ListPane):
    """The tab Memory. Class `-hex`: only the bytes are shown; `-found`: the list is of matches."""

    BINDINGS: ClassVar[list[BindingType]] = bound("address", "search next previous")
    not_offered = ("search", "next_match", "previous_match")
    shown_region: Region | None = None
    """The region whose bytes are shown."""

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        self.found = MatchList(checkpoint)
        self.bytes = HexView(id="bytes")
        detail = Vertical(Facts(id="facts"), self.bytes)
        super().__init__(opened, checkpoint, shown, detail, (self.found,))

    @property
    def current_key(self) -> Hashable:
        region = self.shown_region
        return Ref.region(region.pid, region.start) if region else None

    def show_detail(self, key: Hashable) -> None:
        super().show_detail(key)
        index = index_of(self.checkpoint)
        number = index.region.get(key.ids) if isinstance(key, Ref) else None
        if number is not None and self.shown_region is not index.regions[number]:
            self._show_region(index.regions[number])

    def _show_region(self, region: Region) -> None:
        self.shown_region = region
        window = region_window(self.opened.memory, region)
        empty = "This region has no bytes"
        self.bytes.show(window, region.start, empty, partial(_absent, region, window))
        self.bytes.mark(self.found.places_in(region))

    # Going to places

    def go_to_address(self, pid: int, address: int) -> bool:
        """Show the bytes at an address of a process; return whether a region holds it."""
        memory = index_of(self.checkpoint).memory.get(pid)
        region = region_at(memory.regions, address) if memory else None
        if region is None:
            return False
        if self.shown_region is not region:
            self.query_one(Facts).show(self.sections(Ref.region(region.pid, region.start)))
            self._show_region(region)
        self.bytes.goto(address - region.start)
        return True

    def action_ask_address(self) -> None:
        region = self.shown_region

        def go(text: str | None) -> None:
            address = parse_address(text or "")
            if not text or region is None:
                return
            if address is None or not self.go_to_address(region.pid, address):
                said = f"No region of process {region.pid} holds {printable(text)}."
                self.notify(said, severity="warning", markup=False)
                return
            if self.shown_region is not None and not self.has_class("-found"):
                self.list_view.table.go_to(
                    Ref.region(self.shown_region.pid, self.shown_region.start)
                )
            self.add_class("-hex")
            self.bytes.focus()

        if region is not None:
            self.app.push_screen(AskScreen("address", f"of process {region.pid}, in hex"), go)

    def action_open(self) -> None:
        """On a narrow terminal the panel comes first, the bytes alone after it."""
        if self.screen.has_class("-narrow") and not self.has_class("-detail"):
            self.add_class("-detail")
            self.bytes.focus()
        elif self.shown_region is not None:
            self.add_class("-hex")
            self.bytes.focus()

    def back(self) -> bool:
        if self.list_view.cancel_job():
            return True
        for closed in ("-hex", "-detail"):
            if self.has_class(closed):
                self.remove_class(closed)
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
            (self.found.table if self.has_class("-found") else self.list_view.table).focus()

    def go_to(self, key: Hashable) -> bool:
        self._close_found()
        self.remove_class("-hex")
        if not isinstance(key, Ref) or key.kind != "address":
            return super().go_to(key)
        pid, address = key.ids
        if not self.go_to_address(pid, address) or self.shown_region is None:
            return False
        self.list_view.go_to(Ref.region(pid, self.shown_region.start))
        self.bytes.mark([(address - self.shown_region.start, 1)])
        self.add_class("-hex" if self.screen.has_class("-narrow") else "-detail")
        self.bytes.focus()
        return True

    # Searching

    def action_search(self) -> None:
        def show(found: Matches) -> None:
            self.notify(found_text(found), markup=False)
            if found.matches:
                self.add_class("-found")
                self.remove_class("-hex")
                self.found.show(found.matches)
                self.found.table.focus()

        def ask(text: str | None) -> None:
            _search(self, text, show)

        self.app.push_screen(AskScreen("search memory", FORMS), ask)

    def _close_found(self) -> None:
        self.found.show(())
        self.bytes.mark(())
        self.remove_class("-found")
        self.take_focus()
        row = self.list_view.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    @on(VirtualTable.RowHighlighted, "#matches")
    def _match_highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        match = self.found.current
        if match is not None:
            self.shown_region = None  # so that its marks are those of this search
            self.go_to_address(match.pid, match.address)

    def action_next_match(self) -> None:
        self.found.step(1)

    def action_previous_match(self) -> None:
        self.found.step(-1)

    def watch_reveals(self) -> None:
        cover_rows(self)
        self.bytes.reveal_secrets(self.reveals)
        self.found.reveal_secrets(self.reveals)

    def page_lines(self) -> Iterator[str]:
        region = self.shown_region
        if region is None:
            return iter(())
        window = region_window(self.opened.memory, region)
        absent = partial(_absent, region, window)
        return dump_lines(window, region.start, absent, reveal=self.reveals)


def _absent(region: Region, window: MemoryWindow, offset: int) -> str:
    """Return why a byte is not in the dump, "" if it is."""
    state = window.state_at(offset)
    return "" if state is PageState.DATA else printable(absent_text(region, state))


def _search(pane: MemoryPane, text: str | None, then: Callable[[Matches], None]) -> None:
    """Search the memory of the process that is shown, or of all."""
    if not text:
        return
    memories, region = pane.checkpoint.memory, pane.shown_region
    if text.startswith("*"):
        text = text[1:].strip()
    elif region is not None:
        memories = tuple(memory for memory in memories if memory.pid == region.pid)
    try:
        pattern = parse_pattern(text)
    except UsageError as error:
        pane.notify(printable(str(error)), severity="warning", markup=False)
        return
    reader = pane.opened.memory
    pane.list_view.run(
        "Searching memory",
        lambda progress: find_all(areas_of(reader, memories), pattern, progress),
        then,
    )
