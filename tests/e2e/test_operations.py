"""docs/operations.md: each command of it is run as it is printed, on real checkpoints."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import Lab

TOP = Path(__file__).parents[2]
FINDING = ("ckpt-tui verify checkpoints", "ckpt-tui search")
"""Commands that exit with 1 here: an archive is empty, and nothing looks like a password."""

FOLDER, REGISTRY = "/var/lib/kubelet/checkpoints", "registry.example"


def commands() -> list[str]:
    """Return the lines of the document that are commands."""
    lines = (TOP / "docs/operations.md").read_text().splitlines()
    return [line.strip() for line in lines if line.startswith("    ")]


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Path:
    """A folder with the files that the document names, and the program on the path."""
    shutil.copy(lab.checkpoint("counter"), tmp_path / "web.tar")
    shutil.copy(lab.host / "base-bb.oci.tar", tmp_path / "base.oci.tar")
    (tmp_path / "checkpoints").mkdir()
    archives = TOP / "tests/data/archives"
    shutil.copy(archives / "cri-crio.tar", tmp_path / "checkpoints/a.tar")
    (tmp_path / "checkpoints/b.tar").touch()
    program = tmp_path / "bin/ckpt-tui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m ckpt_tui "$@"\n')
    program.chmod(0o755)
    return tmp_path


def shell(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(TOP / "tui")}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_every_command_of_the_document_does_what_it_says(registry: str, folder: Path) -> None:
    said: dict[str, str] = {}
    for command in commands():
        real = command.replace(FOLDER, "checkpoints").replace(REGISTRY, registry)
        done = shell(folder, real)
        assert done.returncode == any(start in real for start in FINDING), (
            f"{real}\n{done.stdout}\n{done.stderr}"
        )
        said[command] = done.stdout
    table = said[f"ckpt-tui ls {FOLDER} --check"]
    assert "intact as far as read" in table
    assert "b.tar is empty." in table
    assert said["jq -r 'select(.intact | not) | .source' verified.jsonl"] == ""
    assert "PATH=" in said["ckpt-tui inspect web.tar --json | jq -r '.processes[].env[]?'"]
    assert "intact" in said[f"ckpt-tui verify docker://{REGISTRY}/app/web:1"]


def test_only_the_newest_three_stay(folder: Path) -> None:
    for number in range(5):
        target = f"oci:store:web-{number}"
        made = f"ckpt-tui convert web.tar {target} --base oci-archive:base.oci.tar"
        assert shell(folder, made).returncode == 0
    for command in commands():
        if "old.txt" in command:
            assert shell(folder, command).returncode == 0
    left = shell(folder, "ckpt-tui ls oci:store --json | jq -r '.tags[].tag'").stdout.split()
    assert len(left) == 3
