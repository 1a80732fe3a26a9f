"""One widget in an app of its own, with our themes; and a name as an attacker would choose it."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.widget import Widget

from ckpt_tui.core.text import printable
from ckpt_tui.ui.theme import ThemedApp

HOSTILE = printable("[kthreadd] [red]x[/] a\x1b]0;PWN\x07b\x1b[31mc")


class Demo(ThemedApp[None]):
    """Mounts what `make` returns."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, make: Callable[[], Widget], theme: str = "ckpt-dark") -> None:
        super().__init__(theme)
        self._make = make

    def compose(self) -> ComposeResult:
        yield self._make()


def screen_text(app: ThemedApp[None]) -> str:
    """What the terminal would show, line by line."""
    width, height = app.size
    lines = app.screen._compositor.render_strips(app.size)[:height]
    return "\n".join(strip.text[:width] for strip in lines)


def assert_harmless(app: ThemedApp[None]) -> None:
    """No control character reaches the terminal, and brackets are letters."""
    shown = screen_text(app)
    assert all(line.isprintable() for line in shown.split("\n")), repr(shown)
    assert "[kthreadd] [red]x[/]" in shown
