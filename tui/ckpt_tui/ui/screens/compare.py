"""Two checkpoints beside each other: every difference, and the changed bytes of memory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.bytediff import Run, changed_bytes
from ckpt_tui.checkpoint.compare import Comparison, compare_checkpoints
from ckpt_tui.checkpoint.comparefiles import FileComparison, FilePair
from ckpt_tui.checkpoint.comparepages import MemoryComparison, RegionPair, compare_memory
from ckpt_tui.checkpoint.delta import file_window
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.regions import region_window
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import human_count, middle, printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.formats.comparing import Loaded, compare_deltas, is_one_dump, load_both, side
from ckpt_tui.ui.clipboard import send_row, send_to_clipboard
from ckpt_tui.ui.commands import COMPARE, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.choice import Choice, find_row
from ckpt_tui.views.compare import (
    COLUMNS,
    MOST_LINES,
    ONE_DUMP,
    Line,
    line_rows,
    line_sections,
    lines,
    memory_parts,
    summary,
)
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import Row, plain

COMPARING = "Comparing memory …"


MOST_BYTES = 4 << 20
"""Bytes of changed pages looked through for the bytes in them that differ."""


class _Opened:
    """Both checkpoints, open, and what differs but for contents."""

    def __init__(self, pair: tuple[Loaded, Loaded], comparison: Comparison) -> None:
        self.pair = pair
        self.comparison = comparison
        self._deltas: list[Tree | None] = []

    def deltas(self, progress: Progress) -> list[Tree | None]:
        """Return the files that each container wrote, opened when first asked for."""
        while len(self._deltas) < len(self.pair):
            self._deltas.append(self.pair[len(self._deltas)][0].open_delta(progress))
        return self._deltas

    @property
    def is_one_dump(self) -> bool:
        return is_one_dump(self.pair[0][1], self.pair[1][1])

    def close(self) -> None:
        for tree in self._deltas:
            if tree is not None:
                tree.close()
        for opened, _ in self.pair:
            opened.close()


@dataclass(frozen=True, slots=True)
class _Bytes:
    """The same thing in both checkpoints."""

    names: tuple[str, str]
    """Printable."""
    windows: tuple[ByteWindow, ByteWindow]
    bases: tuple[int, int]
    """Address of the first byte, 0 in a file."""
    runs: tuple[Run, ...]


class CompareScreen(AsksToFetch, JobScreen[None]):
    """Opens two targets, compares all but contents, then memory and files in jobs of their own.

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
        self.files: FileComparison | None = None
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
        before, after = self.query(HexView)
        for one, other in ((before, after), (after, before)):
            self.watch(one, "scroll_y", partial(self._follow, other), init=False)
        self._start()

    def _start(self) -> None:
        self.start_job("Comparing", self._open, _Opened.close)

    def on_unmount(self) -> None:
        if self._found is not None:
            self._found.close()

    @staticmethod
    def _follow(view: HexView, line: float) -> None:
        """Let one side scroll with the other."""
        if view.scroll_y != line:
            view.scroll_to(y=line, animate=False)

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        row = self.table.highlighted
        return self._lines[row.key] if row and isinstance(row.key, int) else None

    def _open(self, progress: Progress) -> _Opened:
        one, other = load_both(*self.targets, progress, self.before_fetching)
        try:
            return _Opened((one, other), compare_checkpoints(one[1], other[1], progress))
        except BaseException:
            one[0].close()
            other[0].close()
            raise

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        result = message.result
        if isinstance(result, _Opened):
            self._found = result
            sides = side(result.pair[0]), side(result.pair[1])
            processes = result.comparison.processes
            self._refill()
            self.start_job(
                "Comparing memory", lambda progress: compare_memory(*sides, processes, progress)
            )
        elif isinstance(result, MemoryComparison) and self._found is not None:
            self.memory = result
            pair = self._found.pair
            self.query_one(StackedBar).show(memory_parts(self.memory))
            self._refill()
            self.start_job("Comparing files", lambda progress: compare_deltas(*pair, progress))
        elif isinstance(result, FileComparison):
            self.files = result
            self._refill()
        elif isinstance(result, _Bytes):
            self._show_bytes(result)

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self.ask_to_fetch(message.error, self._start, self.dismiss):
            return
        if self._found is None:
            self.query_one(Facts).show(problem_sections(message.error))
            self.table.set_rows(self.table.rows, "They cannot be compared")
            self.query_one(StackedBar).show((), "")
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
        self._lines = lines(comparison, self.memory, self.files, MOST_LINES)
        rows = line_rows(self._lines, self._reveal)
        shown = Choice(self._needle).rows(rows, _no_problem, quiet())
        self.table.set_rows(shown, "No line has all of these words")
        said = summary(comparison, self.files)
        if self._found.is_one_dump:
            said = f"{ONE_DUMP}; {said}"
        self.query_one(".list").border_title = said
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
        """Show the changed bytes of a region or file, or the thing itself in its checkpoint."""
        line = self.line
        if line is None or self._found is None:
            return
        region, file = line.region, line.file
        if region is not None and region.before and region.after:
            self.start_job("Looking for the bytes", lambda p: self._region_bytes(region, p))
        elif file is not None and not file.problem:
            self.start_job("Looking for the bytes", lambda p: self._file_bytes(file, p))
        elif line.change is not None:
            after = line.change.after_ref
            self._open_at(1 if after is not None else 0, after or line.change.before_ref)
        else:
            self._open_at(0, None)

    def _open_at(self, which: int, key: Ref | None) -> None:
        if key is None:
            self.notify("It leads nowhere: all that is known of it is on the panel.", markup=False)
            return
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

        self.app.push_screen(CheckpointScreen(self.targets[which], key=key))

    def _region_bytes(self, pair: RegionPair, progress: Progress) -> _Bytes:
        """Runs in a thread."""
        assert self._found is not None
        assert pair.before is not None
        assert pair.after is not None
        progress.tick(0)
        (one, _), (other, _) = self._found.pair
        windows = region_window(one.memory, pair.before), region_window(other.memory, pair.after)
        names = [f"process {r.pid}, {r.kind} {r.path}" for r in (pair.before, pair.after)]
        return _Bytes(
            (printable(names[0]), printable(names[1])),
            windows,
            (pair.before.start, pair.after.start),
            tuple(changed_bytes(*windows, pair.places, MOST_BYTES)),
        )

    def _file_bytes(self, pair: FilePair, progress: Progress) -> _Bytes:
        """Runs in a thread."""
        assert self._found is not None
        one, other = self._found.deltas(progress)
        windows = file_window(one, pair.path), file_window(other, pair.path)
        name = printable(pair.path)
        return _Bytes((name, name), windows, (0, 0), pair.places)

    def _show_bytes(self, found: _Bytes) -> None:
        places = human_count(len(found.runs), "changed place")
        for number, name in enumerate(("before", "after")):
            view = self.query_one(f"#{name}", HexView)
            view.show(found.windows[number], found.bases[number], "No bytes")
            view.mark(found.runs)
            said = f" {name}: {found.names[number]}   {places if name == 'before' else ''}"
            self.query_one(f"#{name}-name", Static).update(Content(said))
        self.add_class("-hex")
        self.query_one("#after", HexView).focus()
        if found.runs:
            for view in self.query(HexView):
                view.goto(found.runs[0][0])

    def action_formats(self) -> None:
        """Show what both formats cost, those of the optimized one as they are stored."""
        from ckpt_tui.ui.screens.formats import FormatsScreen

        pair = self._found.pair if self._found else ()
        optimized = [opened.target for opened, found in pair if found.format.optimized]
        self.app.push_screen(FormatsScreen((*optimized, self.targets[1])[0]))

    def action_add_checkpoint(self) -> None:
        """Ask for one more, and show all of them as a time line."""

        def add(target: str | None) -> None:
            if target:
                from ckpt_tui.ui.screens.chain import ChainScreen

                self.app.push_screen(ChainScreen((*self.targets, target)))

        self.app.push_screen(ask_for_one_more(self.targets[-1]), add)

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
        for view in self.query(HexView):
            view.reveal_secrets(self._reveal)
        self._refill()

    async def action_copy(self) -> None:
        row = self.table.highlighted
        if row is not None:
            await send_to_clipboard(
                self.app, plain(row.cells[3]) or plain(row.cells[2]), "the value"
            )

    async def action_copy_row(self) -> None:
        await send_row(self.app, self.table.highlighted)

    def action_back(self) -> None:
        bar = self.query_one(SearchBar)
        if self.has_class("-hex"):
            self.remove_class("-hex")
            self.table.focus()
        elif bar.is_open:
            bar.close()
        else:
            super().action_back()


def _no_problem(row: Row) -> bool:
    del row
    return False


def ask_for_one_more(last: str) -> AskScreen:
    """Return the question for a checkpoint more, which is likely to lie beside the last one."""
    folder = os.path.dirname(last)
    return AskScreen("one more", "a path or TARGET", f"{folder}/" if folder else "")
