"""The right side of the browser: what is under the cursor, and whether it would restore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.entries import Entry
from ckpt_tui.ui.commands import own_key
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.views.browse import inside_sections, is_looked_into, known_sections, line_sections
from ckpt_tui.views.browse_tree import Line
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.problem import problem_sections

if TYPE_CHECKING:  # 200 ms that the first frame need not wait for
    from ckpt_tui.views.card import Card

PAUSE_S = 0.15
"""Seconds the cursor rests on a line before it is looked into."""


def _look(entry: Entry, progress: Progress) -> Card:
    from ckpt_tui.views.card import card_of

    return card_of(entry, progress)


class BrowseCard(JobHost, Vertical):
    """Shows what is known of a line, and looks into a checkpoint or a log in a job."""

    def __init__(self) -> None:
        super().__init__(classes="card")
        self._line: Line | None = None
        self._looked: dict[str, Card] = {}
        """By target, until the line is listed again."""

    def compose(self) -> ComposeResult:
        yield Facts(empty="")
        yield StackedBar(empty="")
        yield JobBar()

    def look_at(self, line: Line | None) -> None:
        """Show a line; if it stays, look into it."""
        if line is not self._line:
            self.abandon_job()
        self._line = line
        if line is None:
            self.show([])
        elif line.entry.target in self._looked:
            self._show_looked(line.entry)
        elif not self.job_running:
            self.show(line_sections(line))
            if is_looked_into(line.entry):
                self.set_timer(PAUSE_S, lambda: self._look_into(line))

    def _look_into(self, line: Line) -> None:
        entry = line.entry
        is_wanted = line is self._line and self.screen.is_current and not self.job_running
        if not is_wanted or entry.target in self._looked:
            return

        def show(looked: Card) -> None:
            self._looked[entry.target] = looked
            self._show_looked(entry)

        self.run(f"Looking into {entry.name}", lambda p: _look(entry, p), show)

    def _show_looked(self, entry: Entry) -> None:
        looked = self._looked[entry.target]
        self.show([*looked.sections, *known_sections(entry)])
        bar = self.query_one(StackedBar)
        bar.show(looked.parts)
        bar.add_class("-there")

    def job_failed(self, error: CkptError) -> None:
        """Show why the line could not be looked into or listed."""
        known = inside = list[Section]()
        if self._line is not None:
            known = known_sections(self._line.entry)
            inside = inside_sections(self._line.entry, own_key(self.app, "inside"))
        self.show([*known, *problem_sections(error), *inside])

    def job_stopped(self) -> None:
        """Say that the line is not looked into or listed."""
        self.show([Section("", [Fact("", "Stopped. Enter opens it.")])])

    def forget(self) -> None:
        """Look into checkpoints anew, which may have changed."""
        self._looked.clear()

    def show(self, sections: Sequence[Section]) -> None:
        self.query_one(Facts).show(sections)
        self.query_one(StackedBar).remove_class("-there")
