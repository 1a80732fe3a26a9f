"""`ckpt-tui compare`: what it prints, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ran import Run

from ckpt_tui.cli.compare import compare


def test_json_has_every_part(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archives = data / "archives"
    one, other = str(archives / "cri-crio.tar"), str(archives / "cri-podman.tar")
    compare((one, other), as_json=True, reveal=False, contents=True)
    found = json.loads(capsys.readouterr().out)
    assert found["schema_version"] == 1
    assert found["same"] is False
    assert {"container", "processes", "mounts", "delta", "memory", "files", "notes"} <= set(found)
    assert found["complete"] is False, "two engines: that is said, and is not a proof"
    assert found["memory"]["changed"] > 0
    regions = [r for p in found["processes"] for r in p["regions"]]
    assert sum(r["changed"] for r in regions) == found["memory"]["changed"]


def test_the_same_twice_is_the_same(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(data / "archives/counter.tar.zst")
    compare((target, target), as_json=True, reveal=False, contents=True)
    assert json.loads(capsys.readouterr().out)["same"] is True
    compare((target, target), as_json=False, reveal=False, contents=False)
    assert "2 the same; 0 differences" in capsys.readouterr().out


def test_two_formats_of_one_dump_are_said_to_be_one(run: Run) -> None:
    from ckpt_tui.demo import demo_folder

    with demo_folder() as folder:
        legacy, optimized = folder / "counter.tar.zst", folder / "counter-optimized.oci.tar"
        assert "one dump in two formats" in run("compare", legacy, optimized).out
        assert run("compare", legacy, optimized, "--json").document["one_dump"] is True
        assert run("compare", legacy, legacy, "--json").document["one_dump"] is False
        assert "one dump" not in run("compare", legacy, folder / "web.tar.zst").out


def test_secrets_are_covered_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from ckpt_tui.demo import demo_folder

    with demo_folder() as folder:
        targets = str(folder / "counter.tar.zst"), str(folder / "web.tar.zst")
        compare(targets, as_json=True, reveal=True, contents=False)
        revealed = json.loads(capsys.readouterr().out)
        compare(targets, as_json=True, reveal=False, contents=False)
        covered = json.loads(capsys.readouterr().out)
    secrets = [
        (one["after"], other["after"])
        for p, q in zip(revealed["processes"], covered["processes"], strict=True)
        for one, other in zip(p["changes"], q["changes"], strict=True)
        if "••••••" in other["after"]
    ]
    assert secrets
    assert all("••••••" not in shown for shown, _ in secrets)


def test_the_exit_code_says_whether_all_is_the_same(run: Run, data: Path) -> None:
    counter, other = data / "archives/counter.tar.zst", data / "archives/cri-crio.tar"
    assert run("compare", "--exit-code", counter, counter).code == 0
    assert run("compare", "--exit-code", counter, other).code == 1
    assert run("compare", counter, other).code == 0, "only if asked for"
    assert run("compare", counter).code == 2


def test_three_are_a_time_line(run: Run, data: Path) -> None:
    archives = data / "archives"
    names = ("cri-crio.tar", "cri-containerd-cri.tar", "cri-podman.tar")
    ran = run("compare", *(archives / name for name in names), "--json")
    chain = ran.document["chain"]
    assert [link["changes"] is None for link in chain] == [True, False, False]
    pair = run("compare", archives / names[1], archives / names[2], "--json").document
    pair.pop("schema_version")
    assert chain[2]["changes"] == pair, "a step is the comparison of the two"
    counts = chain[2]["counts"]
    assert counts["memory"] == pair["memory"]
    assert sum(counts["processes"].values()) == len(pair["processes"])
    text = run("compare", *(archives / name for name in names)).out
    assert text.count("DIFFERENCES") == 2


def test_one_that_cannot_be_read_does_not_break_the_chain(run: Run, data: Path) -> None:
    counter, base = data / "archives/counter.tar.zst", data / "archives/base-bb.oci.tar"
    ran = run("compare", counter, base, counter, "--json")
    chain = ran.document["chain"]
    assert "No checkpoint found" in chain[1]["problem"]
    assert chain[2]["changes"]["same"] is True, "compared with the last one that can be read"
    assert ran.code == 1
    assert "No checkpoint found" in ran.err
