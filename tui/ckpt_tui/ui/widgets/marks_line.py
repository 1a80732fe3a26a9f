"""The first line of the browser: how many checkpoints are marked, and what to do with them."""

from __future__ import annotations

from textual.content import Content

from ckpt_tui.ui.commands import own_key
from ckpt_tui.ui.widgets.key_line import ClickableKeys, Key, key_piece


class MarksLine(ClickableKeys):
    """The name of the program alone while nothing is marked."""

    DEFAULT_CSS = """
    MarksLine { height: 1; background: $panel; color: $strong; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def show(self, count: int) -> None:
        """Say how many are marked."""
        self._count = count
        self.refresh()

    def render(self) -> Content:
        pieces = [Content.styled(" ckpt-tui", "bold")]
        if self._count:
            pieces.append(Content(f"● {self._count} marked"))
        if self._count > 1:
            pieces.append(self._key("compare", "compares them"))
        if self._count:
            pieces.append(self._key("back", "unmarks"))
        return Content("   ").join(pieces)

    def _key(self, command_id: str, word: str) -> Content:
        """`command_id` is the name of its action, too."""
        return key_piece(Key(own_key(self.app, command_id), word, command_id))
