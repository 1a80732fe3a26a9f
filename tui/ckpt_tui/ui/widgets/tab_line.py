"""One line of tabs with their keys, and one with the lists of a tab that has several."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.ui.commands import own_key
from ckpt_tui.ui.widgets.lines import Lines

ROOMY = 100
"""Cells from which on the keys have a place beside the names."""


class ChoiceLine(Lines):
    """Names beside each other, the shown one marked; a click chooses."""

    ALLOW_SELECT = False
    action = ""
    """What a click does, of the screen, with the number of what was clicked."""

    def __init__(self) -> None:
        super().__init__()
        self._choices: Sequence[tuple[int, str]] = ()
        self._shown = 1
        self._ends: list[int] = []

    def lines(self, width: int) -> list[Styled]:
        line, self._ends = styled(" "), []
        for number, name in self._choices:
            start, here = line.width, number == self._shown
            line += self.piece(number, name, width)
            if here:
                line = line.with_style("strong", start, line.width)
                line = line.with_style("reverse", start, line.width)
            self._ends.append(line.width)
            line += self.gap(width)
        return [line]

    def piece(self, number: int, name: str, width: int) -> Styled:
        """Return a choice as it is written in a line of that many cells."""
        del number, width
        return styled((f" {name} ", "muted"))

    def gap(self, width: int) -> str:
        """Return what is between two choices."""
        del width
        return " "

    async def on_click(self, event: events.Click) -> None:
        for (number, _), end in zip(self._choices, self._ends, strict=True):
            if event.x < end:
                await self.screen.run_action(f"{self.action}({number})")
                return


class TabLine(ChoiceLine):
    """`1 Overview  2 Processes …`; on a narrow terminal the names alone."""

    action = "show_tab"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._choices = [*enumerate(names, 1)]

    def show(self, number: int) -> None:
        """Mark a tab as the one that is shown."""
        self._shown = number
        self.redraw()

    def piece(self, number: int, name: str, width: int) -> Styled:
        if width < ROOMY:
            return styled((name, "muted"))
        return styled((own_key(self.app, f"tab-{number}"), "heading"), (f" {name}", "muted"))

    def gap(self, width: int) -> str:
        return " " if width < ROOMY + 10 else "  "


class ListLine(ChoiceLine):
    """The lists of a tab; not there where a tab has one."""

    DEFAULT_CSS = """
    ListLine { display: none; }
    """
    action = "show_pane"

    def show(self, lists: Sequence[tuple[int, str]], number: int) -> None:
        """Show the numbers and names of the lists of a tab, one of them marked."""
        self._choices, self._shown = lists, number
        self.display = len(lists) > 1
        self.redraw()
