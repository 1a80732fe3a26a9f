"""Sending text to the clipboard of the user, also through SSH and tmux."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from textual.app import App

from ckpt_tui.core.text import human_bytes, printable

MOST = 48 << 10
"""Bytes. Terminals cap an OSC 52 sequence, many at 64 KiB after base64."""

TMUX_S = 2.0
"""Seconds that tmux has to take the text."""


async def send_to_clipboard(app: App[Any], text: str | Sequence[str], what: str = "it") -> bool:
    """Send `text`, or the cells of a row with tabs between, and say so; return whether it was sent.

    Line ends stay, every other control character is escaped: what is pasted is what was seen.
    `what` is named in the message, printable: "the path", "the commands".
    """
    cells = [text] if isinstance(text, str) else text
    text = "\t".join("\n".join(map(printable, cell.split("\n"))) for cell in cells)
    length = len(text.encode())
    if length > MOST:
        app.notify(
            f"Too much for a clipboard, {human_bytes(length)}: {what}. Nothing was sent.",
            severity="warning",
            markup=False,
        )
        return False
    # tmux drops OSC 52 by default (set-clipboard external), but takes it from its own command.
    if not (os.environ.get("TMUX") and await _tell_tmux(text)):
        app.copy_to_clipboard(text)
    app.notify(f"Sent to the clipboard: {what}", markup=False)
    return True


async def _tell_tmux(text: str) -> bool:
    """Hand the text to tmux, which passes it on to the terminal; return whether that worked."""
    try:
        tmux = await asyncio.create_subprocess_exec(
            "tmux",
            "load-buffer",
            "-w",
            "-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(tmux.communicate(text.encode()), TMUX_S)
    except TimeoutError:
        tmux.kill()
        await tmux.wait()
        return False
    return tmux.returncode == 0
