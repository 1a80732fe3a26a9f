"""Two checkpoints beside each other: every difference, and the changed bytes of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.bytediff import Run, changed_bytes
from ckpt_tui.checkpoint.delta import file_window
from ckpt_tui.checkpoint.differences import Comparison, compare_checkpoints
from ckpt_tui.checkpoint.file_differences import FileComparison, FilePair
from ckpt_tui.checkpoint.page_differences import MemoryComparison, RegionPair, compare_memory
from ckpt_tui.checkpoint.regions import region_window
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count, middle, printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.formats.comparing import Loaded, compare_deltas, is_one_dump, load_both, side
from ckpt_tui.ui.commands import COMPARE, bound
from ckpt_tui.ui.opening import ShowCheckpoint, ShowComparison
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.difference_lines import (
    COLUMNS,
    MOST_LINES,
    ONE_DUMP,
    DiffLine,
    line_rows,
    line_sections,
    lines,
    memory_parts,
    summary,
)
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import ListRows, plain

COMPARING = "Comparing memory …"


MOST_BYTES = 4 << 20
"""Bytes of changed pages looked through for the bytes in them that differ."""


@dataclass(frozen=True, slots=True)
class _Bytes:
    """The same region or file in both checkpoints."""

    names: tuple[str, str]
    """Printable."""
    windows: tuple[ByteWindow, ByteWindow]
    bases: tuple[int, int]
    """Address of the first byte, 0 in a file."""
    runs: tuple[Run, ...]


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

    def region_bytes(self, pair: RegionPair, progress: Progress) -> _Bytes:
        """Return a region of both; in a thread."""
        assert pair.before is not None
        assert pair.after is not None
        progress.tick(0)
        (one, _), (other, _) = self.pair
        windows = region_window(one.memory, pair.before), region_window(other.memory, pair.after)
        names = [f"process {r.pid}, {r.kind} {r.path}" for r in (pair.before, pair.after)]
        return _Bytes(
            (printable(names[0]), printable(names[1])),
            windows,
            (pair.before.start, pair.after.start),
            tuple(changed_bytes(*windows, pair.places, MOST_BYTES)),
        )

    def file_bytes(self, pair: FilePair, progress: Progress) -> _Bytes:
        """Return a file of both; in a thread."""
        one, other = self.deltas(progress)
        windows = file_window(one, pair.path), file_window(other, pair.path)
        name = printable(pair.path)
        return _Bytes((name, name), windows, (0, 0), pair.places)

    @property
    def is_one_dump(self) -> bool:
        return is_one_dump(self.pair[0][1], self.pair[1][1])

    def close(self) -> None:
        for tree in self._deltas:
            if tree is not None:
                tree.close()
        for opened, _ in self.pair:
            opened.close()


class CompareScreen(AsksToFetch[None]):
    """Opens two targets, compares all but contents, then memory and files in jobs of their own.

    Class `-hex`: the bytes of one region of both are shown.
    """

    CSS_PATH = "compare.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bound("open add", "formats reveal next previous")
    name_in_commands = COMPARE

    def __init__(self, before: str, after: str) -> None:
        super().__init__()
        self.targets = before, after
        self._found: _Opened | None = None
        self.memory: MemoryComparison | None = None
        self.files: FileComparison | None = None
        self._lines: list[DiffLine] = []
        self._reveal = False
        self._list = ListView(
            COLUMNS,
            empty="Comparing …",
            copied=lambda row: plain(row.cells[3]) or plain(row.cells[2]),
            without=("sort", "reverse"),
            id="differences",
        )

    def compose(self) -> ComposeResult:
        names = [middle(printable(t.rpartition("/")[2] or t), 34) for t in self.targets]
        yield TitleLine("  ↔  ".join(names))
        with self._list, Vertical(classes="detail"):
            yield Facts()
            yield StackedBar(empty=COMPARING)
        with Vertical(id="hex"):
            yield Static("", classes="heading", id="before-name")
            yield HexView(id="before")
            yield Static("", classes="heading", id="after-name")
            yield HexView(id="after")
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._list.table.focus()
        before, after = self.query(HexView)
        for one, other in ((before, after), (after, before)):
            self.watch(one, "scroll_y", partial(_follow, other), init=False)
        self.run_opening("Comparing", self._open, self._opened, _Opened.close, failed=self._fail)

    def on_unmount(self) -> None:
        if self._found is not None:
            self._found.close()

    @property
    def line(self) -> DiffLine | None:
        """The line under the cursor."""
        key = self._list.current_key
        return self._lines[key] if isinstance(key, int) else None

    def _open(self, progress: Progress) -> _Opened:
        one, other = load_both(*self.targets, progress, self.before_fetching)
        try:
            return _Opened((one, other), compare_checkpoints(one[1], other[1], progress))
        except BaseException:
            one[0].close()
            other[0].close()
            raise

    def _fail(self, error: CkptError) -> None:
        self.query_one(Facts).show(problem_sections(error))
        self._list.show(ListRows(), "Comparison failed")
        self.query_one(StackedBar).show((), "")

    def _opened(self, found: _Opened) -> None:
        self._found = found
        sides = side(found.pair[0]), side(found.pair[1])
        processes = found.comparison.processes
        self._refill()
        self.run(
            "Comparing memory", lambda p: compare_memory(*sides, processes, p), self._memory_known
        )

    def _memory_known(self, memory: MemoryComparison) -> None:
        assert self._found is not None
        self.memory, pair = memory, self._found.pair
        self.query_one(StackedBar).show(memory_parts(memory))
        self._refill()

        def show(files: FileComparison) -> None:
            self.files = files
            self._refill()

        self.run("Comparing files", lambda p: compare_deltas(*pair, p), show)

    def _refill(self) -> None:
        if self._found is None:
            return
        comparison = self._found.comparison
        self._lines = lines(comparison, self.memory, self.files, MOST_LINES)
        self._list.show(line_rows(self._lines, self._reveal), "No differences")
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

    def action_open(self) -> None:
        """Show the changed bytes of a region or file, or the object in its checkpoint."""
        line = self.line
        if line is None or self._found is None:
            return
        region, file = line.region, line.file
        name = "Looking for the bytes"
        if region is not None and region.before and region.after:
            self.run(name, partial(self._found.region_bytes, region), self._show_bytes)
        elif file is not None and not file.problem:
            self.run(name, partial(self._found.file_bytes, file), self._show_bytes)
        elif line.change is not None and line.change.after_ref is not None:
            self.post_message(ShowCheckpoint(self.targets[1], ref=line.change.after_ref))
        elif line.change is not None and line.change.before_ref is not None:
            self.post_message(ShowCheckpoint(self.targets[0], ref=line.change.before_ref))
        else:
            self.notify("Nothing to open here: the panel has all details.", markup=False)

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
        pair = self._found.pair if self._found else ()
        optimized = [opened.target for opened, found in pair if found.format.optimized]
        self.app.push_screen(FormatsScreen((*optimized, self.targets[1])[0]))

    def action_add_checkpoint(self) -> None:
        """Ask for one more, and show all of them as a time line."""

        def add(target: str | None) -> None:
            if target:
                self.post_message(ShowComparison((*self.targets, target)))

        self.app.push_screen(AskScreen.for_target("one more", self.targets[-1]), add)

    def action_next_match(self) -> None:
        self._step(HexView.next_mark)

    def action_previous_match(self) -> None:
        self._step(HexView.previous_mark)

    def _step(self, step: Callable[[HexView], bool]) -> None:
        """Go to other changed bytes on both sides."""
        for view in self.query(HexView):
            step(view)

    def action_reveal(self) -> None:
        self._reveal = not self._reveal
        for opened, _ in self._found.pair if self._found else ():
            opened.secrets.reveal(self._reveal)
        for view in self.query(HexView):
            view.reveal_secrets(self._reveal)
        self._refill()

    def back(self) -> bool:
        if self.has_class("-hex"):
            self.remove_class("-hex")
            self._list.table.focus()
            return True
        return super().back()


def _follow(view: HexView, line: float) -> None:
    """Let one side scroll with the other."""
    if view.scroll_y != line:
        view.scroll_to(y=line, animate=False)
