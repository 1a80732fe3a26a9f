"""The tabs of a checkpoint, made when first shown; one is shown at a time."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.widgets import ContentSwitcher, Static

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.of_checkpoint import Found
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.diagnosis import DiagnosisPane
from ckpt_tui.ui.panes.overview import Dashboard, OverviewPane
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.panes.processes import ProcessesPane
from ckpt_tui.ui.panes.stacks import ShowsStacks
from ckpt_tui.ui.panes.table import PANES, lists_of, pane_number
from ckpt_tui.views.diagnosis import problem_keys

Stop = tuple[int, Hashable]
"""Number of a list, and the key that is under its cursor."""


class PaneSwitcher(ContentSwitcher):
    """Holds the tabs. Without one that is shown it is empty."""

    BINDINGS: ClassVar[list[BindingType]] = bound("next-list", "previous-list reveal")

    def __init__(self) -> None:
        super().__init__(Static("", id="waiting"), id="tabs")
        self.reveals = False
        """Whether secrets are shown."""
        self._latest: dict[str, int] = {}
        """Number of the list that was shown last in a tab."""
        self._diagnosis: TargetDiagnosis | None = None
        self._unchecked = ""
        """Why there is no diagnosis and none to come."""
        self.stacks: dict[int, Found] = {}
        """What was read of stacks by now, by pid."""
        self.reads_stacks = False
        """Whether more of them are on their way."""

    @property
    def pane(self) -> Pane | None:
        """The tab that is shown."""
        current = self.current or ""
        return self.query_one(f"#{current}", Pane) if current.startswith("pane") else None

    @property
    def stop(self) -> Stop:
        """Where the user is."""
        pane = self.pane
        number = int((self.current or "").removeprefix("pane-")) if pane else 1
        return number, pane.current_key if pane else None

    @property
    def _mounted(self) -> list[Pane]:
        """The tabs that can show something; `make` tells the others what came meanwhile."""
        return [pane for pane in self.query(Pane) if pane.is_mounted]

    def shown(self, number: int, checkpoint: Checkpoint) -> Pane | None:
        """Return a tab of this checkpoint, if it was made."""
        pane = self.query_one_optional(f"#pane-{number}", Pane)
        return pane if pane is not None and pane.checkpoint is checkpoint else None

    def show(self, pane: Pane, number: int) -> None:
        """Show a list that was made."""
        self.current = pane.id
        self._latest[PANES[number - 1].tab] = number

    def number_in(self, tab: str) -> int:
        """Return the number of the list that a tab shows."""
        return self._latest.get(tab, pane_number(tab))

    @property
    def lists(self) -> Sequence[int]:
        """Numbers of the lists in the tab that is shown."""
        return lists_of(PANES[self.stop[0] - 1].tab)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action != "other_list" or (self.pane is not None and len(self.lists) > 1)

    async def action_other_list(self, step: int) -> None:
        """Show another list of the tab."""
        lists = self.lists
        number = lists[(lists.index(self.stop[0]) + step) % len(lists)]
        await self.screen.run_action(f"show_pane({number})")

    async def make(self, number: int, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        """Make a tab, in the place of one of what was read before."""
        await self.query(f"#pane-{number}").remove()
        pane = PANES[number - 1].make(opened, checkpoint)
        pane.id = f"pane-{number}"
        await self.mount(pane)
        pane.reveals = self.reveals
        self._tell(pane)

    async def take(self, checkpoint: Checkpoint, before: Checkpoint, wanted: bool) -> bool:
        """Let the tabs show all of a checkpoint that was read in part `before`; return whether the
        one that is shown, or `wanted`, has to be made again."""
        outdated = OverviewPane if before.has_descriptors else Pane
        is_outdated = wanted or isinstance(self.pane, outdated)
        if is_outdated:
            self.current = "waiting"
        for pane in self.query(Pane):
            if not isinstance(pane, outdated):
                pane.checkpoint = checkpoint
        await self.query(outdated).remove()
        return is_outdated

    def action_reveal(self) -> None:
        """Show secrets in all tabs, or cover them."""
        self.reveals = not self.reveals
        for pane in self.query(Pane):
            pane.opened.secrets.reveal(self.reveals)
        for pane in self._mounted:
            pane.reveals = self.reveals

    def take_diagnosis(self, diagnosis: TargetDiagnosis | None, unchecked: str = "") -> None:
        """Tell all tabs what is wrong, or why that is not known."""
        self._diagnosis, self._unchecked = diagnosis, unchecked
        for pane in self._mounted:
            self._tell(pane)

    def take_stacks(self, found: Mapping[int, Found], *, reading: bool) -> None:
        """Show stacks in all tabs; while `reading` more are on their way."""
        self.stacks.update(found)
        self.reads_stacks = reading
        for pane in self._mounted:
            if isinstance(pane, ShowsStacks):
                pane.take_stacks(self.stacks, reading=reading)

    @on(ProcessesPane.StacksRead)
    def _stacks_read(self, message: ProcessesPane.StacksRead) -> None:
        message.stop()
        self.take_stacks(message.found, reading=self.reads_stacks)

    @on(Dashboard.TabWanted)
    async def _tab_wanted(self, message: Dashboard.TabWanted) -> None:
        message.stop()
        await self.screen.run_action(f"show_pane({pane_number(message.tab)})")

    def _tell(self, pane: Pane) -> None:
        if isinstance(pane, ShowsStacks) and (self.stacks or self.reads_stacks):
            pane.take_stacks(self.stacks, reading=self.reads_stacks)
        if isinstance(pane, OverviewPane):
            pane.dashboard.fill(self._diagnosis, self._unchecked)
        if self._diagnosis is not None:
            pane.problem_keys = problem_keys(self._diagnosis)
            if isinstance(pane, DiagnosisPane):
                pane.fill(self._diagnosis)
        elif self._unchecked and isinstance(pane, DiagnosisPane):
            pane.give_up(self._unchecked)
