"""What a screen of tabs hands on to the one that is shown."""

from __future__ import annotations

from textual.screen import Screen

from ckpt_tui.ui.pager import show_in_pager
from ckpt_tui.ui.panes.pane import Pane

PANE_ACTIONS = frozenset(
    (
        *("open", "toggle_branch", "filter", "search", "next_match", "previous_match", "sort"),
        *("reverse", "reveal", "copy", "copy_row", "go_to", "used_by", "problems_only"),
        *("count_pages", "count_pages_with", "next_breakdown", "ask_address", "save", "pager"),
    )
)
"""Actions that a tab may answer or not."""


class PaneActions(Screen[None]):
    """Mixed into a screen; where `pane` is None the keys do nothing."""

    @property
    def pane(self) -> Pane | None:
        """The tab that is shown."""
        raise NotImplementedError

    def action_open(self) -> None:
        if self.pane:
            self.pane.choose()

    def action_toggle_branch(self) -> None:
        if self.pane:
            self.pane.toggle()

    def action_filter(self) -> None:
        if self.pane:
            self.pane.filter()

    def action_search(self) -> None:
        if self.pane:
            self.pane.search()

    def action_next_match(self) -> None:
        if self.pane:
            self.pane.step(1)

    def action_previous_match(self) -> None:
        if self.pane:
            self.pane.step(-1)

    def action_sort(self) -> None:
        if self.pane:
            self.pane.sort(reverse=False)

    def action_reverse(self) -> None:
        if self.pane:
            self.pane.sort(reverse=True)

    def action_problems_only(self) -> None:
        if self.pane:
            self.pane.show_problems()

    def action_ask_address(self) -> None:
        if self.pane:
            self.pane.ask_address()

    def action_count_pages(self) -> None:
        if self.pane:
            self.pane.count_pages()

    def action_count_pages_with(self) -> None:
        if self.pane:
            self.pane.count_pages_with()

    def action_next_breakdown(self) -> None:
        if self.pane:
            self.pane.next_breakdown()

    def action_save(self) -> None:
        if self.pane:
            self.pane.save()

    def action_pager(self) -> None:
        if self.pane:
            show_in_pager(self.app, self.pane.page_lines())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide what does nothing in the tab that is shown."""
        if action not in PANE_ACTIONS:
            return super().check_action(action, parameters)
        return self.pane is not None and self.pane.offers(action)
