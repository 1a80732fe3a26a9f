"""What is under the cursor in the pager of the user's choice, with the screen put aside."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from ckpt_tui.convert.staging import Staging
from ckpt_tui.core.paths import cache_dir

PAGER_WIDTH = 100
"""Cells of the lines that a pager gets, where they are wrapped."""

MOST = 1_000_000
"""Lines that are written for a pager; how many there are more is not counted."""


def show_in_pager(app: App[Any], lines: Iterable[str]) -> None:
    """Write printable lines to a file and open it in $PAGER, `less` without one.

    Control characters are escaped in them already: a pager may be told to pass them on.
    """
    command = shlex.split(os.environ.get("PAGER", "")) or ["less"]
    if not sys.__stdin__ or not sys.__stdin__.isatty():
        app.notify("A pager needs a terminal.", severity="warning", markup=False)
        return
    try:
        with Staging(cache_dir() / "pager") as staging:  # what a killed process left goes with it
            path = staging.scratch_folder / "view.txt"
            _write(path, lines)
            _run(app, [*command, str(path)])
    except OSError as error:
        said = f"The view cannot be written to a file: {error.strerror}."
        app.notify(said, severity="error", markup=False)


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w") as file:
        for number, line in enumerate(lines):
            if number >= MOST:
                file.write(f"… cut after {MOST:,} lines\n")
                break
            file.write(f"{line}\n")


def _run(app: App[Any], command: list[str]) -> None:
    try:
        with app.suspend():
            subprocess.run(command, check=False)
    except SuspendNotSupported:
        app.notify("This terminal cannot be given away.", severity="warning", markup=False)
    except OSError as error:
        said = f"{command[0]} does not start: {error.strerror}."
        app.notify(said, severity="error", markup=False)
