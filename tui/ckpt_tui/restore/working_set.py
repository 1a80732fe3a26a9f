"""The working set: the pages that a restored container asks for first; the next restore fetches
them first."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_tui.checkpoint.filetable import file_table
from ckpt_tui.checkpoint.memory import build_memory
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import OpenCheckpoint

MAX_SIZE = 4 << 20
"""Bytes of a working set that are read."""

MAX_RUNS = 1 << 16
"""Runs of all processes; a page server answers a third of that in the first second."""

MAX_PAGES = 1 << 10
"""Pages of a run: no request is for more (`lazy_memory.MAX_ANSWER`)."""

Run = tuple[int, int]
"""Address, and pages from there."""


@dataclass(frozen=True, slots=True)
class WorkingSet:
    """Per process the runs of pages that were asked for, those to fetch first at the start."""

    runs: Mapping[int, tuple[Run, ...]]
    engine: str = ""
    """What restored the container when this was recorded."""

    @property
    def pages(self) -> int:
        return sum(count for runs in self.runs.values() for _, count in runs)

    def document(self) -> bytes:
        """Return it as the JSON that is stored."""
        processes = [
            {"pid": pid, "runs": [[f"{address:#x}", count] for address, count in runs]}
            for pid, runs in self.runs.items()
        ]
        known = {"schema_version": 1, "engine": self.engine, "processes": processes}
        return json.dumps(known, separators=(",", ":")).encode()


def working_set(asked: Iterable[tuple[float, int, int, int]], engine: str = "") -> WorkingSet:
    """Return the working set of requests: seconds, process, address, pages.

    Single pages come first: those a program waits for. More at a time is what CRIU fetches in the
    background (criu/uffd.c).
    """
    runs: dict[int, list[Run]] = {}
    first = sorted(asked, key=lambda request: request[3] > 1)[:MAX_RUNS]
    for _, pid, address, count in first:
        runs.setdefault(pid, []).append((address, min(count, MAX_PAGES)))
    return WorkingSet({pid: tuple(dict.fromkeys(found)) for pid, found in runs.items()}, engine)


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What is told of a working set."""

    bytes: int
    share: float
    """Of the bytes that are served, from 0 to 1."""
    regions: Mapping[str, int]
    """Bytes by the kind of the region, or the file mapped there; the largest first."""


def set_facts(found: WorkingSet, opened: OpenCheckpoint, lazy: int) -> SetFacts:
    """Return how large a working set is, and where its pages lie; `lazy` bytes are served."""
    table = file_table(opened.images, quiet())
    memories = build_memory(opened.images, table, opened.memory, quiet())
    regions = {memory.pid: memory.regions for memory in memories}
    total, sizes = 0, Counter[str]()
    for pid in found.runs:
        page_size = opened.memory.page_size(pid)
        pages = {at + n * page_size for at, count in found.runs[pid] for n in range(count)}
        total += len(pages) * page_size
        for name, count in _by_region(pages, regions.get(pid, ())).items():
            sizes[name] += count * page_size
    return SetFacts(total, min(total / lazy, 1.0) if lazy else 0.0, dict(sizes.most_common()))


def _by_region(pages: Iterable[int], regions: Iterable[Region]) -> Counter[str]:
    """Return how many of the pages lie in each kind of region, or in each mapped file."""
    placed = sorted(regions, key=lambda region: region.start)
    starts = [region.start for region in placed]
    counts = Counter[str]()
    for page in pages:
        region = placed[bisect_right(starts, page) - 1] if starts else None
        if region is not None and region.start <= page < region.end:
            counts[region.path or region.kind] += 1
    return counts


def read_working_set(stored: bytes) -> WorkingSet:
    """Read what `WorkingSet.document` returned.

    Raises:
        CkptError: it is something else.
    """
    try:
        if len(stored) > MAX_SIZE:
            raise ValueError(f"more than {MAX_SIZE:,} bytes")
        known = json.loads(stored)
        if known["schema_version"] != 1:
            raise ValueError(f"version {known['schema_version']}")
        if sum(len(one["runs"]) for one in known["processes"]) > MAX_RUNS:
            raise ValueError(f"more than {MAX_RUNS:,} runs")
        runs = {int(one["pid"]): _runs(one["runs"]) for one in known["processes"]}
        return WorkingSet(runs, str(known.get("engine", "")))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CkptError(
            "The working set cannot be read:", f"{error}.", "Record it again."
        ) from error


def _runs(stored: Any) -> tuple[Run, ...]:
    runs = tuple((int(str(address), 16), int(count)) for address, count in stored)
    if any(not (0 <= address < 1 << 64 and 0 < count <= MAX_PAGES) for address, count in runs):
        raise ValueError("a run of pages is out of range")
    return runs
