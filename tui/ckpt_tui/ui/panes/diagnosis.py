"""The tab Diagnosis: the reason first, then every finding, each with its proof and its fix."""

from __future__ import annotations

from functools import partial

from textual import on
from textual.app import ComposeResult

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.panes.pane import Find, Pane
from ckpt_tui.ui.screens.log import LogFound, LogScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.list_view import COPY_ONLY, ListView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.diagnosis import (
    COLUMNS,
    LOG,
    cure_of,
    diagnosis_rows,
    evidence_of,
    is_problem,
    links_of,
    sections_of,
)
from ckpt_tui.views.table import ListRows, Row

CHECKING = "Checking …"
WHOLE = "No check found a problem in what was read, and no log tells of a failure"


class DiagnosisPane(Pane):
    """Shows what the screen's job found; says that it is still at work until then."""

    _diagnosis: TargetDiagnosis | None = None

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        shown = ListView(
            COLUMNS,
            empty=CHECKING,
            copied=self._fix,
            is_problem=self._is_problem,
            without=COPY_ONLY[:-1],
        )
        super().__init__(opened, checkpoint, shown)

    def compose(self) -> ComposeResult:
        with self.list_view:
            yield Facts(empty="", classes="detail")

    def fill(self, diagnosis: TargetDiagnosis) -> None:
        """Show a diagnosis."""
        self._diagnosis = diagnosis
        self.list_view.show(ListRows(diagnosis_rows(diagnosis)), WHOLE)
        if not len(self.list_view.table.rows):
            self.query_one(Facts).show([])

    def give_up(self, why: str) -> None:
        """Say why there is no diagnosis, printable."""
        self.list_view.show(ListRows(), why)

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        if self._diagnosis is not None:
            self.query_one(Facts).show(sections_of(self._diagnosis, message.key))

    def action_open(self) -> None:
        """Show the lines of the log; of a finding read on in the panel."""
        log = self._diagnosis.log if self._diagnosis else None
        if self.current_key != LOG or log is None or self._diagnosis is None:
            self.query_one(Facts).focus()
            return
        found = LogFound(self._diagnosis.log_name, log, self._diagnosis.proof)
        self.app.push_screen(LogScreen(found.name, lambda _: found), self.follow)

    def leads_to(self) -> Find:
        if self._diagnosis is None:
            return tuple
        return partial(links_of, evidence_of(self._diagnosis, self.current_key))

    def _is_problem(self, row: Row) -> bool:
        return self._diagnosis is not None and is_problem(self._diagnosis, row.key)

    def back(self) -> bool:
        if super().back():
            return True
        if self.query_one(Facts).has_focus:
            self.take_focus()
            return True
        return False

    def _fix(self, row: Row) -> str:
        return cure_of(self._diagnosis, row.key) if self._diagnosis else ""
