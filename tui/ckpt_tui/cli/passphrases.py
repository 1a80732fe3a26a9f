"""Asking a person for the passphrase of a key."""

from __future__ import annotations

import click

from ckpt_tui.cli.telling import LINE, somebody_is_there
from ckpt_tui.core.text import printable
from ckpt_tui.sources.keys import Ask


def ask_passphrase() -> Ask | None:
    """Return what asks for a passphrase at the terminal; None where no person would see it."""
    return _ask if somebody_is_there() else None


def _ask(path: str) -> str:
    LINE.take_away()
    return str(click.prompt(f"Passphrase of {printable(path)}", hide_input=True, err=True))
