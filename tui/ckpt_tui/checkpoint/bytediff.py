"""Which bytes differ between two runs of bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ckpt_tui.core.window import CHUNK, ByteWindow

GAP = 8
"""Equal bytes between two changed ones that do not part them: a number is read as one."""

Run = tuple[int, int]
"""Offset and length of bytes that differ."""

_DIFFERENT = re.compile(rb"[^\0]+")


def differing(left: bytes, right: bytes) -> tuple[list[Run], int]:
    """Return the runs of bytes that differ, and how many bytes do; what one has more differs."""
    shorter = min(len(left), len(right))
    longer = max(len(left), len(right))
    if left == right:
        return [], 0
    pair = (int.from_bytes(side[:shorter], "little") for side in (left, right))
    changed = (next(pair) ^ next(pair)).to_bytes(shorter, "little")
    count = shorter - changed.count(0) + longer - shorter
    runs: list[Run] = []
    for found in _DIFFERENT.finditer(changed):
        add_run(runs, *found.span())
    if longer > shorter:
        add_run(runs, shorter, longer)
    return runs, count


def add_run(runs: list[Run], start: int, end: int) -> None:
    """Add a run behind all others, as one with the last if they are close."""
    if runs and start - sum(runs[-1]) < GAP:
        start = runs.pop()[0]
    runs.append((start, end - start))


def changed_bytes(
    before: ByteWindow, after: ByteWindow, places: tuple[Run, ...], most: int
) -> Iterator[Run]:
    """Yield the runs that differ within `places`, as many as lie in the first `most` bytes."""
    for start, length in places:
        length = min(length, most)
        most -= length
        for at in range(start, start + length, CHUNK):
            size = min(CHUNK, start + length - at)
            runs, _ = differing(before.read(at, size), after.read(at, size))
            yield from ((at + offset, run) for offset, run in runs)
