"""What a colour means and the sign that says the same without colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ckpt_tui.core.styled import Styled, styled


@dataclass(frozen=True, slots=True)
class Meaning:
    """One meaning: rows name it as the style of a text, each theme has a colour of that name."""

    name: str
    """Style of a span in a cell, and the theme variable (`$name`) in style sheets."""
    sign: str
    """One cell wide; empty for roles of text that need none."""
    use: Literal["fill", "text"]
    """`fill` colours bars and swatches, `text` must be readable as letters."""


MEANINGS: tuple[Meaning, ...] = (
    Meaning("pages", "▇", "fill"),
    Meaning("delta", "▇", "fill"),
    Meaning("metadata", "▇", "fill"),
    Meaning("images", "▇", "fill"),
    Meaning("base", "▇", "fill"),
    Meaning("volumes", "▇", "fill"),
    Meaning("added", "+", "text"),
    Meaning("changed", "~", "text"),
    Meaning("deleted", "−", "text"),
    Meaning("fails", "✖", "text"),
    Meaning("may-fail", "▲", "text"),
    Meaning("good", "✔", "text"),
    Meaning("unknown", "?", "text"),
    Meaning("muted", "", "text"),
    Meaning("link", "", "text"),
    Meaning("heading", "", "text"),
    Meaning("strong", "", "text"),
)
"""Kinds of bytes in the order in which bars stack them, then changes, verdicts, roles of text."""

ATTRIBUTES = {"link": "underline", "heading": "bold", "strong": "bold", "fails": "bold"}
"""What a meaning has beside its colour, so that it survives in grey."""

OPEN, SHUT = "▼", "▶"
"""Signs of a branch in a tree. The smaller ▾ ▸ are missing from Fira Code, hence from pictures."""

LOCK = "🔒 "
"""Before the name of what is encrypted, which says so in words elsewhere."""

_KINDS = {meaning.name: meaning.name for meaning in MEANINGS if meaning.use == "fill"} | {
    "criu": "images",
    "devshm": "volumes",
}

_SIGNS = {meaning.name: meaning.sign for meaning in MEANINGS}


def kind_of(role: str) -> str:
    """Return the meaning of a component of a checkpoint, or of a layer with that role."""
    return _KINDS.get(role, "metadata")


def sign(meaning: str) -> str:
    """Return the sign of a meaning, one cell wide or empty."""
    return _SIGNS[meaning]


def signed(meaning: str, text: str = "") -> Styled:
    """Return the coloured sign of a meaning and `text`, which must be printable, after it."""
    return styled((_SIGNS[meaning], meaning), f" {text}" if text else "")
