"""Names and arguments of system calls, read from syscalls.tsv when first needed.

Numbers are those of Linux 6.17: of x86-64, and the generic ones that aarch64, riscv64 and
loongarch64 share.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

COLUMNS = {"x86_64": 1, "aarch64": 2, "riscv64": 2, "loongarch64": 2}
"""Architecture to the column of the table that has its numbers."""


@dataclass(frozen=True, slots=True)
class Syscall:
    """One system call."""

    name: str
    arguments: tuple[str, ...]
    """Their names, in order; empty as well for calls that no kernel has any more."""


@functools.cache
def _table(column: int) -> dict[int, Syscall]:
    text = resources.files("ckpt_tui.criu").joinpath("syscalls.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {
        int(row[column]): Syscall(row[0], tuple(row[3].split()))
        for row in rows
        if row[column] != "-"
    }


def syscall_of(arch: str, number: int) -> Syscall | None:
    """Return a system call by its number; None for other architectures and unknown numbers."""
    column = COLUMNS.get(arch)
    return None if column is None else _table(column).get(number)


def syscalls_of(arch: str) -> dict[int, str]:
    """Return the names of the system calls by number; empty for other architectures."""
    column = COLUMNS.get(arch)
    return {} if column is None else {n: call.name for n, call in _table(column).items()}
