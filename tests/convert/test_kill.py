"""A conversion that is killed: nothing wrong under a final name, and the next run makes it good.

Some of the moments are spread over the time of a run. The others are the changes that a run makes
to files and folders, each cut off right before it: of those that matter most, the renames at the
end, the clock would hit none.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import run
from ckpt_tui.core.progress import quiet

AT_ANY_TIME = 20
BEFORE_A_CHANGE = 30
TUI = Path(__file__).resolve().parents[2] / "tui"

KILLED_BEFORE_CHANGE = """
import os, runpy, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, for what it starts, too
last, target = int(sys.argv.pop(1)), sys.argv.pop(1)
changes = 0
def seen(event, arguments):
    global changes
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
    moves = event in ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")
    if (writes or moves) and str(arguments[0]).startswith(target):
        changes += 1
        if changes == last:
            os.kill(os.getpid(), int(os.environ.get("WITH", signal.SIGKILL)))
sys.addaudithook(seen)
try:
    runpy.run_module("ckpt_tui", run_name="__main__", alter_sys=True)
finally:
    print("changes", changes)
"""
"""Runs the program until right before its n-th change below a folder. Arguments: n, the folder."""


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def converted(data: Path, target: Path, archive: str = "rootfs", tag: str = "opt") -> None:
    """Convert in this process."""
    source, base = data / f"archives/{archive}.tar.zst", data / "archives/base-bb.oci.tar"
    prepared = prepare(Request(str(source), f"oci:{target}:{tag}", f"oci-archive:{base}"), quiet())
    try:
        run(prepared.plan, prepared.inputs, quiet())
    finally:
        prepared.close()


def started(
    data: Path, target: Path, archive: str = "rootfs", python: tuple[str, ...] = ("-m", "ckpt_tui")
) -> subprocess.Popen[str]:
    """Start the program that converts, in a process of its own."""
    source, base = data / f"archives/{archive}.tar.zst", data / "archives/base-bb.oci.tar"
    arguments = (str(source), f"oci:{target}:opt", "--base", f"oci-archive:{base}")
    return subprocess.Popen(
        [sys.executable, *python, "convert", *arguments],
        env={**os.environ, "PYTHONPATH": str(TUI)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_named(folder: Path, named: dict[str, Any]) -> None:
    """Check a blob that something names, and all that it names in turn."""
    content = (folder / "blobs/sha256" / named["digest"].removeprefix("sha256:")).read_bytes()
    assert len(content) == named["size"]
    assert "sha256:" + hashlib.sha256(content).hexdigest() == named["digest"]
    if named["mediaType"].endswith(("index.v1+json", "manifest.v1+json")):
        document = json.loads(content)
        for key in ("manifests", "layers"):
            for other in document.get(key, ()):
                check_named(folder, other)
        if "config" in document:
            check_named(folder, document["config"])


def check_killed(folder: Path, tags: set[str]) -> None:
    """Check what a killed run left: under final names all is whole, `tags` are named still."""
    for path in folder.glob("blobs/*/*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
    index = folder / "index.json"
    entries = json.loads(index.read_bytes())["manifests"] if index.exists() else []
    for entry in entries:
        check_named(folder, entry)
    found = {entry["annotations"]["org.opencontainers.image.ref.name"] for entry in entries}
    assert tags <= found <= {*tags, "opt"}


def check_next_run(data: Path, folder: Path, archive: str, whole: dict[str, str]) -> None:
    """Check that a second run gives what a run gives that nobody killed, and nothing more."""
    converted(data, folder, archive)
    assert digests(folder) == whole
    assert {path.name for path in folder.iterdir()} == {"blobs", "index.json", "oci-layout"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_killed_at_any_time_nothing_wrong_is_named_and_the_next_run_completes(
    data: Path, tmp_path: Path
) -> None:
    archive = data / "archives/rootfs.tar.zst"
    source = hashlib.sha256(archive.read_bytes()).digest()
    folder = tmp_path / "layout"
    begun = time.monotonic()
    with started(data, folder) as process:
        process.communicate()
    seconds = time.monotonic() - begun
    assert process.returncode == 0
    whole = digests(folder)
    chosen = random.Random(AT_ANY_TIME)
    killed = 0
    for moment in range(AT_ANY_TIME):
        shutil.rmtree(folder)
        with started(data, folder) as process:
            try:
                process.wait(seconds * (moment + chosen.random()) / AT_ANY_TIME)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        if folder.exists():
            check_killed(folder, set())
        check_next_run(data, folder, "rootfs", whole)
    assert killed
    assert hashlib.sha256(archive.read_bytes()).digest() == source


@pytest.fixture(scope="module")
def other(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layout that holds another image already."""
    folder = tmp_path_factory.mktemp("other") / "layout"
    converted(data, folder, "rootfs", "other")
    return folder


@pytest.fixture(scope="module")
def changes(data: Path, other: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many changes a conversion into that layout makes."""
    folder = tmp_path_factory.mktemp("changes") / "layout"
    shutil.copytree(other, folder)
    with started(
        data, folder, "counter", ("-c", KILLED_BEFORE_CHANGE, "0", str(folder))
    ) as process:
        printed, told = process.communicate()
    assert process.returncode == 0, told
    return int(printed.rpartition("changes ")[2])


@pytest.mark.parametrize("moment", range(BEFORE_A_CHANGE))
def test_killed_before_any_change_what_was_there_stays_and_the_next_run_completes(
    data: Path, tmp_path: Path, other: Path, changes: int, moment: int
) -> None:
    folder = tmp_path / "layout"
    shutil.copytree(other, folder)
    converted(data, folder, "counter")
    whole = digests(folder)
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    last = 1 + moment * (changes - 1) // (BEFORE_A_CHANGE - 1)
    prelude = ("-c", KILLED_BEFORE_CHANGE, str(last), str(folder))
    with started(data, folder, "counter", prelude) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    check_killed(folder, {"other"})
    check_next_run(data, folder, "counter", whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", [4, 7])
def test_a_run_that_is_told_to_end_leaves_nothing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int, number: int
) -> None:
    folder = tmp_path / "layout"
    monkeypatch.setenv("WITH", str(int(number)))
    python = ("-c", KILLED_BEFORE_CHANGE, str(moment), str(folder))
    with started(data, folder, "counter", python) as process:
        _, told = process.communicate()
    assert process.returncode == 130, told
    assert "Interrupted." in told
    assert [*tmp_path.rglob("*")] == []
