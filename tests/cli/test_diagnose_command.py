"""`diagnose` reads the log that is named, and says what the images show of its cause."""

from __future__ import annotations

import json
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
    assert found.document["verdict"]["text"] == "intact"


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
    text = run("diagnose", target).out
    assert "THE LOG OF PODMAN" in text
    assert "\nIntact" in text
    assert "\\x" not in text


def test_several_logs_give_a_verdict_each_and_the_worst_exit_code(
    run: Run, data: Path, log: Path, tmp_path: Path
) -> None:
    good = data / "failed" / "good-counter" / "restore.log"
    found = run("diagnose", "--log", good, "--log", log, "--json")
    verdicts = [json.loads(line) for line in found.out.splitlines()]
    assert [v["log"] for v in verdicts] == [str(good), str(log)]
    assert [v["root_cause"] and v["root_cause"]["id"] for v in verdicts] == [None, "file-bad-size"]
    assert found.code == 1
    empty = tmp_path / "empty.log"
    empty.touch()
    worse = run("diagnose", "--log", log, "--log", empty)
    assert worse.code == 2
    assert "has bad size" in worse.out
    assert "empty.log is not a log. It is empty." in worse.err
    assert run("diagnose", "--log", good, "--log", good).code == 0


def test_folder_of_logs_is_read_whole(run: Run, data: Path) -> None:
    found = run("diagnose", "--log", data / "failed", "--json")
    verdicts = [json.loads(line) for line in found.out.splitlines()]
    assert len(verdicts) == len(list((data / "failed").glob("*/*.log")))


def test_a_log_as_target_is_a_log(run: Run, log: Path) -> None:
    found = run("diagnose", log, "--json")
    assert (found.code, found.document["root_cause"]["id"]) == (1, "file-bad-size")
    other = run("inspect", log)
    assert other.code == 1
    assert "It is a log of CRIU or an engine." in other.err
    assert f"ckpt-tui diagnose {log}" in other.err


def test_several_logs_for_one_checkpoint_are_refused(run: Run, data: Path, log: Path) -> None:
    found = run("diagnose", data / COUNTER, "--log", log, "--log", log)
    assert found.code == 2
    assert "A log belongs to one checkpoint" in found.err
