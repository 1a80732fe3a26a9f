"""A treemap to go down in: every share of a total is a tile of its size, named on its edge."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from ckpt_tui.core.styled import cell_len
from ckpt_tui.core.text import human_bytes
from ckpt_tui.ui.widgets.painting import Palette
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.table import fit, plain
from ckpt_tui.views.treemap import Tile, kept_apart, neighbour, tiles

# Beside the heavy edge only the line with the name is drawn as chosen: the rest keeps the colour
# that says what it is.
_EDGES = ("┌", "─", "│")
_CHOSEN_EDGES = ("┏", "━", "┃")
"""Left upper corner, upper edge, left edge: the right and lower ones are those of neighbours."""


NOTE_ROOM = 24
"""Cells from which the beginning of a note says something."""


class Treemap(Widget, can_focus=True):
    """Shows parts, largest first; the smallest, which would have no room, as one tile."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"treemap--empty", "treemap--chosen"}
    DEFAULT_CSS = """
    Treemap {
        height: 1fr;
        & > .treemap--empty { color: $muted; }
        & > .treemap--chosen { text-style: bold; color: $strong; background: $cursor-background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "go(-1, 0)", "Left", show=False),
        Binding("right,l", "go(1, 0)", "Right", show=False),
        Binding("up,k", "go(0, -1)", "Up", show=False),
        Binding("down,j", "go(0, 1)", "Down", show=False),
        Binding("home", "first", "Largest", show=False),
        Binding("enter", "choose", "Choose", show=False),
    ]

    chosen: reactive[int] = reactive(0)
    """Index of the tile under the cursor."""

    @dataclass
    class _TileMessage(Message):
        treemap: Treemap
        index: int
        """Of the part, -1 for the tile of all small ones."""

        @property
        def control(self) -> Treemap:
            return self.treemap

    class TileHighlighted(_TileMessage):
        """Another tile is under the cursor."""

    class TileChosen(_TileMessage):
        """Enter, or a click on the tile under the cursor."""

    def __init__(
        self,
        parts: Sequence[BarPart] = (),
        *,
        empty: str = "No bytes",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._empty = empty
        self._parts: tuple[BarPart, ...] = ()
        self._shown: list[BarPart] = []
        self._tiles: list[Tile] = []
        self._has_rest = False
        self._more = (0, 0)
        self._set(parts)

    def show(
        self,
        parts: Sequence[BarPart],
        chosen: int = 0,
        more: tuple[int, int] = (0, 0),
        empty: str | None = None,
    ) -> None:
        """Show other parts, with the cursor on one of them. `more` is how many smaller ones there
        are besides, and their bytes; `empty` says, printable and in words, why there are none."""
        if empty is not None:
            self._empty = empty
        self._set(parts)
        self._more = more
        self._lay_out()
        self.chosen = chosen
        self._announce()

    def _set(self, parts: Sequence[BarPart]) -> None:
        self._parts = tuple(sorted((p for p in parts if p.amount > 0), key=lambda p: -p.amount))

    @property
    def parts(self) -> tuple[BarPart, ...]:
        """What is shown, largest first; indexes count in it."""
        return self._parts

    @property
    def index(self) -> int:
        """Index of the part under the cursor, -1 for the tile of all small ones."""
        return -1 if self.chosen >= len(self._shown) - self._has_rest else self.chosen

    def on_resize(self) -> None:
        self._lay_out()

    def _lay_out(self) -> None:
        width, height = self.size
        amounts = [part.amount for part in self._parts]
        more, more_bytes = self._more
        apart = kept_apart(amounts, width, height, more_bytes)
        self._shown = [*self._parts[:apart]]
        count, size = len(amounts) - apart + more, sum(amounts[apart:]) + more_bytes
        self._has_rest = bool(count and size)
        if self._has_rest:
            meaning = self._parts[min(apart, len(amounts) - 1)].meaning
            self._shown.append(BarPart(f"… {count:,} smaller", size, meaning))
        self._tiles = tiles([part.amount for part in self._shown], width, height)
        self.refresh()

    def validate_chosen(self, chosen: int) -> int:
        return max(0, min(chosen, len(self._shown) - 1)) if self._shown else 0

    def watch_chosen(self) -> None:
        self.refresh()
        self._announce()

    def _announce(self) -> None:
        if self._parts and self.is_mounted:
            self.post_message(self.TileHighlighted(self, self.index))

    def action_go(self, dx: int, dy: int) -> None:
        if self._tiles:
            self.chosen = neighbour(self._tiles, self.chosen, dx, dy)

    def action_first(self) -> None:
        self.chosen = 0

    def action_choose(self) -> None:
        if self._tiles:
            self.post_message(self.TileChosen(self, self.index))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        event.stop()
        for number, tile in enumerate(self._tiles):
            if tile.holds(place.x, place.y):
                if number == self.chosen:
                    self.action_choose()
                self.chosen = number

    # Drawing

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if not self._shown:
            lines = textwrap.wrap(self._empty, max(1, width - 4))
            number = y - max(0, (self.size.height - len(lines)) // 3)
            text = lines[number] if 0 <= number < len(lines) else ""
            style = self.rich_style + self.get_component_rich_style("treemap--empty", partial=True)
            return Strip([Segment(plain(fit(text.center(width), width)), style)], width)
        palette = Palette(self.app.theme_variables)
        here = [(tile.x, i) for i, tile in enumerate(self._tiles) if self._crosses(tile, y)]
        segments = [self._piece(number, y, palette) for _, number in sorted(here)]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    @staticmethod
    def _crosses(tile: Tile, y: int) -> bool:
        return bool(tile.width) and tile.y <= y < tile.y + tile.height

    def _piece(self, number: int, y: int, palette: Palette) -> Segment:
        """Return what one tile has on one line."""
        tile, part = self._tiles[number], self._shown[number]
        chosen = number == self.chosen
        text = tile_line(part, tile, y - tile.y, chosen)
        if chosen and self.has_focus and y == tile.y:
            style = self.get_component_rich_style("treemap--chosen")
        else:
            colour = self.rich_style + palette.style(part.meaning)
            style = colour + Style(reverse=True, bold=chosen)
        return Segment(text, style)


def tile_line(part: BarPart, tile: Tile, row: int, chosen: bool) -> str:
    """Return a line of a tile: the edge with the name on it, below it the size and the note."""
    corner, upper, left = _CHOSEN_EDGES if chosen else _EDGES
    room = tile.width - 1
    if row == 0:
        size = human_bytes(part.amount)
        label = f"{part.label} {size}" if tile.height == 1 else part.label
        name = plain(fit(label, min(room, cell_len(label)), shrink="middle")) if room > 1 else ""
        gap = " " if name and cell_len(name) < room else ""
        return corner + name + gap + upper * (room - cell_len(name) - len(gap))
    words = {1: human_bytes(part.amount), 2: part.note}.get(row, "")
    shown = cell_len(words) <= room or (row == 2 and room >= NOTE_ROOM)
    return left + plain(fit(words if shown else "", room))
