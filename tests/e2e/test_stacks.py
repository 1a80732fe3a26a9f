"""Core files and stacks of programs that were really dumped, beside what gdb says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from test_real_registry import ckpt_tui

from ckpt_tui.cli.core_files import core
from ckpt_tui.cli.stacks import stacks
from ckpt_tui.core.known_values import COVER

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
    Program("calls-rust", "calls-rust", "usr/bin/calls-rust"),
    Program("calls-go", "calls-go", "usr/bin/calls-go"),
    Program("redis", "redis", "usr/bin/redis-server"),
)

TOPS = {"runtime.goexit", "runtime.mstart", "runtime.mcall"}
"""Functions at which Go itself ends a stack; gdb goes on to what called none of it."""

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


def by_us(
    archive: Path, image: Path, capsys: pytest.CaptureFixture[str], **options: bool
) -> list[Any]:
    """Return the threads of process 1 as `stacks --json` has them."""
    capsys.readouterr()
    stacks(str(archive), 1, str(image), True, **options)
    (process,) = json.loads(capsys.readouterr().out)["processes"]
    threads: list[Any] = process["threads"]
    return threads


def plain(function: str) -> str:
    """Return a name without the number of a clone, which gdb cuts off, and without the name that
    glibc gives a function for itself."""
    return re.sub(r"\.(isra|part|constprop|cold|lto_priv)\b.*", "", function).removesuffix("_impl")


@pytest.mark.timeout(600)
def test_frames_are_those_of_gdb(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    same = count = 0
    different: list[str] = []
    for program in PROGRAMS:
        archive = lab.checkpoint(program.name)
        theirs = by_gdb(lab, program)
        ours = by_us(archive, lab.host / f"base-{program.image}.oci.tar", capsys)
        assert {str(thread["tid"]) for thread in ours} == set(theirs)
        for thread in ours:
            frames = [one for one in thread["frames"] if one["kind"] != "python"]
            found = [(one["address"], plain(one["function"])) for one in frames]
            wanted = [(pc, plain(name)) for pc, name in theirs[str(thread["tid"])]]
            if top := next((n for n, (_, name) in enumerate(wanted) if name in TOPS), 0):
                del wanted[top + 1 :]
            count += max(len(wanted), len(found))
            for one, other in zip_longest(wanted, found):
                same += one == other
                if one != other:
                    different.append(f"{program.name} {thread['tid']}: {one} {other}")
    assert count > 1000
    assert same >= SHARE * count, "\n".join(different)


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
        functions = [frame["function"] for frame in thread["frames"]]
        assert contains(functions, EXPECTED[number]), (number, functions[:20])
    signals = [f for thread in threads for f in thread["frames"] if f["kind"] == "signal"]
    assert len(signals) == 2


GO_CALLS = (
    ["main.standStill", *["main.recurse"] * 21, "main.main.func1", "main.onThread.func1"],
    ["main.standStill", "main.(*square).area", "main.main.func2"],
    ["main.standStill", "main.main.func3.1", "main.each[go.shape.string]", "main.main.func3"],
    ["main.standStill", "main.compare.func1", "sort.Slice", "main.compare", "main.main.func4"],
    ["main.standStill", "main.deferred", "runtime.gopanic", "main.panics", "main.main.func5"],
)
"""Functions of programs/calls.go and what they call."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["calls-go", "calls-go-stripped"])
def test_go_frames_are_those_of_the_source(
    lab: Lab, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = by_us(lab.checkpoint(name), lab.host / f"base-{name}.oci.tar", capsys)
    found = [[frame["function"] for frame in thread["frames"]] for thread in threads]
    for calls in GO_CALLS:
        assert any(contains(functions, calls) for functions in found), calls
    assert {thread["where"] for thread in threads} >= {"main.standStill"}
    assert all(frame["how"] in ("registers", "Go") for t in threads for frame in t["frames"])


def contains(functions: Sequence[str], wanted: Sequence[str]) -> bool:
    """Tell whether all wanted ones are there in this order."""
    rest = iter(functions)
    return all(one in rest for one in wanted)


VALUES = {
    "count": "3",
    "rest": "2 items",
    "more": "1 item",
    "text": "'grüße'",
    "password": "'hunter2-is-long'",
    "big": str(1 << 100),
    "small": "-5",
    "ratio": "0.25",
    "flag": "True",
    "nothing": "None",
    "raw": repr(b"\0\xffbytes"),
    "items": "3 items",
    "pairs": "2 items",
    "unique": "2 items",
    "several": "2 items",
    "loop": "1 item",
    "account": "",
    "closure": "",
    "inner": "7",
}
"""Local variables of `with_locals` in programs/threads.py."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "image"), [("python", "py"), ("python3.14", "python3.14")])
def test_python_frames_are_those_that_python_wrote(
    lab: Lab, name: str, image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = lab.checkpoint(name)
    base = lab.host / f"base-{image}.oci.tar"
    threads = by_us(archive, base, capsys, with_locals=True, reveal=True)
    written = json.loads(
        lab.script(
            f"tar -xOf /host/{name}.tar.zst rootfs-diff.tar | tar -xO tmp/stacks.json"
        ).stdout
    )
    found = {
        str(thread["tid"]): [
            [frame["module"], frame["line"], frame["function"]]
            for frame in thread["frames"]
            if frame["kind"] == "python"
        ]
        for thread in threads
    }
    (holder,) = (thread for thread in threads if thread["has_gil"])
    assert holder["where"] == "spin"
    for frames in (found[str(holder["tid"])], written[str(holder["tid"])]):
        frames[0][1] = None  # it runs on
    assert len(written) == 5
    assert {tid: found[tid] for tid in written} == written
    assert contains(
        [frame["function"] for frame in threads[4]["frames"]],
        ["compare", "PyObject_Vectorcall", "in_c"],
    )
    shown = {one["name"]: one["value"] for one in locals_of(threads)}
    assert shown == VALUES
    hidden = by_us(archive, base, capsys, with_locals=True)
    assert "hunter2" not in json.dumps(hidden)
    assert {one["name"]: one["value"] for one in locals_of(hidden)} == {**VALUES, "password": COVER}


def locals_of(threads: Sequence[Any]) -> Any:
    frames = (frame for thread in threads for frame in thread["frames"])
    return next(one["locals"] for one in frames if one["function"] == "with_locals")


MOST_DOWNLOADED = 8 << 20
"""Bytes that the stacks of redis may cost; its memory is eight times as much."""


@pytest.mark.timeout(600)
def test_of_a_registry_only_what_stacks_need_is_downloaded(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    base = lab.host / "base-redis.oci.tar"
    expected = by_us(lab.checkpoint("redis"), base, capsys)
    with lab.registry() as address:
        target = f"docker://{address}/app/redis:1"
        archive = str(lab.host / "redis.tar.zst")
        ckpt_tui("convert", archive, target, "--base", str(base))
        done = ckpt_tui("stacks", target, "--base", str(base), "--json")
        assert downloaded(done.stderr) < MOST_DOWNLOADED
        assert json.loads(done.stdout)["processes"][0]["threads"] == expected
        left_out = ckpt_tui("stacks", target)
        assert "The files of the container were not downloaded" in left_out.stderr
        assert downloaded(left_out.stderr) < MOST_DOWNLOADED
        done = ckpt_tui("stacks", target, "--json", "--yes")
        assert json.loads(done.stdout)["processes"][0]["threads"] == expected


def downloaded(printed: str) -> float:
    """Return the bytes that a command says it downloaded."""
    (size, unit) = re.findall(r"^([\d.]+) (B|KiB|MiB) downloaded", printed, re.MULTILINE)[0]
    return float(size) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]
