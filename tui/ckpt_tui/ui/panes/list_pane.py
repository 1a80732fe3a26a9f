"""A list on the left, the thing under its cursor on the right: what most tabs are."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.pager import PAGER_WIDTH
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.choice import MANY, Choice, find_row
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.facts import Section, fact_lines
from ckpt_tui.views.table import Column, ListRows, Row, RowSource, plain

FOUND_S = 0.3
"""Seconds between showing what a filter has found."""


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
    has_secrets: bool = False
    """Whether the panel may show what looks like a secret."""

    def source(self, checkpoint: Checkpoint) -> RowSource:
        """Return the rows of a checkpoint as a table takes them."""
        rows = self.rows(checkpoint)
        return ListRows(rows) if isinstance(rows, list) else rows


class ListPane(Pane):
    """Rows that can be filtered and sorted, with a panel for the one under the cursor."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset(
        (
            *("open", "filter", "search", "next_match", "previous_match", "sort", "reverse"),
            *("copy", "copy_row", "go_to", "used_by", "pager", "problems_only"),
        )
    )

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        super().__init__(opened, checkpoint)
        self.shown = shown
        self.source = shown.source(checkpoint)
        self.choice = Choice()
        self._found: RowSource | None = None
        """What the job that chooses rows has found so far; it grows."""
        self._looking: Timer | None = None
        self._reveal = False
        self._sought = ""

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="list"):
                yield VirtualTable(
                    self.shown.columns, self.source, empty=self.shown.empty, id="rows"
                )
                yield from self.more_lists()
                yield SearchBar()
            yield self.make_detail()

    def more_lists(self) -> Iterable[Widget]:
        """Return widgets below the list, or in its place."""
        return ()

    def make_detail(self) -> Widget:
        """Return the widget on the right."""
        return Facts(classes="detail")

    def offers(self, action: str) -> bool:
        return super().offers(action) or (action == "reveal" and self.shown.has_secrets)

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
        return ref_sections(self.checkpoint, key, self._reveal)

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
        same = self.choice.column == message.column
        self._sort_by(message.column, same and not self.choice.descending)

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        self.post_message(self.LinkFollowed(message.link))

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        message.stop()
        if message.text != self.choice.needle:
            self.refill(replace(self.choice, needle=message.text))

    def take_focus(self) -> None:
        self.table.focus()

    def go_to(self, key: Hashable) -> bool:
        if self.table.go_to(key):
            return True
        if self.source.index_of(key) is None:
            return False
        self.query_one(SearchBar).close()
        self.choice = Choice(column=self.choice.column, descending=self.choice.descending)
        self.refill(self.choice, lambda: self.table.go_to(key))
        return True

    def reveal_secrets(self, reveal: bool) -> None:
        self._reveal = reveal
        row = self.table.highlighted
        if row is not None:
            self.show_detail(row.key)

    def filter(self) -> None:
        self.query_one(SearchBar).open("filter")

    def search(self) -> None:
        def begin(text: str | None) -> None:
            self._sought = text or ""
            if text:
                self.step(1)

        self.app.push_screen(AskScreen("search", "words that must all occur in a row"), begin)

    def step(self, direction: int) -> None:
        if not self._sought:
            self.notify("Nothing to search for yet: / asks for it.", markup=False)
            return
        rows, start, sought = self.table.rows, self.table.cursor, self._sought

        def found(number: int | None) -> None:
            if number is None:
                self.notify("No row has all of these words.", markup=False)
            else:
                self.table.cursor = number

        if len(rows) > MANY:
            self.run("Searching", lambda p: find_row(rows, sought, start, direction, p), found)
        else:
            found(find_row(rows, sought, start, direction, quiet()))

    def sort(self, *, reverse: bool) -> None:
        column = -1 if self.choice.column is None else self.choice.column
        if reverse:
            self._sort_by(max(column, 0), not self.choice.descending)
        else:
            self._sort_by((column + 1) % len(self.shown.columns), False)

    def show_problems(self) -> None:
        self.refill(replace(self.choice, problems_only=not self.choice.problems_only))

    def choose(self) -> None:
        """On a narrow terminal the panel takes the place of the list; else it gets the focus."""
        self.add_class("-detail")
        detail = self.query(".detail").first()
        if detail.can_focus:
            detail.focus()

    def back(self) -> bool:
        bar = self.query_one(SearchBar)
        if self.cancel_job():
            return True
        if bar.is_open:
            bar.close()
            return True
        if self.choice.problems_only:
            self.show_problems()
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
        return plain(row.cells[self.shown.copied_column]).strip()

    def page_lines(self) -> Iterator[str]:
        for line in fact_lines(self.sections(self.current_key), PAGER_WIDTH):
            yield line.text.plain

    def _sort_by(self, column: int, descending: bool) -> None:
        self.refill(replace(self.choice, column=column, descending=descending))
        self.table.show_sorted(column, descending)

    def refill(self, choice: Choice, then: Callable[[], object] | None = None) -> None:
        """Show the rows of a choice, many of them as a job finds them; `then` is called after
        that."""
        self.choice = choice
        self._stop_looking()

        def see(rows: RowSource) -> None:
            if self.choice is choice:
                self._found = rows

        def chosen(progress: Progress) -> RowSource:
            return choice.rows(self.source, self._is_problem, progress, see)

        def show(rows: RowSource) -> None:
            self._stop_looking()
            self._show_rows(rows)
            if then is not None:
                then()

        if len(self.source) > MANY and choice != Choice():
            self.run("Choosing rows", chosen, show)
            self._looking = self.set_interval(FOUND_S, self._show_so_far)
        else:
            self.abandon_job()
            show(chosen(quiet()))

    def _show_so_far(self) -> None:
        """Show what the job has found so far."""
        if not self.job_running:
            self._stop_looking()
        elif self._found is not None:
            self._show_rows(self._found, so_far=True)

    def _stop_looking(self) -> None:
        self._found = None
        if self._looking is not None:
            self._looking.stop()
            self._looking = None

    def set_source(self, source: RowSource, empty: str) -> None:
        """Show other rows altogether, as they are chosen now."""
        self.source = source
        self.shown = replace(self.shown, empty=empty)
        self.refill(self.choice)

    def _is_problem(self, row: Row) -> bool:
        """Tell whether the diagnosis found something wrong with a row, or it shows by itself."""
        asked = self.shown.is_problem
        return row.key in self.problem_keys or (asked is not None and asked(self.checkpoint, row))

    def _show_rows(self, rows: RowSource, *, so_far: bool = False) -> None:
        limited = bool(self.choice.needle) or self.choice.problems_only
        count = f"{len(rows):,} {'so far' if so_far else f'of {len(self.source):,}'}"
        self.query_one(SearchBar).show_count(count if self.choice.needle else "")
        empty = self.shown.empty
        if limited and len(self.source):
            empty = "No row has all of these words" if self.choice.needle else "No problem here"
        if so_far:
            empty = "Nothing so far"
        self.table.set_rows(rows, empty)
