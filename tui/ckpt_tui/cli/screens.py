"""Opening the screens, where there is a terminal to open them on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ckpt_tui.core.errors import UsageError
from ckpt_tui.formats.places.folder import is_folder_of_checkpoints

if TYPE_CHECKING:
    from textual.app import App


def open_targets(targets: Sequence[str]) -> None:
    """Run the app on targets, or on the browser without any and for one folder of checkpoints."""
    require_terminal()
    from ckpt_tui.ui.app import CkptApp  # Textual costs 150 ms
    from ckpt_tui.ui.settings import load_settings

    folder = None
    if len(targets) == 1 and is_folder_of_checkpoints(targets[0]):
        folder, targets = Path(targets[0]).resolve(), ()
    _run(CkptApp(targets, folder, settings=load_settings()))


def open_comparison(targets: Sequence[str]) -> None:
    """Run the app on two checkpoints beside each other, or on more as a time line."""
    require_terminal()
    from ckpt_tui.ui.app import CkptApp
    from ckpt_tui.ui.settings import load_settings

    _run(CkptApp(compared=targets, settings=load_settings()))


def open_demo() -> None:
    """Run the app on the bundled checkpoints."""
    require_terminal()
    from ckpt_tui.demo import demo_folder
    from ckpt_tui.ui.settings import load_settings
    from ckpt_tui.ui.tour import DemoApp

    with demo_folder() as folder:
        _run(DemoApp(folder, load_settings()))


def _run(app: App[None]) -> None:
    app.run()
    if app.return_code:
        sys.exit(app.return_code)


def require_terminal() -> None:
    """Raise a `UsageError` without a terminal for the screens."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "The screens need a terminal.",
            "Standard input or standard error is not a terminal.",
            "Try `ckpt-tui inspect TARGET`, which prints the same; --json for programs.",
        )
