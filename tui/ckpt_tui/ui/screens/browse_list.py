"""The left side of the browser: the tree, which lists branches and describes tags in jobs."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.places.registry import Tags
from ckpt_tui.ui.jobs import JobHost, JobProgress
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.browse import COLUMNS, BrowseRows
from ckpt_tui.views.browse_tree import BrowseTree, Line

TAGS_AHEAD = 10
"""Tags below those in view that are asked about with them."""


def children(entry: Entry, progress: Progress) -> Iterable[Entry]:
    """Yield what is in a place; see `catalogue.children`."""
    from ckpt_tui.formats import catalogue  # 200 ms that the first frame need not wait for

    return catalogue.children(entry, progress)


class BrowseList(JobHost, Vertical):
    """Shows a tree; branches are listed one after another."""

    def __init__(self, places: BrowseTree, card: BrowseCard) -> None:
        """`card` shows what is under the cursor, and what goes wrong."""
        super().__init__(classes="list")
        self.places = places
        self._card = card
        self._rows = BrowseRows(places)
        self._tags = Tags()

    def compose(self) -> ComposeResult:
        yield VirtualTable(COLUMNS, self._rows, empty="Nothing to show")
        yield SearchBar()
        yield JobBar()

    def on_mount(self) -> None:
        self.table.focus()
        self._list_next()

    def on_unmount(self) -> None:
        self._tags.close()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        table = self.query_one_optional(VirtualTable)
        if table is None:  # keys come while the program ends
            return None
        row = table.highlighted
        return self.places.line(row.key) if row else None

    def show(self, empty: str | None = None) -> None:
        """Show the tree as it is now, and find out more of what is in view; `empty` is said where
        no line is left."""
        self.table.set_rows(self._rows, empty)
        self._card.look_at(self.line)
        self.describe()

    def toggle(self, line: Line) -> None:
        """Open or close a branch."""
        if self.places.toggle(line):
            self._list_next()
        else:
            self.show()

    def go_up(self) -> None:
        """Put the cursor on the branch that it is in."""
        branch = self.places.parent(self.line) if self.line else None
        if branch is not None:
            self.table.go_to(branch.key)

    def list_again(self, line: Line) -> None:
        """List a branch, whether it was listed before or not."""
        self.places.list_again(line)
        self._list_next()

    def _list_next(self) -> None:
        line = self.places.next_to_list()
        if line is None:
            return
        if line.entry.kind is Kind.REPOSITORY:
            self._tags.ask_again(line.entry.path)

        def collect(progress: Progress) -> list[Line]:
            return self.places.collect(line, children(line.entry, progress), progress)

        name = f"Listing {line.entry.name}"
        self.run(name, collect, self._arrived, failed=self._failed, stopped=self._stopped)

    @on(JobProgress)
    def _progressed(self) -> None:
        if self.places.show_arrived():
            self.table.set_rows(self._rows)

    def _arrived(self, lines: list[Line]) -> None:
        self.places.arrived(lines)
        self._rows = BrowseRows(self.places)
        self._list_next()
        self.show()

    def _failed(self, error: CkptError) -> None:
        self.places.failed(error)
        self._list_next()
        self.show()
        self._card.job_failed(error)

    def _stopped(self) -> None:
        self.places.stopped()
        self.show()
        self._card.job_stopped()

    def describe(self) -> None:
        """Find out what the tags in view are, if nothing else is under way; others would cost
        requests for nothing."""
        if self.job_running or not self.screen.is_current:
            return
        top = self.table.scroll_offset.y
        seen = self.places.between(top, top + self.table.size.height + TAGS_AHEAD)
        unknown = [line for line in seen if self._tags.wants(line.entry)]

        def found(number: int, entry: Entry) -> None:
            unknown[number].entry = entry

        def ask(progress: Progress) -> None:
            self._tags.describe([line.entry for line in unknown], progress, found)

        if unknown:
            name = f"Asking about {human_count(len(unknown), 'tag')}"
            self.run(name, ask, lambda _: self.show(), failed=self._card.job_failed)

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._card.look_at(self.line)
        self.describe()
