"""Asking where to save bytes, and saving them in a job."""

from __future__ import annotations

from ckpt_tui.core.saving import save_window
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.screens.pick import AskScreen


def ask_where_to_save(host: JobHost, window: ByteWindow, name: str) -> None:
    """Ask for a path, then write `window` there in a job, and show its SHA-256.

    What is proposed is the last part of `name`, without what a shell would not take.
    """

    def saved(digest: str) -> None:
        host.app.notify(f"Saved. SHA-256 {digest}", markup=False, timeout=15)

    def save(path: str | None) -> None:
        if path:
            host.run("Saving", lambda progress: save_window(window, path, progress), saved)

    host.app.push_screen(AskScreen("save to", "a path", proposed_name(name)), save)


def proposed_name(name: str) -> str:
    """Return a harmless file name made of the last part of a path."""
    last = printable(name.rstrip("/").rpartition("/")[2])
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in last).lstrip(".-") or "bytes"
