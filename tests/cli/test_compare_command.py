"""`ckpt-tui compare`: what it prints, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ckpt_tui.cli.compare import compare


def test_json_has_every_part(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archives = data / "archives"
    one, other = str(archives / "cri-crio.tar"), str(archives / "cri-podman.tar")
    compare(one, other, as_json=True, reveal=False, pages=True)
    found = json.loads(capsys.readouterr().out)
    assert found["schema_version"] == 1
    assert found["same"] is False
    assert {"container", "processes", "mounts", "delta", "memory", "notes"} <= set(found)
    assert found["memory"]["changed"] > 0
    regions = [r for p in found["processes"] for r in p["regions"]]
    assert sum(r["changed"] for r in regions) == found["memory"]["changed"]


def test_the_same_twice_is_the_same(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(data / "archives/counter.tar.zst")
    compare(target, target, as_json=True, reveal=False, pages=True)
    assert json.loads(capsys.readouterr().out)["same"] is True
    compare(target, target, as_json=False, reveal=False, pages=False)
    assert "2 the same; 0 differences" in capsys.readouterr().out


def test_secrets_are_covered_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    from ckpt_tui.demo import demo_folder

    with demo_folder() as folder:
        targets = str(folder / "counter.tar.zst"), str(folder / "web.tar.zst")
        compare(*targets, as_json=True, reveal=True, pages=False)
        revealed = json.loads(capsys.readouterr().out)
        compare(*targets, as_json=True, reveal=False, pages=False)
        covered = json.loads(capsys.readouterr().out)
    secrets = [
        (one["after"], other["after"])
        for p, q in zip(revealed["processes"], covered["processes"], strict=True)
        for one, other in zip(p["changes"], q["changes"], strict=True)
        if "••••••" in other["after"]
    ]
    assert secrets
    assert all("••••••" not in shown for shown, _ in secrets)
