"""A list with the keys that every list has: filter, search, sort, copy a value or a row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input

from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.choice import MANY, Choice, find_row
from ckpt_tui.views.table import Column, ListRows, Row, RowSource, TreeRows, plain, row_texts

FOUND_S = 0.3
"""Seconds between showing what a filter has found."""

TYPING = ("filter", "search")
"""Actions after which a line is typed. Their keys are priority bindings: those are handled before
the next key is looked at, so what is typed right behind one reaches the line."""

COPY_ONLY = (
    *("filter", "search", "next_match", "previous_match", "sort", "reverse"),
    "problems_only",
)
"""Actions that a short list in a fixed order goes without."""


Find = Callable[[str, int, int, Progress], int | None]
"""Returns the index of the next row with all of some words after a row, in the direction 1 or -1,
going round at the ends; None without one. May run in a thread."""


def first_cell(row: Row) -> str:
    """Return the text of the first cell."""
    return plain(row.cells[0]).strip()


class ListView(Horizontal, JobHost):  # Textual takes style sheets from the first base only
    """A table above its line for filters; widgets composed inside stand beside both.

    The keys work wherever in here the focus is. `VirtualTable.RowHighlighted` and
    `VirtualTable.RowChosen` bubble on. Rows are chosen and searched in a job where there are many.
    """

    BINDINGS: ClassVar[list[BindingType]] = bound(
        "filter problems", "search next previous sort reverse copy copy-row", "filter search"
    )

    def __init__(
        self,
        columns: Sequence[Column],
        source: RowSource | None = None,
        *,
        empty: str = "Nothing here",
        copied: Callable[[Row], str | Sequence[str]] = first_cell,
        is_problem: Callable[[Row], bool] | None = None,
        find: Find | None = None,
        without: Collection[str] = (),
        below: Iterable[Widget] = (),
        id: str | None = None,
    ) -> None:
        """`empty` says, printable, why there are no rows. `copied` returns the value that the copy
        key sends; `find` searches in another way than by the text of a row. `without` names actions
        that are not offered. `below` are widgets between the table and the line for filters."""
        super().__init__(id=id)
        self.source: RowSource = ListRows() if source is None else source
        """All rows, in their own order."""
        self.choice = Choice()
        self.table = VirtualTable(columns, self.source, empty=empty, id="rows")
        self.bar = SearchBar()
        self._empty, self._copied = empty, copied
        self._find = find or (lambda *asked: find_row(self.table.rows, *asked))
        self._is_problem = is_problem or (lambda _: False)
        self._without = frozenset((*without, *(() if is_problem else ("problems_only",))))
        self._below, self._beside = tuple(below), list[Widget]()
        self._found: RowSource | None = None
        """What the job that chooses rows has found so far; it grows."""
        self._looking: Timer | None = None
        self._sought = ""

    def compose(self) -> ComposeResult:
        yield Vertical(self.table, *self._below, self.bar, classes="list")
        yield from self._beside

    def compose_add_child(self, widget: Widget) -> None:
        self._beside.append(widget)

    @property
    def job_bars(self) -> Iterable[JobBar]:
        return self.screen.query(JobBar)

    @property
    def current_key(self) -> Hashable:
        """Key of the row under the cursor, None without one."""
        row = self.table.highlighted
        return row.key if row else None

    def show(self, source: RowSource, empty: str | None = None) -> None:
        """Show other rows, filtered and sorted as those before; `empty` as for the constructor."""
        self.source = source
        self._empty = self._empty if empty is None else empty
        self.choose(self.choice)

    def go_to(self, key: Hashable) -> bool:
        """Move the cursor to a key, without a filter if need be; return whether it is there."""
        if self.table.go_to(key):
            return True
        if self.source.index_of(key) is None:
            return False
        self.bar.close()
        kept = Choice(column=self.choice.column, descending=self.choice.descending)
        self.choose(kept, lambda: self.table.go_to(key))
        return True

    def choose(self, choice: Choice, then: Callable[[], object] | None = None) -> None:
        """Show the rows of a choice, many of them as a job finds them; `then` is called after."""
        self.choice = choice
        self._stop_looking()
        is_sorted = choice.column is not None
        source = (
            self.source.flat if is_sorted and isinstance(self.source, TreeRows) else self.source
        )

        def see(rows: RowSource) -> None:
            if self.choice is choice:
                self._found = rows

        def chosen(progress: Progress) -> RowSource:
            return choice.rows(source, self._is_problem, progress, see)

        def show(rows: RowSource) -> None:
            self._stop_looking()
            self._show_rows(rows)
            if then is not None:
                then()

        if len(self.source) > MANY and choice != Choice():
            self.run("Choosing rows", chosen, show)
            self._looking = self.set_interval(FOUND_S, self._show_so_far)
        else:
            self.cancel_job()
            show(chosen(quiet()))

    def back(self) -> bool:
        """Stop the job or close the line for filters; return False if there was neither."""
        if self.cancel_job():
            return True
        if self.bar.is_open:
            self.bar.close()
            return True
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        is_typing = action in TYPING and isinstance(self.app.focused, Input)
        return action not in self._without and not is_typing

    def action_filter(self) -> None:
        self.bar.open("filter")

    def action_search(self) -> None:
        def begin(text: str | None) -> None:
            self._sought = text or ""
            if text:
                self._step(1)

        self.app.push_screen(AskScreen("search", "words that must all occur in a row"), begin)

    def action_next_match(self) -> None:
        self._step(1)

    def action_previous_match(self) -> None:
        self._step(-1)

    def action_sort(self) -> None:
        columns = self.table.columns
        sizes = (n for n, column in enumerate(columns) if column.largest_first)
        now = self.choice.column
        column = next(sizes, 0) if now is None else (now + 1) % len(columns)
        self._sort_by(column, columns[column].largest_first)

    def action_reverse(self) -> None:
        self._sort_by(self.choice.column or 0, not self.choice.descending)

    def action_problems_only(self) -> None:
        self.choose(replace(self.choice, problems_only=not self.choice.problems_only))

    async def action_copy(self) -> None:
        await self._copy(self._copied, "the value")

    async def action_copy_row(self) -> None:
        await self._copy(row_texts, "the row")

    async def _copy(self, text_of: Callable[[Row], str | Sequence[str]], what: str) -> None:
        row = self.table.highlighted
        if row is not None and (text := text_of(row)):
            await send_to_clipboard(self.app, text, what)

    @on(VirtualTable.HeaderChosen, "#rows")
    def _header(self, message: VirtualTable.HeaderChosen) -> None:
        message.stop()
        if "sort" not in self._without:
            same = self.choice.column == message.column
            largest_first = self.table.columns[message.column].largest_first
            self._sort_by(message.column, not self.choice.descending if same else largest_first)

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        message.stop()
        if message.text != self.choice.needle:
            self.choose(replace(self.choice, needle=message.text))

    def _step(self, direction: int) -> None:
        find = partial(self._find, self._sought, self.table.cursor, direction)
        if not self._sought:
            self.notify("Nothing to search for yet: / asks for it.", markup=False)
        elif len(self.table.rows) > MANY:
            self.run("Searching", find, self._go_to_found)
        else:
            self._go_to_found(find(quiet()))

    def _go_to_found(self, index: int | None) -> None:
        if index is None:
            self.notify("No row has all of these words.", markup=False)
        else:
            self.table.cursor = index

    def _sort_by(self, column: int, descending: bool) -> None:
        self.choose(replace(self.choice, column=column, descending=descending))
        self.table.show_sorted(column, descending)

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

    def _show_rows(self, rows: RowSource, *, so_far: bool = False) -> None:
        needle = self.choice.needle
        count = f"{len(rows):,} {'so far' if so_far else f'of {len(self.source):,}'}"
        self.bar.show_count(count if needle else "")
        empty = self._empty
        if so_far:
            empty = "Nothing so far"
        elif len(self.source) and (needle or self.choice.problems_only):
            empty = "No row has all of these words" if needle else "No problem here"
        self.table.set_rows(rows, empty)
