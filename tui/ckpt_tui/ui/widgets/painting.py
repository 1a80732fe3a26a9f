"""Cells and lines whose styles are meanings, in the colours of the present theme."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.content import Content, Span

from ckpt_tui.core.styled import Cell, Styled
from ckpt_tui.views.meanings import ATTRIBUTES, MEANINGS

_CONTENT_STYLES = {
    meaning.name: f"{ATTRIBUTES.get(meaning.name, '')} ${meaning.name}".strip()
    for meaning in MEANINGS
} | {"mark": "bold on $mark-background"}

_BLOCKS = re.compile("([▀-▟]+)")
"""What bars are drawn with: their letters are the area itself."""


class Palette:
    """The meanings, and `mark` for what was found, as styles for the line API; one per theme."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        styles = {
            meaning.name: Style.parse(ATTRIBUTES.get(meaning.name, ""))
            + Style(color=Color.parse(variables[meaning.name]).rich_color)
            for meaning in MEANINGS
        }
        ground = variables["mark-background"]
        # A colour of the terminal's may be too close to that of its letters.
        styles["mark"] = Style(bold=True) + (
            Style(reverse=True)
            if ground.startswith("ansi_")
            else Style(bgcolor=Color.parse(ground).rich_color)
        )
        self._styles = styles

    def style(self, names: str) -> Style:
        """Return the style of some meanings, separated by blanks, the last one on top."""
        found = (self._styles.get(name) or Style.parse(name) for name in names.split())
        return sum(found, Style.null())

    def segments(self, cell: Cell, base: Style) -> list[Segment]:
        """Return a cell as segments over `base`; every one of them has a style."""
        if isinstance(cell, str):
            return [Segment(cell, base)] if cell else []
        drawn = [Segment(text, base + self.style(names)) for text, names in cell.runs]
        return [s for one in drawn for s in _upright(one, base)] if base.reverse else drawn


def _upright(segment: Segment, base: Style) -> Iterator[Segment]:
    """Yield a segment of a reversed line with its bar in its own colour: reversed, the bar would be
    a hole, and what is left of its scale would have the colour."""
    style = segment.style or base
    if _BLOCKS.search(segment.text) is None:
        yield segment
        return
    for number, piece in enumerate(_BLOCKS.split(segment.text)):
        if piece:
            own = style + Style(reverse=False) if number % 2 else style if piece.strip() else base
            yield Segment(piece, own)


def as_content(text: Styled) -> Content:
    """Return a text as Textual's own, which follows a change of the theme by itself."""
    spans, end = [], 0
    for words, names in text.runs:
        start, end = end, end + len(words)
        spans += [Span(start, end, _CONTENT_STYLES.get(name, name)) for name in names.split()]
    return Content(text.plain, spans)
