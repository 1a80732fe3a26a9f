"""Screens look the same wherever they are tested."""

from __future__ import annotations

import os

# Textual reads these when it is imported; each of them changes every snapshot.
for name in [*os.environ]:
    if name.startswith("TEXTUAL") or name in ("NO_COLOR", "COLORTERM", "ESCDELAY", "TMUX"):
        del os.environ[name]

import pytest  # noqa: E402
from textual.widgets import Input  # noqa: E402


@pytest.fixture(autouse=True)
def still_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor of an input does not blink in a snapshot."""
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
