"""Conversions and copies that a disk or a signal stops: every layout is valid, nothing is left.

    PYTHONPATH=tui:tests python tests/e2e/faults.py writes          each write, once
    PYTHONPATH=tui:tests python tests/e2e/faults.py signals --count 200 --seed 1

`writes` lets one change after another fail below the destination, with EIO and with ENOSPC, by
`failing_writes.c`. `signals` sends KILL, TERM and HUP at random moments. Each run goes into a copy
of a layout with an image in it, which has to be as it was, or to have the new image in full; after
KILL so once the next run began there.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ckpt_tui.convert.layout import LayoutSink

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "convert"))  # what a killed conversion may leave is known there
from test_kill import check_killed, converted, digests  # noqa: E402

DATA = HERE.parent / "data"
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
ERRORS = (errno.EIO, errno.ENOSPC)


class Scene:
    """A layout with an image, and what is run into copies of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.before = folder / "before"
        converted(DATA, self.before, "counter", "first")
        base = f"oci-archive:{DATA / 'archives/base-bb.oci.tar'}"
        archive = str(DATA / "archives/rootfs.tar.zst")
        other = folder / "other"
        converted(DATA, other, "rootfs", "opt")
        self.commands = {
            "convert": ("convert", archive, "oci:{into}:opt", "--base", base),
            "copy": ("copy", f"oci:{other}:opt", "oci:{into}:opt"),
            "convert-archive": ("convert", archive, "oci-archive:{into}/a.tar", "--base", base),
            "copy-archive": ("copy", f"oci:{other}:opt", "oci-archive:{into}/a.tar"),
        }
        self.shim = folder / "failing_writes.so"
        source = str(HERE / "failing_writes.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", self.shim, source], check=True)
        self.count = folder / "count"
        self._made = 0

    def into(self) -> Path:
        """Return a new copy of the layout."""
        self._made += 1
        target = self.folder / f"into-{self._made}" / "layout"
        target.parent.mkdir()
        shutil.copytree(self.before, target)
        return target

    def start(self, name: str, target: Path, **environment: str) -> subprocess.Popen[str]:
        words = [word.format(into=target) for word in self.commands[name]]
        return subprocess.Popen(
            [sys.executable, "-m", "ckpt_tui", *words],
            env={**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"), **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def changes(self, name: str) -> int:
        """Return how many changes a run makes below its destination."""
        self.count.unlink(missing_ok=True)
        target = self.into()
        environment = {"LD_PRELOAD": str(self.shim), "FAIL_UNDER": str(target)}
        process = self.start(name, target, FAIL_COUNT=str(self.count), **environment)
        _, told = process.communicate()
        assert process.returncode == 0, told
        shutil.rmtree(target.parent)
        return sum(map(int, self.count.read_text().split()))

    def check(self, name: str, target: Path, *, killed: bool) -> None:
        """Check what a run left; after SIGKILL what is left once the next one began."""
        check_killed(target, {"first"})
        if killed:
            with LayoutSink(target):
                pass
        left = {path.name for path in target.iterdir()} - {"a.tar"}
        assert left == {"blobs", "index.json", "oci-layout"}, (name, left)
        found, before = digests(target), digests(self.before)
        archive = found.pop("a.tar", None)
        if '"opt"' not in (target / "index.json").read_text():
            assert found == before, (name, set(found) ^ set(before))
        else:
            assert archive is None
        cache = self.folder / "cache"
        assert killed or not [path for path in cache.rglob("*") if path.is_file()]
        shutil.rmtree(target.parent)


def failed_write(scene: Scene, name: str, at: int, error: int) -> None:
    """Let a change fail; the run says so in one sentence, and nothing is left."""
    target = scene.into()
    environment = {"LD_PRELOAD": str(scene.shim), "FAIL_UNDER": str(target)}
    process = scene.start(name, target, FAIL_AT=str(at), FAIL_ERRNO=str(error), **environment)
    _, told = process.communicate()
    assert process.returncode in (0, 1), (name, at, error, told)
    if process.returncode:
        assert os.strerror(error) in told, (name, at, error, told)
        assert "Unexpected" not in told, (name, at, error, told)
    scene.check(name, target, killed=False)


def signalled(scene: Scene, name: str, number: int, after: float) -> None:
    """End a run with a signal after so many seconds; check what it left."""
    target = scene.into()
    process = scene.start(name, target)
    time.sleep(after)
    process.send_signal(number)
    _, told = process.communicate()
    assert process.returncode in (0, 130, -signal.SIGINT, -number), (
        *(name, number, after),
        *(process.returncode, told),
    )
    scene.check(name, target, killed=number == signal.SIGKILL)


def all_writes(scene: Scene) -> Iterator[tuple[str, int, int]]:
    """Yield each command with each change it makes, and the errors."""
    for name in scene.commands:
        for at in range(1, scene.changes(name) + 1):
            for error in ERRORS:
                yield name, at, error


def random_signals(scene: Scene, seed: int) -> Iterator[tuple[str, int, float]]:
    """Yield commands, signals and moments, the same ones for a seed on a machine as fast."""
    chance = random.Random(seed)
    seconds = {}
    for name in scene.commands:
        start = time.monotonic()
        target = scene.into()
        with scene.start(name, target) as process:
            assert process.wait() == 0
        seconds[name] = time.monotonic() - start
        shutil.rmtree(target.parent)
    while True:
        name = chance.choice([*scene.commands])
        # before the handlers are set, while Python starts, a signal ends it at once
        yield name, chance.choice(SIGNALS), chance.uniform(0.25, 1) * seconds[name]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("writes", "signals"))
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    done = 0
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        if given.what == "writes":
            for case in all_writes(scene):
                failed_write(scene, *case)
                done += 1
        else:
            for case in random_signals(scene, given.seed):
                signalled(scene, *case)
                done += 1
                if done == given.count:
                    break
    print(f"{given.what}: {done} runs, seed {given.seed}, every layout valid, nothing left")


if __name__ == "__main__":
    main()
