"""The tab Diagnosis: the reason first, then every finding, each with its proof and its fix."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.ui.panes.pane import Find, Pane
from ckpt_tui.ui.screens.log import LogFound, LogScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.diagnosis import (
    COLUMNS,
    LOG,
    cure_of,
    diagnosis_rows,
    evidence_of,
    links_of,
    sections_of,
)
from ckpt_tui.views.table import ListRows, plain

CHECKING = "Checking …"
WHOLE = "No check found a problem in what was read, and no log tells of a failure"


class DiagnosisPane(Pane):
    """Shows what the screen's job found; says that it is still at work until then."""

    ACTIONS: ClassVar[frozenset[str]] = frozenset(
        ("open", "copy", "copy_row", "go_to", "problems_only")
    )
    _diagnosis: TargetDiagnosis | None = None
    _problems_only = False

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical(classes="list"):
                yield VirtualTable(COLUMNS, empty=CHECKING)
            yield Facts(empty="", classes="detail")

    def fill(self, diagnosis: TargetDiagnosis) -> None:
        """Show a diagnosis."""
        self._diagnosis = diagnosis
        table = self.query_one(VirtualTable)
        rows = diagnosis_rows(diagnosis, problems_only=self._problems_only)
        table.set_rows(ListRows(rows), WHOLE)
        if not len(table.rows):
            self.query_one(Facts).show([])

    def give_up(self, why: str) -> None:
        """Say why there is no diagnosis, printable."""
        self.query_one(VirtualTable).set_rows(ListRows(), why)

    @property
    def current_key(self) -> Hashable:
        row = self.query_one(VirtualTable).highlighted
        return row.key if row else None

    def take_focus(self) -> None:
        self.query_one(VirtualTable).focus()

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        if self._diagnosis is not None:
            self.query_one(Facts).show(sections_of(self._diagnosis, message.key))

    @on(VirtualTable.RowChosen)
    def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.choose()

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        self.post_message(self.LinkFollowed(message.link))

    def choose(self) -> None:
        """Show the lines of the log; of a finding read on in the panel."""
        log = self._diagnosis.log if self._diagnosis else None
        if self.current_key != LOG or log is None or self._diagnosis is None:
            self.query_one(Facts).focus()
            return
        found = LogFound(self._diagnosis.log_name, log, self._diagnosis.proof)
        self.app.push_screen(LogScreen(found.name, lambda _: found), self._shown)

    def _shown(self, key: Hashable | None) -> None:
        if key is not None:
            self.post_message(self.LinkFollowed(key))

    def leads_to(self) -> Find:
        if self._diagnosis is None:
            return tuple
        return partial(links_of, evidence_of(self._diagnosis, self.current_key))

    def show_problems(self) -> None:
        self._problems_only = not self._problems_only
        if self._diagnosis is not None:
            self.fill(self._diagnosis)

    def back(self) -> bool:
        if self._problems_only:
            self.show_problems()
            return True
        if self.query_one(Facts).has_focus:
            self.take_focus()
            return True
        return False

    def go_to(self, key: Hashable) -> bool:
        return self.query_one(VirtualTable).go_to(key)

    def copy_text(self, *, whole_row: bool) -> str:
        row = self.query_one(VirtualTable).highlighted
        if row is None or self._diagnosis is None:
            return ""
        if whole_row:
            return "\t".join(plain(cell).strip() for cell in row.cells)
        return cure_of(self._diagnosis, row.key)
