"""The value of a field of a decoded message, as text."""

from __future__ import annotations

from ckpt_tui.core.masks import BLOT, masked, secret_byte_spans
from ckpt_tui.core.text import printable
from ckpt_tui.criu.render import MAX_BYTES, FieldView

LOOKED_THROUGH = 4096
"""Bytes of a field that are looked through for secrets: more than are shown."""


def value_text(view: FieldView, reveal: bool) -> str:
    """Return the value of a field, printable, what looks like a secret covered."""
    if not view.data or reveal:
        return masked(printable(view.value_text, reveal=reveal), reveal)
    words = view.value_text.split(" ")
    for start, stop in secret_byte_spans(view.data[:LOOKED_THROUGH]):
        for index in range(start, min(stop, MAX_BYTES)):
            words[index] = 2 * BLOT
    return " ".join(words)
