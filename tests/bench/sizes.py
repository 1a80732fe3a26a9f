"""Measures what the screens of sizes and comparisons take: `.venv/bin/python tests/bench/sizes.py`.

Needs 4 GB below the folder for temporary files; nothing else should run. Files are in the page
cache. What is measured, and its budget:

count     zero, equal and unique pages of 1 GiB: 1 GB/s
compare   two checkpoints of 1 GiB whose pages differ in places, headless: 3 s
list      the tab Disk with 1,000,000 files, until it is shown: 3 s
treemap   the same files in the tab Sizes, into them and into the largest folder: 3 s each
frame     the longest time in which the screen handled no key meanwhile: 50 ms
"""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "ui")]

from screenshots import settle  # noqa: E402

from archive import write_archive  # noqa: E402
from ckpt_tui.checkpoint.model import Checkpoint, DeltaEntry, Share  # noqa: E402
from ckpt_tui.core.progress import Progress  # noqa: E402
from ckpt_tui.formats.opened import OpenCheckpoint  # noqa: E402
from ckpt_tui.ui.app import CkptApp  # noqa: E402

ROUNDS = 3
MEMORY_MIB = 1024
FILES = 1_000_000
SMALL = TESTS / "data/archives/cri-crio.tar"

_load = OpenCheckpoint.load


def run(*arguments: object) -> float:
    """Return the seconds of a command, the best of some."""
    line = [sys.executable, "-m", "ckpt_tui", *map(str, arguments)]
    environment = {"PYTHONPATH": str(TESTS.parent / "tui"), "PATH": "/usr/bin:/bin"}
    found = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run(line, env=environment, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - begun)
    return min(found)


def with_files(opened: OpenCheckpoint, progress: Progress) -> Checkpoint:
    """Load a checkpoint whose container wrote many files, half of them into one folder."""
    checkpoint = _load(opened, progress)
    entries = tuple(
        DeltaEntry(
            f"/srv/d{n % 97}/e{n % 1009}/f{n}" if n % 2 else f"/flat/f{n}",
            "added",
            "file",
            1 + n * 7919 % 5000,
        )
        for n in range(FILES)
    )
    delta = dataclasses.replace(checkpoint.delta, entries=entries)
    share = Share("delta", sum(entry.size for entry in entries))
    sizes = dataclasses.replace(checkpoint.sizes, components=(share,))
    return dataclasses.replace(checkpoint, delta=delta, sizes=sizes)


class Frames:
    """The longest gap between two turns of the event loop."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def watch(self) -> None:
        while True:
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            self.worst = max(self.worst, time.perf_counter() - begun - 0.002)


@asynccontextmanager
async def many_files() -> AsyncIterator[tuple[Any, Any, Frames]]:
    OpenCheckpoint.load = with_files  # type: ignore[method-assign]
    app = CkptApp([str(SMALL)])
    frames = Frames()
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        watching = asyncio.create_task(frames.watch())
        yield app, pilot, frames
        watching.cancel()


async def screens() -> list[tuple[str, float, float]]:
    """Return what was done on the screen, its seconds and the worst frame in seconds."""
    found = []
    async with many_files() as (app, pilot, frames):
        for what, key in (
            ("the tab Disk", "6"),
            ("… its last row", "end"),
            ("the tab Sizes", "9"),
            ("… into the files", "enter"),
            ("… into the largest folder", "enter"),
            ("… and back", "escape"),
            ("… to the other folder", "right"),
            ("… with half of the files", "enter"),
        ):
            frames.worst, begun = 0.0, time.perf_counter()
            await pilot.press(key)
            await settle(app, pilot)
            found.append((what, time.perf_counter() - begun, frames.worst))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        for suffix in ("tar", "tar.zst"):
            one, other = Path(folder, f"a.{suffix}"), Path(folder, f"b.{suffix}")
            for mark, target in enumerate((one, other), 1):
                write_archive(target, MEMORY_MIB, 8, mark)
            plain, counted = run("sizes", one), run("sizes", one, "--pages")
            rate = MEMORY_MIB * (1 << 20) / 1e9 / (counted - plain)
            print(f"count    {suffix:8} {rate:5.2f} GB/s", flush=True)
            print(f"compare  {suffix:8} {run('compare', one, other):5.2f} s", flush=True)
            one.unlink()
            other.unlink()
    for what, seconds, worst in asyncio.run(screens()):
        print(f"screen   {what:28} {seconds:5.2f} s, worst frame {worst * 1000:3.0f} ms")


if __name__ == "__main__":
    main()
