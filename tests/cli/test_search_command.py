"""`search` prints matches as lines or JSON, masks secrets, and leaves with 1 without a match."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ran import Run

from crafted import ARCHIVES, DATA

WEB = DATA / "demo-web/web.tar.zst"


def test_a_match_is_a_line_with_its_place(run: Run) -> None:
    found = run("search", "PATH=/usr/local", WEB, "--in", "environment")
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("environment: pid 1 PATH: PATH=/usr/local/sbin")


def test_json_is_one_document_a_line(run: Run) -> None:
    found = run("search", "PATH=/usr/local", WEB, "--json")
    documents = [json.loads(line) for line in found.out.splitlines()]
    assert {d["kind"] for d in documents} == {"environment", "metadata", "memory"}
    assert all(d["found"] == "PATH=/usr/local" for d in documents)
    assert all((d["address"] is None) is (d["kind"] != "memory") for d in documents)


def test_without_a_match_it_leaves_with_1(run: Run) -> None:
    found = run("search", "no such text", WEB)
    assert (found.code, found.out, found.err) == (1, "", "")


def test_of_several_targets_each_line_names_its_own(run: Run, tmp_path: Path) -> None:
    shutil.copy(WEB, tmp_path)
    shutil.copy(ARCHIVES / "counter.tar.zst", tmp_path)
    found = run("search", "PATH=", tmp_path, "/nowhere.tar", "--in", "environment")
    assert found.code == 3
    assert "/nowhere.tar" in found.err
    starts = {line.partition(": environment")[0] for line in found.out.splitlines()}
    assert starts == {str(tmp_path / "web.tar.zst"), str(tmp_path / "counter.tar.zst")}


@pytest.mark.parametrize(
    "words",
    [("--regex", "PA.H=/usr/lo"), ("--bytes", "50 41 54 48 3d"), ("--utf16", "PATH")],
)
def test_a_pattern_has_three_other_forms(words: tuple[str, str], run: Run) -> None:
    found = run("search", *words, WEB, "--in", "environment")
    assert found.code == (1 if words[0] == "--utf16" else 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--regex", "a(", WEB), "Invalid regular expression"),
        (("--bytes", "xyz", WEB), "is not hexadecimal"),
        (("x", WEB, "--in", "memory,pictures"), "Unknown kind pictures."),
        (("", WEB), "There is nothing to search for."),
    ],
)
def test_a_wrong_call_says_what_is_wrong(words: tuple[object, ...], said: str, run: Run) -> None:
    found = run("search", *words)
    assert found.code == 2
    assert said in found.err


def test_what_looks_like_a_secret_is_covered(run: Run, tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    dump = tmp_path / "dump"
    shutil.copytree(DATA / "images/counter", dump)
    (dump / "dump.log").write_text(f"(00.1) logged in with {secret} at noon\n")
    for words in ((), ("--json",)):
        found = run("search", "logged in", dump, *words)
        assert found.code == 0
        assert "logged in" in found.out
        assert secret not in found.out
    assert secret in run("search", "logged in", dump, "--reveal").out
