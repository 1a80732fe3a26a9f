"""Two themes of our own and one of the terminal's colours; every colour is named for a meaning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from textual.app import App
from textual.theme import Theme

_DARK = {
    "pages": "#5ca3f2",
    "delta": "#86d993",
    "metadata": "#8794a1",
    "images": "#3fb6b6",
    "base": "#6a7683",
    "volumes": "#cfa56a",
    "added": "#86d993",
    "changed": "#e8c860",
    "deleted": "#ff8f8a",
    "fails": "#ff8f8a",
    "may-fail": "#f2bb55",
    "good": "#86d993",
    "unknown": "#aab6c2",
    "muted": "#a3afbb",
    "link": "#a9c8ff",
    "heading": "#c9b3f5",
    "strong": "#f2f5f8",
    "cursor-background": "#26405a",
    "cursor-blurred": "#202a35",
    "cursor-style": "none",
    "mark-background": "#493a0b",
    "track": "#2a323b",
}

_LIGHT = {
    "pages": "#1f6fd0",
    "delta": "#4c9a3f",
    "metadata": "#6f7a85",
    "images": "#0a6666",
    "base": "#848f9a",
    "volumes": "#a06f1c",
    "added": "#17702c",
    "changed": "#7a5a00",
    "deleted": "#b3261e",
    "fails": "#b3261e",
    "may-fail": "#8a4f00",
    "good": "#17702c",
    "unknown": "#4d5863",
    "muted": "#505b66",
    "link": "#0b4fae",
    "heading": "#6a3fb5",
    "strong": "#0b0f13",
    "cursor-background": "#d3e4f7",
    "cursor-blurred": "#e7ebef",
    "cursor-style": "none",
    "mark-background": "#f5dd93",
    "track": "#dde2e6",
}

_ANSI = {
    "pages": "ansi_blue",
    "delta": "ansi_green",
    "metadata": "ansi_white",
    "images": "ansi_cyan",
    "base": "ansi_bright_black",
    "volumes": "ansi_yellow",
    "added": "ansi_green",
    "changed": "ansi_yellow",
    "deleted": "ansi_red",
    "fails": "ansi_red",
    "may-fail": "ansi_yellow",
    "good": "ansi_green",
    "unknown": "ansi_default",
    "muted": "ansi_default",
    "link": "ansi_cyan",
    "heading": "ansi_magenta",
    "strong": "ansi_default",
    "cursor-background": "ansi_default",
    "cursor-blurred": "ansi_default",
    "cursor-style": "reverse",
    "mark-background": "ansi_yellow",
    "track": "ansi_bright_black",
}
"""Colours of the terminal have no known background, so the cursor is drawn in reverse."""


def _furniture(accent: str, line: str, muted: str, selection: str) -> dict[str, str]:
    """Textual's own variables, so that stock widgets look like ours."""
    return {
        "border": accent,
        "border-blurred": line,
        "footer-key-foreground": accent,
        "input-selection-background": selection,
        "block-cursor-text-style": "none",
        "scrollbar": line,
        "scrollbar-hover": muted,
        "scrollbar-active": accent,
    }


DARK = Theme(
    name="ckpt-dark",
    primary="#c9b3f5",
    secondary="#5ca3f2",
    accent="#c9b3f5",
    warning="#f2bb55",
    error="#ff8f8a",
    success="#86d993",
    foreground="#d8dfe6",
    background="#0f1318",
    surface="#151a20",
    panel="#1b2129",
    dark=True,
    variables=_DARK
    | _furniture("#c9b3f5", "#3a4550", "#6a7683", "#26405a")
    | {
        "scrollbar-background": "#0f1318",
        "scrollbar-background-hover": "#0f1318",
        "scrollbar-background-active": "#0f1318",
        "scrollbar-corner-color": "#0f1318",
        "block-cursor-background": "#26405a",
        "block-cursor-foreground": "#f2f5f8",
    },
)

LIGHT = Theme(
    name="ckpt-light",
    primary="#6a3fb5",
    secondary="#1f6fd0",
    accent="#6a3fb5",
    warning="#8a4f00",
    error="#b3261e",
    success="#17702c",
    foreground="#1d242b",
    background="#fafbfc",
    surface="#f4f6f8",
    panel="#ebeef1",
    dark=False,
    variables=_LIGHT
    | _furniture("#6a3fb5", "#b9c2cb", "#848f9a", "#d3e4f7")
    | {
        "scrollbar-background": "#fafbfc",
        "scrollbar-background-hover": "#fafbfc",
        "scrollbar-background-active": "#fafbfc",
        "scrollbar-corner-color": "#fafbfc",
        "block-cursor-background": "#d3e4f7",
        "block-cursor-foreground": "#0b0f13",
    },
)

ANSI = Theme(
    name="ckpt-ansi",
    primary="ansi_magenta",
    secondary="ansi_blue",
    accent="ansi_magenta",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    ansi=True,
    variables=_ANSI
    | _furniture("ansi_magenta", "ansi_bright_black", "ansi_white", "ansi_bright_blue")
    | {
        "ansi-background": "ansi_default",  # Textual's screen names it, for the others it is made
        "block-cursor-foreground": "ansi_black",
        "block-cursor-background": "ansi_white",
    },
)

THEMES = (DARK, LIGHT, ANSI)


def meaning_colours(theme: Theme) -> Mapping[str, str]:
    """Return the colours by meaning for any theme, ours or one that Textual brings."""
    return _ANSI if theme.ansi else _DARK if theme.dark else _LIGHT


ReturnT = TypeVar("ReturnT")


class ThemedApp(App[ReturnT]):
    """An app whose style sheets may name every meaning, under whatever theme is chosen."""

    def __init__(self, theme: str = DARK.name) -> None:
        super().__init__()
        for ours in THEMES:
            self.register_theme(ours)
        self.theme = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(meaning_colours(self.current_theme))
