"""Opening the screens, where there is a terminal to open them on."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ckpt_tui.core.errors import UsageError
from ckpt_tui.formats.places.folder import is_folder_of_checkpoints
from ckpt_tui.sources.keys import private_keys

if TYPE_CHECKING:
    from textual.app import App


def open_targets(targets: Sequence[str], commands: Collection[str] = ()) -> None:
    """Run the app on targets, or on the browser without any and for one folder of checkpoints.

    Raises:
        UsageError: there is no terminal, or the first word is neither a target nor one of the
            `commands`.
    """
    for word in targets[:1]:
        _check_word(word, commands)
    require_terminal()
    from ckpt_tui.ui.app import CkptApp  # Textual costs 150 ms
    from ckpt_tui.ui.settings import load_settings

    folder = None
    if len(targets) == 1 and is_folder_of_checkpoints(targets[0]):
        folder, targets = Path(targets[0]).resolve(), ()
    _run(CkptApp(targets, folder, settings=load_settings()))


def _check_word(word: str, commands: Collection[str]) -> None:
    if word == "-" or set(word) & set("/:") or os.path.lexists(word):
        return
    from difflib import get_close_matches  # 5 ms

    alike = get_close_matches(word, commands, 1)
    hint = f"Did you mean `ckpt-tui {alike[0]}`?" if alike else "`ckpt-tui --help` lists commands."
    raise UsageError(f"{word} is neither a command nor a file.", "", hint)


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
    private_keys()  # a passphrase is asked for while there is no screen yet
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
