"""The first line of a screen: what it shows, and a note at its right end."""

from __future__ import annotations

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.views.table import fit


class TitleLine(Lines):
    """A title that is too long loses its middle; title and note are printable."""

    DEFAULT_CSS = """
    TitleLine { background: $panel; }
    """

    def __init__(self, title: str = "", note: str = "") -> None:
        super().__init__()
        self._title, self._note = title, note

    def show(self, title: str, note: str = "") -> None:
        """Show another title and note."""
        self._title, self._note = title, note
        self.redraw()

    def lines(self, width: int) -> list[Styled]:
        note = styled((f"  {self._note}" if self._note else "", "muted"))
        title = fit(self._title, max(8, width - note.width - 2), shrink="middle")
        return [styled(" ", styled(title).with_style("strong"), note, " ")]
