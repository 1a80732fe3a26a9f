"""`secrets` is a gate: 1 where there is something, and no value in its output."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from ran import Run

from crafted import ARCHIVES, DATA

WEB, COUNTER = DATA / "demo-web/web.tar.zst", ARCHIVES / "counter.tar.zst"


def test_it_leaves_with_1_where_there_is_a_secret_and_with_0_where_there_is_none(
    run: Run,
) -> None:
    found = run("secrets", WEB)
    assert found.code == 1
    assert "value that its name calls a secret (named-value, medium): ••••••" in found.out
    assert "memory: pid 1 stack 0x" in found.out
    clean = run("secrets", COUNTER)
    assert (clean.code, clean.out) == (0, "")
    assert "0 secrets" in clean.err


def test_no_value_is_printed_unless_it_is_to_be_revealed(run: Run) -> None:
    for words in ((), ("--json",)):
        assert "hunter2" not in run("secrets", WEB, *words).out
        assert "hunter2-demo" in run("secrets", WEB, *words, "--reveal").out


def test_json_is_one_document_a_value(run: Run) -> None:
    found = run("secrets", WEB, COUNTER, "--json")
    (document,) = map(json.loads, found.out.splitlines())
    assert (document["kind"], document["length"], document["count"]) == ("named-value", 12, 10)
    assert len(document["places"]) == 10


def test_rules_of_yara_are_used_beside_the_own(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("yara_x")
    rules = tmp_path / "own.yar"
    rules.write_text('rule own { strings: $a = "PATH=/usr/local" condition: $a }')
    found = run("secrets", COUNTER, "--rules", rules, "--json")
    assert found.code == 1
    (document,) = map(json.loads, found.out.splitlines())
    assert document["kind"] == "own"
    rules.write_text("rule {")
    refused = run("secrets", COUNTER, "--rules", rules)
    assert refused.code == 2
    assert "has no valid rules of YARA" in refused.err


def test_without_yara_it_is_said_how_to_get_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "yara_x", None)
    found = run("secrets", COUNTER, "--rules", tmp_path / "own.yar")
    assert found.code == 2
    assert "pip install 'ckpt-tui[yara]'" in found.err
