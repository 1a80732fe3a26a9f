"""The keys of the screen below, in words; made of what is bound there."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from ckpt_tui.ui.commands import help_text

ABOUT = """Signs       ✖ fails  ▲ may fail  ✔ good  ? unknown
            + added  ~ changed  − deleted"""

MORE = "↓ more   "


class HelpScreen(ModalScreen[None]):
    """Covers the screen until any of its keys is pressed."""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;
        & > VerticalScroll {
            width: 84; max-width: 100%; height: auto; max-height: 100%; scrollbar-size: 0 0;
            border-top: round $border; border-bottom: round $border;
            border-title-color: $accent; border-subtitle-color: $muted; background: $background;
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "Back", show=False),
        Binding("j", "scroll(1)", "Line down", show=False),
        Binding("k", "scroll(-1)", "Line up", show=False),
    ]

    def __init__(self, screen_name: str) -> None:
        super().__init__()
        self._screen_name = screen_name

    def compose(self) -> ComposeResult:
        with VerticalScroll() as panel:
            panel.border_title = f"Keys of this screen: {self._screen_name}"
            text = help_text(self.app.screen_stack[-2])
            yield Static(Content(f"{text}\n\n{ABOUT}"))

    def on_mount(self) -> None:
        self.panel.focus()
        self.watch(self.panel, "scroll_y", self._tell_more)

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell_more)

    @property
    def panel(self) -> VerticalScroll:
        return self.query_one(VerticalScroll)

    def _tell_more(self) -> None:
        """Say how it closes, and whether there is more below."""
        is_more = self.panel.scroll_y < self.panel.max_scroll_y
        self.panel.border_subtitle = f"{MORE if is_more else ''}esc closes"

    def action_scroll(self, lines: int) -> None:
        self.panel.scroll_relative(y=lines, animate=False)
