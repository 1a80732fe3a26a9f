"""One checkpoint in every form: what each engine does to restore it, and how long that takes."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.restore_steps import Way, amounts_of, dumps, ways
from ckpt_tui.convert.measure import Measured, Measurement
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.formats.comparing import load
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import FORMATS, bound
from ckpt_tui.ui.jobs import JobProgress
from ckpt_tui.ui.screens.fetching import AsksToFetch
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.painting import as_content
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.formats import (
    Done,
    Running,
    are_timed,
    columns,
    conclusion,
    pull_sections,
    way_rows,
    way_sections,
)
from ckpt_tui.views.forms import form_section
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import ListRows, row_texts

NO_LEGACY = "not run: needs the legacy archive; this checkpoint is in another format"

DETAIL_EDGES = 3
"""Cells of the panel beside its text: blanks and the scroll bar."""


class FormatsScreen(AsksToFetch[None]):
    """Time lines of the ways to dump and to restore; `m` measures them, one after another."""

    CSS_PATH = "formats.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bound("measure")
    name_in_commands = FORMATS

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target
        self.ways: tuple[Way, ...] = ()
        self.done: dict[str, tuple[Measured, ...]] = {}
        self._waiting: list[Way] = []
        self._checkpoint: Checkpoint | None = None
        self._opened: OpenCheckpoint | None = None
        self._measurement: Measurement | None = None
        self._steps_shown: tuple[Measured, ...] = ()
        self._list = ListView(
            columns(80), empty="Opening …", copied=row_texts, without=("sort", "reverse")
        )

    def compose(self) -> ComposeResult:
        yield TitleLine(f"Ways to dump and restore {printable(self.target)}")
        with self._list:
            yield Static("", id="conclusion")
            yield Facts(classes="detail")
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._list.table.focus()
        name = f"Opening {self.target}"
        self.run_opening(
            name, self._open, self._show, lambda found: found[0].close(), failed=self._fail
        )

    def on_unmount(self) -> None:
        if self._measurement is not None:
            self._measurement.close()
        if self._opened is not None:
            self._opened.close()

    def _open(self, progress: Progress) -> tuple[OpenCheckpoint, Checkpoint]:
        return load(self.target, progress, self.before_fetching)

    def _show(self, found: tuple[OpenCheckpoint, Checkpoint]) -> None:
        self._opened, self._checkpoint = found
        have = amounts_of(self._checkpoint)
        self.ways = (*dumps(have), *ways(have))
        self._measurement = Measurement(self._opened, have)
        self._refill()

    def _fail(self, error: CkptError) -> None:
        self._waiting.clear()
        self.query_one(Facts).show(problem_sections(error))
        if self._checkpoint is None:
            self._list.show(ListRows(), "It cannot be read")

    @on(JobProgress)
    def _step_news(self) -> None:
        """Fill in what the way that is being run has written and taken so far."""
        measurement = self._measurement
        if not self._waiting or measurement is None:
            return
        way, steps = self._waiting[0], measurement.so_far
        self._fill_rows(Running(way.id, measurement.seconds, measurement.written))
        if way == self.way and steps and steps != self._steps_shown:
            self._steps_shown = steps
            self._show_sections({**self.done, way.id: steps})

    def on_resize(self) -> None:
        self._refill()

    def _fill_rows(self, running: Running | None = None) -> None:
        shown = columns(self.size.width)
        rows = way_rows(self.ways, self.done, shown[1].width, running)
        self._list.show(ListRows(rows))

    def _refill(self) -> None:
        if not self.ways:
            return
        self._list.table.set_columns(columns(self.size.width, are_timed(self.ways, self.done)))
        self._fill_rows()
        self.query_one("#conclusion", Static).update(as_content(conclusion(self.ways, self.done)))
        self._show_detail()

    @property
    def measuring(self) -> bool:
        """Whether ways are still to be run."""
        return bool(self._waiting)

    @property
    def way(self) -> Way | None:
        """The way under the cursor."""
        return next((way for way in self.ways if way.id == self._list.current_key), None)

    @on(VirtualTable.RowHighlighted)
    def _show_detail(self) -> None:
        self._show_sections(self.done)

    def _show_sections(self, done: Done) -> None:
        way, measurement = self.way, self._measurement
        if way is not None and self._checkpoint is not None and measurement is not None:
            why_not = "" if measurement.can_run(way) else NO_LEGACY
            sections = way_sections(way, done, why_not) + pull_sections(
                self._checkpoint, measurement.pull
            )
            trees = form_section(self._checkpoint, self.size.width - DETAIL_EDGES)
            self.query_one(Facts).show([*sections, trees])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "measure":
            return True if self.ways and not self.job_running else None
        return super().check_action(action, parameters)

    def action_measure(self) -> None:
        """Run every way that has its data here and was not run yet."""
        if self._measurement is None or self.job_running:
            return
        able = [way for way in self.ways if self._measurement.can_run(way)]
        self._waiting = [way for way in able if way.id not in self.done]
        if not self._waiting:
            self.done.clear()
            self._waiting = able
        self._measure_next()

    def _measure_next(self) -> None:
        measurement = self._measurement
        if self._waiting and measurement is not None:
            way = self._waiting[0]
            self.run(
                f"Measuring {way.name}",
                lambda progress: measurement.quickest(way, progress),
                self._measured,
                failed=self._fail,
                stopped=self._stop_measuring,
            )
        self.refresh_bindings()

    def _measured(self, steps: tuple[Measured, ...]) -> None:
        self.done[self._waiting.pop(0).id] = steps
        self._refill()
        self._measure_next()

    def _stop_measuring(self) -> None:
        self._waiting.clear()
        self.notify("Stopped. The scratch folder is deleted when this screen closes.", markup=False)
