"""Which screen a call opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ran import Run

from ckpt_tui.cli import screens
from ckpt_tui.ui.app import CkptApp

Opened = list[dict[str, Any]]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """With what the app was made, call by call; it is not run."""
    found: Opened = []

    class Recorded(CkptApp):
        def __init__(self, targets: Any, folder: Path | None = None, **named: Any) -> None:
            super().__init__(targets, folder, **named)
            found.append({"targets": tuple(targets), "folder": folder})

        def run(self, *arguments: Any, **named: Any) -> None:
            del arguments, named

    monkeypatch.setattr(screens, "require_terminal", lambda: None)
    monkeypatch.setattr("ckpt_tui.ui.app.CkptApp", Recorded)
    return found


def test_a_folder_of_checkpoints_opens_the_browser(opened: Opened, data: Path) -> None:
    archives = data / "archives"
    screens.open_targets((str(archives),))
    assert opened == [{"targets": (), "folder": archives.resolve()}]


def test_whatever_may_be_a_checkpoint_is_opened(opened: Opened, data: Path, tmp_path: Path) -> None:
    (tmp_path / "core-1.img").touch()
    layout, archive = str(data / "ctr-counter"), str(data / "archives/counter.tar.zst")
    for targets in ((archive,), (layout,), (str(tmp_path),), (archive, layout), ()):
        opened.clear()
        screens.open_targets(targets)
        assert opened == [{"targets": targets, "folder": None}]


@pytest.mark.parametrize(
    ("word", "hint"),
    [("inspekt", "Did you mean `ckpt-tui inspect`?"), ("zzz", "`ckpt-tui --help`")],
)
def test_a_word_that_is_no_command_and_no_file_is_told(run: Run, word: str, hint: str) -> None:
    found = run(word)
    assert found.code == 2
    assert f"{word} is neither a command nor a file." in found.err
    assert hint in found.err
