"""What a search in memory found, in the place of the regions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, Region
from ckpt_tui.checkpoint.search import Match
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.found import COLUMNS, found_row, region_at
from ckpt_tui.views.hex import Span
from ckpt_tui.views.table import LazyRows, Row, row_texts


class MatchList(Vertical):
    """The places found, one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = bound("", "copy copy-row")

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(id="found")
        self.table = VirtualTable(COLUMNS, empty="Nothing was found", id="matches")
        self._checkpoint = checkpoint
        self._matches: Sequence[Match] = ()
        self._reveal = False

    def compose(self) -> ComposeResult:
        yield self.table

    def show(self, matches: Sequence[Match]) -> None:
        """Show other places, with the cursor on the first."""
        self._matches = matches
        self.table.set_rows(LazyRows(range(len(matches)), self._row, _number))
        self.table.cursor = 0

    @property
    def current(self) -> Match | None:
        """The place under the cursor."""
        return self._matches[self.table.cursor] if self._matches else None

    def places_in(self, region: Region) -> Iterator[Span]:
        """Yield where the places in a region begin, in bytes from its start, and their length."""
        for match in self._matches:
            if match.pid == region.pid and region.start <= match.address < region.end:
                yield match.address - region.start, len(match.found)

    def step(self, direction: int) -> None:
        """Go to the next or the previous place, round at the ends."""
        if self._matches:
            self.table.cursor = (self.table.cursor + direction) % len(self._matches)
        else:
            self.notify("Nothing to search for yet: / asks for it.", markup=False)

    def reveal_secrets(self, reveal: bool) -> None:
        """Show or cover what looks like a secret."""
        self._reveal = reveal
        self.table.set_rows(self.table.rows)

    async def action_copy(self) -> None:
        if self.table.highlighted is not None:
            await send_to_clipboard(self.app, str(self.table.highlighted.cells[1]), "the value")

    async def action_copy_row(self) -> None:
        if self.table.highlighted is not None:
            await send_to_clipboard(self.app, row_texts(self.table.highlighted), "the row")

    def _row(self, number: int) -> Row:
        match = self._matches[number]
        memory = index_of(self._checkpoint).memory.get(match.pid)
        region = region_at(memory.regions, match.address) if memory else None
        return found_row(number, match, region, self._reveal)


def _number(key: object) -> int | None:
    return key[1] if isinstance(key, tuple) and key[0] == "found" else None
