"""`restore`: what it refuses, and what it finds of restores that were killed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ran import Run
from test_schemas import faults

from ckpt_tui.cli.restore import trial_document
from ckpt_tui.restore.kept import Record, all_kept
from ckpt_tui.restore.trial import Outcome

COUNTER = Path(__file__).parents[1] / "data/archives/counter.tar.zst"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of restores, with a trial that was killed, and no runtime that could be asked."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = tmp_path / "ckpt-tui/restored/boxed"
    (folder / "changes/upper").mkdir(parents=True)
    record = {"name": "boxed", "target": "a.tar", "runtime": "runc", "root": "/x", "pid": 0}
    (folder / "record.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Nothing to restore is named."),
        ([COUNTER, "--mount", "data"], "data is not a mount."),
        ([COUNTER, "--network", "bridge"], "bridge is not a network."),
        (["--clean", "--name", "other"], "No restore is called other."),
    ],
)
def test_a_wrong_call_is_told(
    words: list[object], said: str, run: Run, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    done = run("restore", *words)
    assert done.code == 2
    assert said in done.err


def test_it_needs_root(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = run("restore", COUNTER)
    assert done.code == 2
    assert "A restore needs root." in done.err


def test_a_killed_one_is_listed(run: Run, kept: Path) -> None:
    assert run("restore", "--list").out == "boxed  left over  a.tar\n"
    document = run("restore", "--list", "--json").document
    assert faults("restore", document) == []
    assert document["restores"][0]["state"] == "left over"


def test_a_killed_one_is_cleaned(run: Run, kept: Path) -> None:
    assert run("restore", "--clean").out == "boxed removed.\n"
    assert not kept.exists()
    assert run("restore", "--list").out == ""


@pytest.mark.parametrize("stored", ["", "{", "[]", '{"name": "../../etc"}'])
def test_a_damaged_record_is_that_of_its_folder(stored: str, kept: Path) -> None:
    (kept / "record.json").write_text(stored)
    (found,) = all_kept()
    assert found.record == Record("boxed", "", "runc")
    assert found.folder == kept


def test_a_trial_is_told_as_its_schema_says() -> None:
    outcome = Outcome(
        restored=True,
        seconds=0.12345,
        ran_s=1.0,
        alive=False,
        exit_code=None,
        signal="SIGILL",
        output=b"\x1b[31m\xff",
        errors="",
        log=None,
        box="",
        memory_limit=0,
        pids_limit=1024,
        notes=("a",),
    )
    document = trial_document("x", outcome)
    assert faults("restore", document) == []
    assert document["restore_seconds"] == 0.123
    assert document["memory_limit"] is None
    assert "\x1b" not in document["output"]
