"""Screens look the same wherever they are tested."""

from __future__ import annotations

import pytest
from textual.widgets import Input


@pytest.fixture(autouse=True)
def still_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cursor of an input does not blink in a snapshot."""
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
