"""Saving what is shown: the screen as a picture or text, or the whole list in it."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from textual.app import App
from textual.screen import Screen

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.saving import save_window
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.ui.rows.export import FORMS
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.virtual_table import VirtualTable


def ask_to_export(app: App[Any]) -> None:
    """Ask for a file and write the present screen, or its list, in the form of the suffix."""
    screen = app.screen
    picture = app.export_screenshot()

    def export(path: str | None) -> None:
        suffix = os.path.splitext(path)[1] if path else ""
        table = _table(screen)
        if not path:
            return
        if suffix == ".svg":
            _start(app, path, lambda: picture)
        elif suffix in FORMS and table is not None:
            _start(app, path, partial(FORMS[suffix], table.columns, table.rows, quiet()))
        else:
            known = ".svg" if table is None else f".svg, {', '.join(FORMS)}"
            app.notify(f"Name a file that ends in {known}.", severity="warning", markup=False)

    app.push_screen(AskScreen("save view to", "FILE.svg, .txt, .md or .json"), export)


def _table(screen: Screen[Any]) -> VirtualTable | None:
    """Return the list that has the focus, else the first that is shown."""
    if isinstance(screen.focused, VirtualTable):
        return screen.focused
    return next((table for table in screen.query(VirtualTable) if table.size), None)


def _start(app: App[Any], path: str, make: Any) -> None:
    def write() -> None:  # runs in a thread: a list may have a million rows
        try:
            digest = save_window(BytesWindow(make().encode()), path, quiet())
            said, severity = f"{path} was written, sha256 {digest[:12]}…", "information"
        except CkptError as error:
            said, severity = str(error), "error"
        app.call_from_thread(app.notify, printable(said), severity=severity, markup=False)

    app.run_worker(write, thread=True, exit_on_error=False, group="export")
