"""Measures shell commands beside each other, in turns, and prints lines of a table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import Lab

TUI = Path(__file__).resolve().parents[2] / "tui"

ROUNDS = 3

MEASURE = """
import json, os, subprocess, sys, tempfile, time
before, command, after = sys.argv[1:]
shell = ["bash", "-euo", "pipefail", "-c"]
errors = tempfile.TemporaryFile()
quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": errors}
done = subprocess.run([*shell, before], **quiet)
begun = time.perf_counter()
child = subprocess.Popen([*shell, command], **quiet)
_, status, used = os.wait4(child.pid, 0)
seconds = time.perf_counter() - begun
if done.returncode or status:
    errors.seek(0)
    sys.exit(" ".join([before, command, errors.read().decode(errors="replace")]))
told = float(subprocess.check_output([*shell, after], text=True) or 0) if after else 0.0
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, told]))
"""
"""Python: runs a shell command between two others; prints its seconds, CPU seconds, peak in MiB,
and the number that the last of them prints."""


@dataclass(frozen=True)
class Measured:
    seconds: float
    cpu: float
    """Seconds of all processes."""
    peak: float
    """MiB of the largest process."""
    told: float
    """Seconds that the command itself tells of something."""


@dataclass(frozen=True)
class Command:
    """A shell command to measure, inside the lab or outside."""

    line: str
    before: str = ""
    """What to do before it."""
    lab: Lab | None = None
    after: str = ""
    """Prints a number of seconds that the command left behind."""

    def measure(self) -> Measured:
        arguments = ["-c", MEASURE, self.before, self.line, self.after]
        if self.lab:
            printed = self.lab.run("python3", *arguments, timeout_s=900).stdout
        else:
            # an installed program has its bytecode
            environment = {**os.environ, "PYTHONPATH": str(TUI), "PYTHONDONTWRITEBYTECODE": ""}
            printed = subprocess.check_output(
                [sys.executable, *arguments], env=environment, text=True
            )
        return Measured(*json.loads(printed))


def seconds(measured: Measured) -> float:
    return measured.seconds


def cpu(measured: Measured) -> float:
    return measured.cpu


def told(measured: Measured) -> float:
    return measured.told


def rest(measured: Measured) -> float:
    """Return what the command took beside what it told of."""
    return measured.seconds - measured.told


@dataclass(frozen=True)
class Row:
    """A line of the table: a command beside its peer, or alone."""

    what: str
    ours: Command
    peer_name: str
    peer: Command | None
    budget: float
    """At most so many times the peer's time; alone, so many seconds."""
    value: Callable[[Measured], float] = seconds
    rounds: int = ROUNDS


HEAD = """\
| what | ours | beside | it takes | ratio | at most | CPU | peak memory |
| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |"""


class Table:
    """Lines as they are measured. Rows of the same two commands share what was measured."""

    def __init__(self) -> None:
        self._rounds: dict[tuple[Command, Command | None], list[list[Measured]]] = {}

    def line(self, row: Row) -> str:
        commands = [row.ours, *([row.peer] if row.peer else [])]
        key = (row.ours, row.peer)
        if key not in self._rounds:
            self._rounds[key] = [[c.measure() for c in commands] for _ in range(row.rounds)]
        ours, *peers = (min(of, key=row.value) for of in zip(*self._rounds[key], strict=True))
        if not peers:
            cells = ("", "", "", _limit(row.value(ours), row.budget, " s"))
            return _cells(row, ours, *cells, f"{ours.cpu:.1f} s", f"{ours.peak:.0f} MiB")
        ratio = row.value(ours) / row.value(peers[0])
        return _cells(
            row,
            ours,
            row.peer_name.replace("|", "\\|"),
            f"{row.value(peers[0]):.2f} s",
            f"{ratio:.2f}",
            _limit(ratio, row.budget),
            f"{ours.cpu:.1f} / {peers[0].cpu:.1f} s",
            f"{ours.peak:.0f} / {peers[0].peak:.0f} MiB",
        )


def _limit(value: float, budget: float, unit: str = "") -> str:
    return f"{budget:g}{unit}" + ("" if value <= budget else " **over**")


def _cells(row: Row, ours: Measured, *more: str) -> str:
    return f"| {' | '.join((row.what, f'{row.value(ours):.2f} s', *more))} |"
