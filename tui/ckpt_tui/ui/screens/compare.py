"""Two checkpoints beside each other: every difference, and the changed bytes of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from ckpt_tui.checkpoint.compare import Comparison, compare_checkpoints
from ckpt_tui.checkpoint.comparepages import MemoryComparison, RegionPair, Side, compare_memory
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.checkpoint.regions import region_window
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import middle, printable
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import COMPARE, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed, JobHost
from ckpt_tui.ui.rows.choice import Choice, find_row
from ckpt_tui.ui.rows.compare import (
    COLUMNS,
    MOST_LINES,
    Line,
    line_rows,
    line_sections,
    lines,
    memory_parts,
    summary,
)
from ckpt_tui.ui.rows.problem import problem_sections
from ckpt_tui.ui.rows.table import Row, plain
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable

COMPARING = "Comparing memory …"


@dataclass(frozen=True, slots=True)
class _Opened:
    """Both checkpoints, open, and what differs but for memory."""

    opened: tuple[OpenCheckpoint, OpenCheckpoint]
    sides: tuple[Side, Side]
    comparison: Comparison

    def close(self) -> None:
        for opened in self.opened:
            opened.close()


class CompareScreen(JobHost, Screen[None]):
    """Opens two targets, compares all but memory, then memory in a job of its own.

    Class `-hex`: the bytes of one region of both are shown.
    """

    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(COMPARE)]
    name_in_commands = COMPARE

    def __init__(self, before: str, after: str) -> None:
        super().__init__()
        self.targets = before, after
        self._found: _Opened | None = None
        self.memory: MemoryComparison | None = None
        self._lines: list[Line] = []
        self._reveal = False
        self._needle = ""
        self._sought = ""

    def compose(self) -> ComposeResult:
        names = [middle(printable(t.rpartition("/")[2] or t), 34) for t in self.targets]
        yield Static(Content(f" {names[0]}  ↔  {names[1]}"), id="title")
        with Horizontal(id="differences"):
            with Vertical(classes="list"):
                yield VirtualTable(COLUMNS, empty="Comparing …")
                yield SearchBar()
            with Vertical(classes="detail"):
                yield Facts()
                yield StackedBar(empty=COMPARING)
        with Vertical(id="hex"):
            yield Static("", classes="heading", id="before-name")
            yield HexView(id="before")
            yield Static("", classes="heading", id="after-name")
            yield HexView(id="after")
        yield JobBar()
        yield KeyLine(COMPARE)

    def on_mount(self) -> None:
        self.table.focus()
        self.start_job("Comparing", self._open, _Opened.close)

    def on_unmount(self) -> None:
        if self._found is not None:
            self._found.close()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        row = self.table.highlighted
        return self._lines[row.key] if row and isinstance(row.key, int) else None

    def _open(self, progress: Progress) -> _Opened:
        one = open_checkpoint(self.targets[0], progress)
        try:
            other = open_checkpoint(self.targets[1], progress)
        except BaseException:
            one.close()
            raise
        try:
            sides = tuple(Side(o.load(progress), o.images, o.memory) for o in (one, other))
            comparison = compare_checkpoints(sides[0].checkpoint, sides[1].checkpoint, progress)
        except BaseException:
            one.close()
            other.close()
            raise
        return _Opened((one, other), (sides[0], sides[1]), comparison)

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if isinstance(message.result, _Opened):
            found = self._found = message.result
            self._refill()
            self.start_job(
                "Comparing memory",
                lambda progress: compare_memory(*found.sides, found.comparison.processes, progress),
            )
        elif isinstance(message.result, MemoryComparison):
            self.memory = message.result
            self.query_one(StackedBar).show(memory_parts(self.memory))
            self._refill()

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self._found is None:
            self.query_one(Facts).show(problem_sections(message.error))
            self.table.set_rows(self.table.rows, "They cannot be compared")
        else:
            self.notify(printable(str(message.error)), severity="error", markup=False)

    @on(JobCancelled)
    def _cancelled(self) -> None:
        if self._found is None:
            self.dismiss()

    def _refill(self) -> None:
        if self._found is None:
            return
        comparison = self._found.comparison
        self._lines = lines(comparison, self.memory, MOST_LINES)
        rows = line_rows(self._lines, self._reveal)
        shown = Choice(self._needle).rows(rows, _no_problem, quiet())
        self.table.set_rows(shown, "No line has all of these words")
        self.query_one(".list").border_title = summary(comparison)
        self._show_detail()

    @on(VirtualTable.RowHighlighted)
    def _show_detail(self) -> None:
        line = self.line
        if line is not None:
            self.query_one(Facts).show(line_sections(line, self._reveal))

    @on(VirtualTable.RowChosen)
    def _chosen(self) -> None:
        self.action_open()

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        self._needle = message.text
        self._refill()

    def action_open(self) -> None:
        """Show the changed bytes of a region, or the thing itself in its checkpoint."""
        line = self.line
        if line is None or self._found is None:
            return
        if line.region is not None and line.region.before and line.region.after:
            self._show_bytes(line.region)
        elif line.change is not None:
            after = line.change.after_key
            self._open_at(1 if after is not None else 0, after or line.change.before_key)

    def _open_at(self, side: int, key: tuple[object, ...] | int | None) -> None:
        if key is None:
            return
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

        self.app.push_screen(CheckpointScreen(self.targets[side], key=key))

    def _show_bytes(self, pair: RegionPair) -> None:
        assert self._found is not None
        both = zip(("before", "after"), (pair.before, pair.after), self._found.opened, strict=True)
        for name, region, opened in both:
            if region is not None:
                self._show_region(name, region, opened, pair)
        self.add_class("-hex")
        self.query_one("#after", HexView).focus()
        if pair.places:
            self._hex_goto(pair.places[0][0])

    def _show_region(
        self, name: str, region: Region, opened: OpenCheckpoint, pair: RegionPair
    ) -> None:
        view = self.query_one(f"#{name}", HexView)
        view.show(region_window(opened.memory, region), region.start, "No bytes")
        view.mark(pair.places)
        said = f" {name}: process {region.pid}, {region.kind} {printable(region.path)}"
        self.query_one(f"#{name}-name", Static).update(Content(said))

    def _hex_goto(self, offset: int) -> None:
        for view in self.query(HexView):
            view.goto(offset)

    def action_filter(self) -> None:
        self.query_one(SearchBar).open("filter")

    def action_search(self) -> None:
        def begin(text: str | None) -> None:
            self._sought = text or ""
            if text:
                self._step(1)

        self.app.push_screen(AskScreen("search", "words that must all occur in a line"), begin)

    def action_next_match(self) -> None:
        self._step(1)

    def action_previous_match(self) -> None:
        self._step(-1)

    def _step(self, direction: int) -> None:
        if self.has_class("-hex"):
            for view in self.query(HexView):
                view.next_mark() if direction > 0 else view.previous_mark()
            return
        if self._sought:
            rows = self.table.rows
            found = find_row(rows, self._sought, self.table.cursor, direction, quiet())
            if found is None:
                self.notify("No line has all of these words.", markup=False)
            else:
                self.table.cursor = found

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
        self._refill()

    async def action_copy(self) -> None:
        row = self.table.highlighted
        if row is not None:
            await send_to_clipboard(
                self.app, plain(row.cells[3]) or plain(row.cells[2]), "the value"
            )

    async def action_copy_row(self) -> None:
        row = self.table.highlighted
        if row is not None:
            text = "\t".join(plain(cell).strip() for cell in row.cells)
            await send_to_clipboard(self.app, text, "the line")

    def action_back(self) -> None:
        bar = self.query_one(SearchBar)
        if self.has_class("-hex"):
            self.remove_class("-hex")
            self.table.focus()
        elif bar.is_open:
            bar.close()
        elif not self.cancel_job():
            self.dismiss()

    def action_leave(self) -> None:
        self.cancel_job()
        self.dismiss()


def _no_problem(row: Row) -> bool:
    del row
    return False
