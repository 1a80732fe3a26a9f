"""`diagnose` reads the log that is named, and says what the images show of its cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli import diagnosis

COUNTER = "archives/counter.tar.zst"


@pytest.fixture
def log(data: Path) -> Path:
    """A restore of the counter failed with this one."""
    return data / "failed" / "file-size" / "restore.log"


def test_log_is_read_from_a_file_and_proved_by_the_checkpoint(
    run: Run, data: Path, log: Path
) -> None:
    found = run("diagnose", data / COUNTER, "--log", log, "--json")
    assert found.code == 1
    assert found.document["log"] == str(log)
    assert found.document["root_cause"]["id"] == "file-bad-size"
    assert found.document["root_cause"]["proof"][0]["link"] == "process:1"
    assert found.document["verdict"]["text"] == "whole"


@pytest.mark.parametrize("target", [COUNTER, ""])
def test_log_is_read_from_standard_input(
    run: Run, data: Path, log: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    words = ["diagnose", "--log", "-", *([data / target] if target else [])]
    with log.open("rb") as stream:
        monkeypatch.setattr(diagnosis.sys, "stdin", stream)
        found = run(*words)
    assert found.code == 1
    assert "bad size 2024545" in found.out
    assert ("PROOF IN THE IMAGES" in found.out) == bool(target)


def test_without_a_log_it_is_told_where_one_would_be(run: Run, data: Path, tmp_path: Path) -> None:
    target = tmp_path / "counter.tar.zst"
    target.write_bytes((data / COUNTER).read_bytes())
    found = run("diagnose", target, "--json")
    assert (found.code, found.document["root_cause"]) == (0, None)
    assert [place["engine"] for place in found.document["log_places"]] == ["podman"]
    assert "THE LOG OF PODMAN" in run("diagnose", target).out
