"""The first line of the browser: how many checkpoints are marked, and what to do with them."""

from __future__ import annotations

from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from ckpt_tui.ui.commands import own_key

NAME = " ckpt-tui"


class MarksLine(Static):
    """The name of the program alone while nothing is marked; what it says of keys is clickable."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    MarksLine { height: 1; background: $panel; color: $strong; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__(NAME)

    def show(self, count: int) -> None:
        """Say how many are marked."""
        if not count:
            self.update(NAME)
            return
        compares = f"   {self._key('compare')} compares them" if count > 1 else ""
        self.update(
            Content.assemble(
                (f"{NAME}   ● {count} marked"),
                (compares, Style.from_meta({"@click": "screen.compare"})),
                (f"   {self._key('back')} unmarks", Style.from_meta({"@click": "screen.back"})),
            )
        )

    def _key(self, command_id: str) -> str:
        return own_key(self.app, command_id)
