"""Measures searches in memory: `.venv/bin/python tests/bench/search.py`.

Needs 1 GB below the folder for temporary files, which is in the page cache; the file of 64 GiB is
sparse. Seconds are CPU time of the search, so that others may run beside it; each is the best of
some. What is measured, and its budget:

text, bytes, u16   words that a GiB of programs and libraries does not have: 1 GB/s
regex              expressions that begin with a literal, have one, and ask for none: 200 MB/s
sparse             the same word in 64 GiB of zeros: 200 MiB of memory at most
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS)]

from ckpt_tui.checkpoint.patterns import parse_pattern  # noqa: E402
from ckpt_tui.checkpoint.search import areas_of, find_all  # noqa: E402
from ckpt_tui.core.progress import quiet  # noqa: E402
from ckpt_tui.formats.opened import open_checkpoint  # noqa: E402
from crafted import IMAGES, PAGE, PRESENT, rewrite  # noqa: E402

ROUNDS = 3
GIB = 1 << 30
START = 0x7F0000000000

SEARCHES = (
    ("text", "never-in-there-5d1c", 1000),
    ("bytes", "hex:deadbeefcafef00d0011", 1000),
    ("bytes that end in zeros", "hex:deadbeef00000000", 1000),
    ("text in UTF-16", "u16:never-in-there", 1000),
    ("regex with a literal", r"re:never-[0-9]+-there", 200),
    ("regex of a class", r"re:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{12}", 200),
    ("regex of words", r"re:(password|token|secret)=[^&\s]{4,}zz", 200),
    ("regex without case", r"re:(?i)authorization: *(basic|bearer) +[a-z0-9+/=]{16,}", 200),
    ("regex without bytes", r"re:\b[A-Z]{4}[0-9]{12}[A-Z]\b", 200),
    ("regex of letters", r"re:[a-z]{20,}", 200),
    ("regex of nested loops", r"re:([a-z]+)+[0-9]$", 200),
)
"""What is searched for, how it is typed, and the MB/s that it has to do."""


def with_memory(folder: Path, size: int) -> Path:
    """Copy a real checkpoint whose first process has `size` bytes of memory, all dumped: of real
    programs up to a GiB, sparse above."""
    images = folder / f"{size // GIB}"
    shutil.copytree(IMAGES / "counter", images)
    for path in (images, *images.iterdir()):
        path.chmod(0o755)

    def one_run(messages: list[Any]) -> list[Any]:
        head, run = messages[:2]
        run.Clear()
        run.vaddr, run.compat_nr_pages, run.nr_pages = START, 0, size // PAGE
        run.flags = PRESENT
        pages.append(head.pages_id)
        return [head, run]

    pages: list[int] = []
    rewrite(images / "pagemap-1.img", one_run)
    with open(images / f"pages-{pages[0]}.img", "wb") as file:
        if size <= GIB:
            content = b"".join(path.read_bytes() for path in programs())
            while file.tell() < size:
                file.write(content[: size - file.tell()])
        file.truncate(size)
    return images


def programs() -> list[Path]:
    """Return some large programs and libraries: what memory is full of."""
    found = {Path(p).resolve() for f in ("lib", "lib64") for p in Path(f"/usr/{f}").rglob("*.so*")}
    found |= set(Path(sys.prefix).rglob("*.so"))
    whole = [path for path in found if path.is_file()]
    return sorted(whole, key=lambda path: path.stat().st_size)[-16:]


def searched(images: Path, text: str) -> tuple[float, int, int]:
    """Return the CPU seconds of a search, the bytes searched and how many matches it has."""
    opened = open_checkpoint(str(images), quiet())
    try:
        checkpoint = opened.load(quiet())
        memories = [m for m in checkpoint.memory if m.pid == 1]
        areas = areas_of(opened.memory, memories)
        begun = time.process_time()
        found = find_all(areas, parse_pattern(text), quiet())
        return time.process_time() - begun, found.searched, len(found.matches)
    finally:
        opened.close()


def apart(images: Path, text: str) -> tuple[float, int, int, int]:
    """Return the same of a process of its own, and its peak in MiB."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        seconds, size, matches = searched(images, text)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        os.write(writing, f"{seconds} {size} {matches} {peak}".encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        words = told.read().split()
    os.waitpid(pid, 0)
    return float(words[0]), int(words[1]), int(words[2]), int(words[3])


def main() -> None:
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        images = with_memory(Path(folder), GIB)
        for name, text, budget in SEARCHES:
            runs = [apart(images, text) for _ in range(ROUNDS)]
            seconds, size, matches, peak = min(runs)
            speed = size / seconds / 1e6
            failed |= speed < budget
            print(f"{name:24} {speed:8,.0f} MB/s  of {budget:,}  {matches} found  {peak} MiB")
        shutil.rmtree(images)
        images = with_memory(Path(folder), 64 * GIB)
        for name, text, _ in (SEARCHES[0], SEARCHES[4]):
            seconds, size, matches, peak = apart(images, text)
            speed = size / seconds / 1e6
            failed |= peak > 200
            print(f"64 GiB, {name:16} {speed:8,.0f} MB/s  {matches} found  {peak} MiB of 200")
    sys.exit(failed)


if __name__ == "__main__":
    main()
