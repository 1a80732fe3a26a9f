"""Measures stacks and core files: `.venv/bin/python tests/bench/stacks.py`.

Needs root (for the lab), 4 GB below the folder for temporary files; nothing else should run. What
is measured, and its budget:

stacks    all threads of redis, in a program that runs already: 1 s; and as a command, beside gdb
          with `bt` of each thread on our core file and the same files
core      of a process with 1 GiB of memory, out of a plain archive: 1 GB/s; beside `cp` of that
huge      of 64 GiB, all zeros: its peak memory, 100 MiB
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tui"), str(TESTS), str(TESTS / "e2e")]

from lab import Lab  # noqa: E402
from measuring import HEAD, Command, Row, Table, told  # noqa: E402
from run import HUGE_GIB, own_lab, program, telling  # noqa: E402

from archive import write_archive, write_huge  # noqa: E402

STACKS = """
import sys, time
from pathlib import Path
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.stacks.of_checkpoint import read_stacks
begun = time.perf_counter()
opened = open_checkpoint(sys.argv[1], quiet())
checkpoint = opened.load(quiet())
with base_tree(opened, sys.argv[2], quiet()) as base:
    ((_, found),) = read_stacks(opened, checkpoint, [1], base, quiet())
assert len(found.threads) >= 5, found
Path(sys.argv[3]).write_text(str(time.perf_counter() - begun))
"""

GDB = (
    "gdb -q -nx -batch -ex 'set sysroot {root}' -ex 'file {root}/{path}' -ex 'core {core}' -x {bt}"
)

MEMORY_MIB = 1024


def stack_rows(lab: Lab) -> Iterator[Row]:
    """All threads of redis."""
    archive, base = lab.checkpoint("redis"), lab.host / "base-redis.oci.tar"
    read = telling(lab, STACKS, archive, base)
    yield Row("stacks of redis, in a running program", read, "", None, 1, told)
    core = lab.host / "redis.core"
    lab.script(
        "mkdir /host/root; made=$(podman create localhost/redis:1 x)\n"
        "podman export $made | tar -x -C /host/root; podman rm $made >/dev/null"
    )
    Command(program("core", archive, "--pid", "1", "-o", core)).measure()
    line = GDB.format(
        root="/host/root", path="usr/bin/redis-server", core="/host/redis.core",
        bt="/lab/gdb-stacks.py",
    )  # fmt: skip
    ours = Command(program("stacks", archive, "--base", base))
    yield Row("stacks of redis, as a command", ours, "gdb on our core", Command(line, lab=lab), 5)


def core_rows(lab: Lab) -> Iterator[Row]:
    """Large core files."""
    plain, core = lab.host / "a.tar", lab.host / "a.core"
    write_archive(plain, MEMORY_MIB, 0)
    ours = Command(program("core", plain, "--pid", "1", "-o", core), f"rm -f {core}")
    copied = Command(f"cp {plain} {core}", f"rm -f {core}")
    yield Row(f"core of {MEMORY_MIB:,} MiB", ours, "cp of the archive", copied, 2)
    plain.unlink()
    huge = lab.host / "huge.tar"
    write_huge(huge, HUGE_GIB)
    ours = Command(program("core", huge, "--pid", "1", "-o", core), f"rm -f {core}")
    yield Row(f"core of {HUGE_GIB} GiB of zeros", ours, "", None, HUGE_GIB, rounds=1)


def main() -> None:
    print(HEAD)
    table = Table()
    with own_lab() as lab:
        for rows in (stack_rows, core_rows):
            for row in rows(lab):
                print(table.line(row), flush=True)


if __name__ == "__main__":
    main()
