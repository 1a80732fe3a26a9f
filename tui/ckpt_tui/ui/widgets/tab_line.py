"""One line of tabs with their keys; short names or none where the terminal is narrow."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.ui.commands import own_key
from ckpt_tui.ui.widgets.lines import Lines


class TabLine(Lines):
    """`1 Overview  2 Processes …`, the shown one marked; a click chooses."""

    ALLOW_SELECT = False

    def __init__(self, names: Sequence[tuple[str, str]]) -> None:
        """`names` are pairs of the full and the short name."""
        super().__init__()
        self._names = names
        self._shown = 1
        self._ends: list[int] = []

    def show(self, number: int) -> None:
        """Mark a tab as the one that is shown."""
        self._shown = number
        self.redraw()

    def lines(self, width: int) -> list[Styled]:
        keys = [own_key(self.app, f"tab-{n}") for n in range(1, len(self._names) + 1)]
        around = 1 + sum(len(key) + 2 for key in keys)  # a blank before the name and one behind
        chosen = self._chosen(width - around)
        room = width - around - sum(map(len, chosen))
        gap = "  " if room >= len(chosen) else " "
        line = styled(" ")
        self._ends = []
        for number, name in enumerate(chosen, 1):
            here = number == self._shown
            line += (keys[number - 1], "heading" if here else "muted")
            line += (f" {name}" if name else "", "strong" if here else "muted")
            line += gap
            self._ends.append(line.width)
        if self._shown <= len(self._names):
            line = line.with_style("reverse", *self._span(self._shown))
        return [line]

    def _chosen(self, room: int) -> list[str]:
        """Return the names that fit: as few short ones as can be, the longest first, and of the
        shown tab last. Where those are too long, too, the last tabs have none."""
        chosen = [name for name, _ in self._names]
        saved = [len(name) - len(short) for name, short in self._names]
        order = sorted(range(len(saved)), key=lambda i: (i + 1 == self._shown, -saved[i], -i))
        for index in order:
            if sum(map(len, chosen)) <= room:
                break
            chosen[index] = self._names[index][1]
        for index in sorted(range(len(chosen)), key=lambda i: (i + 1 == self._shown, -i)):
            if sum(map(len, chosen)) <= room:
                break
            chosen[index] = ""
        return chosen

    def _span(self, number: int) -> tuple[int, int]:
        start = self._ends[number - 2] if number > 1 else 1
        return start - 1 if number > 1 else 0, self._ends[number - 1] - 1

    async def on_click(self, event: events.Click) -> None:
        for number, end in enumerate(self._ends, 1):
            if event.x < end:
                await self.screen.run_action(f"show_tab({number})")
                return
