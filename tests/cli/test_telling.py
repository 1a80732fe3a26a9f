"""The line of progress on a terminal: what is printed never stands behind it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli.telling import CLEAR_LINE
from crafted import ARCHIVES, DATA


@pytest.fixture
def on_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Run a command whose streams are both one terminal; return the lines that stand there then."""

    def call(*words: object) -> list[str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys.stderr, "isatty", lambda: True)
            patch.setattr(sys.stderr, "write", lambda text: sys.stdout.write(text))
            patch.setattr(sys.stderr, "flush", lambda: None)
            shown = run(*words).out
        return [re.sub(f".*{re.escape(CLEAR_LINE)}", "", line) for line in shown.split("\n")]

    return call


@pytest.mark.parametrize("kind", ["archive", "layout", "folder"])
def test_ls_begins_at_the_edge(
    on_a_terminal: Callable[..., list[str]], tmp_path: Path, kind: str
) -> None:
    shutil.copy(ARCHIVES / "base-bb.oci.tar", tmp_path / "base.tar")
    place = {"archive": tmp_path / "base.tar", "layout": DATA / "ctr-counter", "folder": tmp_path}
    first = on_a_terminal("ls", place[kind])[0]
    assert first.split()[0] in ("TAG", "NAME")
    assert not first.startswith(" ")


def test_copy_tells_each_blob_on_a_line_of_its_own(
    on_a_terminal: Callable[..., list[str]], tmp_path: Path
) -> None:
    lines = on_a_terminal("copy", ARCHIVES / "base-bb.oci.tar", f"oci:{tmp_path / 'layout'}:1")
    blobs = [line for line in lines if line.endswith("  copied")]
    assert len(blobs) == 2
    assert all(re.match("[12]/2  ", line) for line in blobs)


def test_a_plan_begins_at_the_edge(on_a_terminal: Callable[..., list[str]], tmp_path: Path) -> None:
    target = f"oci:{tmp_path / 'layout'}:1"
    lines = on_a_terminal("convert", "--dry-run", ARCHIVES / "counter.tar.zst", target)
    assert not any("counter.tar.zst" in line and "reading" in line for line in lines)
