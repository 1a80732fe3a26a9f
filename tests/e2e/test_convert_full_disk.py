"""Conversions onto a disk that fills up: one sentence, nothing left, and then a second run."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from converting import TUI

ROOMS_KIB = (4, 40, 400, 1100, 1148)
"""Sizes of the file system, all too small; the result takes 1.2 MiB, most of it the base image."""

SCRIPT = """
mount -t tmpfs -o size={room}k tmpfs {disk}
sha256sum {source} >{notes}
{program} && exit 9
find {disk} -mindepth 1 >&2
mount -o remount,size=64m {disk}
{program} >{notes}.out
sha256sum --check --quiet {notes}
find {disk} -name '.ckpt-tui-*' >&2
"""


@pytest.fixture(scope="module", autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("Mounting takes root.")


def told(script: str) -> str:
    """Run shell in a mount name space of its own; return what it printed as narration."""
    own_mounts = ("unshare", "--mount", "--propagation", "private")
    done = subprocess.run(
        [*own_mounts, "bash", "-eu", "-c", script],
        env={**os.environ, "PYTHONPATH": str(TUI)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def program(*arguments: str | Path) -> str:
    return shlex.join([sys.executable, "-m", "ckpt_tui", "convert", *map(str, arguments)])


@pytest.mark.parametrize("room", ROOMS_KIB)
@pytest.mark.parametrize("scheme", ["oci", "oci-archive"])
def test_a_disk_that_fills_is_one_sentence_and_leaves_nothing(
    data: Path, tmp_path: Path, scheme: str, room: int
) -> None:
    disk, source = tmp_path / "disk", data / "archives/counter.tar.zst"
    disk.mkdir()
    base = f"oci-archive:{data / 'archives/base-bb.oci.tar'}"
    command = program(source, f"{scheme}:{disk / 'out'}:x", "--base", base)
    script = SCRIPT.format(
        room=room, disk=disk, source=source, notes=tmp_path / "sums", program=command
    )
    sentences = told(script).splitlines()
    assert sentences[0].endswith("cannot be written:")
    assert sentences[1:] == ["No space left on device.", "Free some space or name another target."]


@pytest.mark.parametrize("room", [4, 16])
def test_the_way_back_onto_a_full_disk_leaves_nothing(
    data: Path, tmp_path: Path, room: int
) -> None:
    disk, layout = tmp_path / "disk", tmp_path / "layout"
    disk.mkdir()
    source = data / "archives/counter.tar.zst"
    base = f"oci-archive:{data / 'archives/base-bb.oci.tar'}"
    command = program(f"oci:{layout}:x", disk / "again.tar.zst", "--to", "archive")
    script = SCRIPT.format(
        room=room, disk=disk, source=source, notes=tmp_path / "sums", program=command
    )
    forth = program(source, f"oci:{layout}:x", "--base", base, "--json")
    sentences = told(f"{forth} >{tmp_path}/forth 2>&1\n{script}").splitlines()
    assert sentences[0].endswith("cannot be written:")
    assert sentences[1] == "No space left on device."
