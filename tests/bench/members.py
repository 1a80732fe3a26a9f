"""Measures an archive of 1,000,000 members: `.venv/bin/python tests/bench/members.py [COUNT]`.

Needs 1 GB below the folder for temporary files; nothing else should run. The archive is a real
checkpoint whose rootfs-diff.tar has so many small files, plain and as zstd. What is measured:

index    our index of that tar, beside `tar t` of the same: seconds of both, the ratio
shown    `ckpt-tui` until the overview, then the tab Disk with its first rows: 3 s is wanted
all      until all files are in that tab, and until the checkpoint is checked
frame    the longest time in which the screen handled no key meanwhile: 50 ms
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "ui")]

import zstandard  # noqa: E402
from screenshots import settle  # noqa: E402
from sizes import SMALL, Frames  # noqa: E402

from ckpt_tui.archive.tar import index  # noqa: E402
from ckpt_tui.checkpoint.delta import DIFF  # noqa: E402
from ckpt_tui.core.progress import quiet  # noqa: E402
from ckpt_tui.core.window import FileWindow  # noqa: E402
from ckpt_tui.ui.app import CkptApp  # noqa: E402
from ckpt_tui.ui.panes.delta import DeltaPane  # noqa: E402

KEYS = (
    ("the last row", "end"),
    ("the tab Sizes", "9"),
    ("… into the files", "enter"),
    ("… into the largest folder", "enter"),
)

FILESYSTEM = 6
"""The number of that tab."""


def write_members(target: Path, count: int) -> None:
    """Write a tar of many small files, half of them in one folder."""
    with target.open("wb") as out:
        for n in range(count):
            info = tarfile.TarInfo(f"srv/d{n % 97}/e{n % 1009}/f{n}" if n % 2 else f"flat/f{n}")
            info.size, info.mtime, info.uname, info.gname = (
                n % 3 * 100,
                1_700_000_000,
                "root",
                "root",
            )
            out.write(info.tobuf(tarfile.GNU_FORMAT) + b"x" * info.size + bytes(-info.size % 512))
        out.write(bytes(1024))


def write_checkpoint(target: Path, diff: Path) -> None:
    """Write a real checkpoint with another rootfs-diff.tar."""
    with tarfile.open(SMALL) as like, tarfile.open(target, "w") as made:
        for member in like:
            if member.name != DIFF:
                made.addfile(member, like.extractfile(member) if member.isfile() else None)
        made.add(diff, DIFF)


def measure_index(diff: Path) -> None:
    with diff.open("rb") as file:
        begun = time.perf_counter()
        found = index(FileWindow(file.fileno()), DIFF, quiet())
        ours = time.perf_counter() - begun
    begun = time.perf_counter()
    subprocess.run(["tar", "tf", diff], check=True, stdout=subprocess.DEVNULL)
    theirs = time.perf_counter() - begun
    print(
        f"index    {len(found):,} members {ours:5.2f} s, tar t {theirs:.2f} s: {ours / theirs:.1f}×"
    )


async def measure_screens(target: Path) -> None:
    app, frames, begun = CkptApp([str(target)]), Frames(), time.perf_counter()
    async with app.run_test(size=(120, 40)) as pilot:
        watching = asyncio.create_task(frames.watch())

        def tell(what: str) -> None:
            seconds, worst = time.perf_counter() - begun, frames.worst * 1000
            print(f"{what:28} {seconds:5.2f} s, worst frame {worst:3.0f} ms", flush=True)
            frames.worst = 0.0

        screen: Any = app.screen

        def rows() -> int:
            pane = screen.pane
            return len(pane.table.rows) if isinstance(pane, DeltaPane) else 0

        for what, tab, done in (
            ("the overview", 0, lambda: screen.pane is not None),
            ("the first files", FILESYSTEM, rows),
            ("all files", 0, lambda: screen.checkpoint.is_loaded),
            ("in the list", 0, lambda: rows() == len(screen.checkpoint.delta.entries)),
        ):
            if tab:  # a key of the pilot would wait until the program rests
                screen.action_show_tab(tab)
            while not done():
                await asyncio.sleep(0.01)
            tell(f"{what} ({rows():,})")
        await settle(app, pilot)
        tell("checked")
        for what, key in KEYS:
            frames.worst, begun = 0.0, time.perf_counter()
            await pilot.press(key)
            await settle(app, pilot)
            tell(what)
        watching.cancel()


def main() -> None:
    count = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        diff, plain, packed = (Path(folder, name) for name in ("diff.tar", "a.tar", "a.tar.zst"))
        write_members(diff, count)
        measure_index(diff)
        write_checkpoint(plain, diff)
        with plain.open("rb") as source, packed.open("wb") as out:
            zstandard.ZstdCompressor(3).copy_stream(source, out)
        for target in (plain, packed):
            print(target.name)
            asyncio.run(measure_screens(target))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"memory   {peak:,} MiB at most")


if __name__ == "__main__":
    main()
