"""Sizes as one stacked bar with its legend."""

from __future__ import annotations

from collections.abc import Sequence

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.views.bars import BarPart, legend, stacked


class StackedBar(Lines):
    """Shares of a total: one bar, and a legend below it."""

    def __init__(
        self,
        parts: Sequence[BarPart] = (),
        *,
        empty: str = "Nothing here",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._parts, self._empty = tuple(parts), empty

    def show(self, parts: Sequence[BarPart], empty: str | None = None) -> None:
        """Show other shares; `empty` is said from now on where there are none."""
        self._parts = tuple(parts)
        self._empty = self._empty if empty is None else empty
        self.redraw()

    def lines(self, width: int) -> Sequence[Styled]:
        present = [part for part in self._parts if part.amount > 0]
        if not present:
            return [styled((self._empty, "muted"))]
        return [stacked(present, width), *legend(present, width)]
