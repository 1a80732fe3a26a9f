"""Core files and stacks of programs that were really dumped, beside what gdb says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab import Lab

from ckpt_tui.cli.core_files import core
from ckpt_tui.cli.stacks import stacks

SHARE = 0.99
"""Frames that have to be gdb's, of all programs together."""


@dataclass(frozen=True)
class Program:
    """What was dumped."""

    name: str
    image: str
    path: str
    """Of the program in the image."""


PROGRAMS = (
    Program("calls", "calls", "usr/bin/calls"),
    Program("calls-static", "calls-static", "usr/bin/calls-static"),
    Program("calls-cpp", "calls-cpp", "usr/bin/calls-cpp"),
    Program("kinds", "py", "usr/bin/python3"),
    Program("redis", "redis", "usr/bin/redis-server"),
)

Frames = dict[str, list[tuple[int, str]]]
"""Program counter and function of each frame, by thread."""


def by_gdb(lab: Lab, program: Program) -> Frames:
    """Return what gdb says of a core file that we write of process 1."""
    path = lab.host / f"{program.name}.core"
    core(str(lab.host / f"{program.name}.tar.zst"), 1, str(path), every=False, as_json=False)
    root = f"/host/root-{program.name}"
    printed = lab.script(
        f"mkdir {root}; made=$(podman create localhost/{program.image}:1 x)\n"
        f"podman export $made | tar -x -C {root}; podman rm $made >/dev/null\n"
        f"gdb -q -nx -batch -ex 'set sysroot {root}' -ex 'file {root}/{program.path}'"
        f" -ex 'core /host/{path.name}' -x /lab/gdb-stacks.py"
    ).stdout
    (line,) = (line for line in printed.splitlines() if line.startswith("STACKS "))
    found: Frames = json.loads(line.removeprefix("STACKS "))
    return found


def by_us(archive: Path, image: Path, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Return the threads of process 1 as `stacks --json` has them."""
    capsys.readouterr()
    stacks(str(archive), 1, str(image), True)
    (process,) = json.loads(capsys.readouterr().out)["processes"]
    threads: list[Any] = process["threads"]
    return threads


def plain(function: str) -> str:
    """Return a name without the number of a clone, which gdb cuts off, and without the name that
    glibc gives a function for itself."""
    bare = function.split(".")[0]
    return bare.removesuffix("_impl")


@pytest.mark.timeout(600)
def test_frames_are_those_of_gdb(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    same = count = 0
    different: list[object] = []
    for program in PROGRAMS:
        archive = lab.checkpoint(program.name)
        theirs = by_gdb(lab, program)
        ours = by_us(archive, lab.host / f"base-{program.image}.oci.tar", capsys)
        assert {str(thread["tid"]) for thread in ours} == set(theirs)
        for thread in ours:
            frames = [one for one in thread["frames"] if one["kind"] != "python"]
            found = [(one["address"], plain(one["function"])) for one in frames]
            wanted = [(pc, plain(name)) for pc, name in theirs[str(thread["tid"])]]
            pairs = [(a, b) for a, b in zip(wanted, found, strict=False) if a == b]
            same += len(pairs)
            count += max(len(wanted), len(found))
            if len(pairs) < len(wanted):
                different.append((program.name, thread["tid"], wanted, found))
    assert count > 1000
    assert same >= SHARE * count, different


EXPECTED = {
    1: ["stand_still", "main"],
    2: ["stand_still", *["last_of_odd", "even"] * 6, "recurse"],
    3: ["stand_still", "compare", "sort"],
    4: ["stand_still", "on_signal", "raise", "interrupted", "signalled"],
    5: ["stand_still", "on_signal", *["overflow"] * 100],
    6: ["ask_the_time", "spin"],
    7: ["stand_still", *["with_frame_pointer"] * 6, "frame_pointers"],
}
"""Functions of programs/calls.c and what they call, by thread in the order of their start."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["calls", "calls-static", "calls-musl"])
def test_frames_are_those_of_the_source(
    lab: Lab, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """gdb itself finds no way out of musl, which has no unwinding tables."""
    threads = by_us(lab.checkpoint(name), lab.host / f"base-{name}.oci.tar", capsys)
    for number, thread in enumerate(threads, 1):
        functions = iter([frame["function"] for frame in thread["frames"]])
        missing = [wanted for wanted in EXPECTED[number] if wanted not in functions]
        assert missing == [], (number, thread["frames"][:20])
    signals = [f for thread in threads for f in thread["frames"] if f["kind"] == "signal"]
    assert len(signals) == 2
