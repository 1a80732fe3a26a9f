"""The working set: the pages that a restored container asks for first; the next restore fetches
them first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_tui.core.errors import CkptError

MAX_SIZE = 16 << 20
"""Bytes of a working set that are read; one of 64 GiB of single pages has less."""

MAX_RUNS = 1 << 20

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
    for _, pid, address, count in sorted(asked, key=lambda request: request[3] > 1):
        runs.setdefault(pid, []).append((address, min(count, MAX_PAGES)))
    return WorkingSet({pid: tuple(dict.fromkeys(found)) for pid, found in runs.items()}, engine)


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
        runs = {int(one["pid"]): _runs(one["runs"]) for one in known["processes"]}
        return WorkingSet(runs, str(known.get("engine", "")))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise CkptError(
            "The working set cannot be read:", f"{error}.", "Record it again."
        ) from error


def _runs(stored: Any) -> tuple[Run, ...]:
    if len(stored) > MAX_RUNS:
        raise ValueError(f"more than {MAX_RUNS:,} runs")
    runs = tuple((int(str(address), 16), int(count)) for address, count in stored)
    if any(not (0 <= address < 1 << 64 and 0 < count <= MAX_PAGES) for address, count in runs):
        raise ValueError("a run of pages is out of range")
    return runs
