"""Commands that take several targets: in their order, and one that failed ends no other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ran import Run

from crafted import ARCHIVES, DATA

COUNTER, CRIO = ARCHIVES / "counter.tar.zst", ARCHIVES / "cri-crio.tar"
LOG = next((DATA / "logs").glob("*.restore.log.gz"))


@pytest.mark.parametrize("command", ["inspect", "sizes", "diagnose", "verify"])
def test_json_is_one_line_each_in_the_order_of_the_targets(run: Run, command: str) -> None:
    found = run(command, CRIO, COUNTER, CRIO, "--json")
    documents = [json.loads(line) for line in found.out.splitlines()]
    assert [document["source"] for document in documents] == [str(CRIO), str(COUNTER), str(CRIO)]
    assert documents[0] == documents[2]
    alone = json.loads(run(command, COUNTER, "--json").out)
    assert documents[1] == alone


@pytest.mark.parametrize("command", ["inspect", "sizes", "diagnose", "verify"])
def test_one_that_failed_ends_no_other_and_the_highest_code_counts(
    run: Run, command: str, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.tar"
    cut.write_bytes(CRIO.read_bytes()[:9000])
    found = run(command, tmp_path / "absent.tar", cut, COUNTER, "--json")
    assert json.loads(found.out.splitlines()[-1])["source"] == str(COUNTER)
    assert "absent.tar" in found.err
    assert found.code == 3


def test_text_has_each_target_above_it(run: Run) -> None:
    lines = run("sizes", CRIO, COUNTER).out.splitlines()
    assert lines.index(f"{CRIO}:") < lines.index(f"{COUNTER}:")
    assert f"{COUNTER}:" not in run("sizes", COUNTER).out


def test_a_log_among_the_targets_of_diagnose_is_read_as_one(run: Run) -> None:
    found = run("diagnose", COUNTER, LOG, "--json")
    checkpoint, log = (json.loads(line) for line in found.out.splitlines())
    assert checkpoint["source"] == str(COUNTER)
    assert log["log"].startswith(str(LOG).removesuffix(".gz"))


def test_a_log_for_several_checkpoints_is_refused(run: Run) -> None:
    found = run("diagnose", COUNTER, CRIO, "--log", LOG)
    assert found.code == 2
    assert "A log belongs to one checkpoint." in found.err
