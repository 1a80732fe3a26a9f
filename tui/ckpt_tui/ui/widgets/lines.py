"""A widget that is a few lines of text, made anew for each width."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from ckpt_tui.core.styled import Styled
from ckpt_tui.ui.widgets.painting import as_content


class Lines(Widget):
    """As high as its text; what is drawn can be selected with the mouse.

    For text that fits a screen or a few: every line is made, seen or not.
    """

    DEFAULT_CSS = """
    Lines { height: auto; }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: tuple[int, Content, int] | None = None

    def lines(self, width: int) -> Sequence[Styled | Content]:
        """Return the lines, `width` cells at most, printable."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw other lines: what they are made of has changed."""
        self._drawn = None
        self.refresh(layout=True)

    def _at(self, width: int) -> tuple[Content, int]:
        if self._drawn is None or self._drawn[0] != width:
            lines = self.lines(width)
            made = [as_content(line) if isinstance(line, Styled) else line for line in lines]
            self._drawn = (width, Content("\n").join(made), len(made))
        return self._drawn[1:]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return self._at(width)[1]

    def render(self) -> Content:
        return self._at(self.size.width)[0]
