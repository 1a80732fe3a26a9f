"""Saving what is shown: the screen as a picture, or the whole list or panel in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from textual.app import App
from textual.screen import Screen

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.saving import save_window
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.export import (
    FACT_COLUMNS,
    FORMS,
    LINE_COLUMNS,
    fact_rows,
    line_rows,
)
from ckpt_tui.views.table import Column, RowSource

SUFFIXES = ", ".join((".svg", *FORMS))


def ask_to_export(app: App[Any]) -> None:
    """Ask for a file and write the present screen, or what is in it, in the form of the suffix."""
    screen = app.screen
    picture = app.export_screenshot()

    def export(path: str | None) -> None:
        suffix = os.path.splitext(path)[1] if path else ""
        if not path:
            return
        if suffix == ".svg":
            _start(app, path, lambda: picture)
        elif suffix in FORMS:
            _start(app, path, partial(FORMS[suffix], *_contents(screen), quiet()))
        else:
            said = f"Name a file that ends in {SUFFIXES}."
            app.notify(said, severity="warning", markup=False)

    app.push_screen(AskScreen("save view to", "FILE.svg, .txt, .md or .json"), export)


def _contents(screen: Screen[Any]) -> tuple[Sequence[Column], RowSource]:
    """Return the list or panel that has the focus, else the first of them that is shown; of bytes
    the lines in view."""
    kinds = (VirtualTable, HexView, Facts)
    shown = [w for kind in kinds for w in screen.query(kind) if w.size and w.visible]
    focused = [widget for widget in shown if widget is screen.focused]
    for widget in focused or shown:
        if isinstance(widget, VirtualTable):
            return widget.columns, widget.rows
        if isinstance(widget, HexView):
            strips = widget.render_lines(widget.size.region)
            return LINE_COLUMNS, line_rows([strip.text.rstrip() for strip in strips])
        if isinstance(widget, Facts):
            return FACT_COLUMNS, fact_rows(widget.sections)
    return LINE_COLUMNS, line_rows([])


def _start(app: App[Any], path: str, make: Any) -> None:
    def write() -> None:  # runs in a thread: a list may have a million rows
        try:
            digest = save_window(BytesWindow(make().encode()), path, quiet())
            said, severity = f"{path} was written, sha256 {digest[:12]}…", "information"
        except CkptError as error:
            said, severity = str(error), "error"
        app.call_from_thread(app.notify, printable(said), severity=severity, markup=False)

    app.run_worker(write, thread=True, exit_on_error=False, group="export")
