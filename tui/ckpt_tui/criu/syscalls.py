"""Names and arguments of system calls, read from syscalls.tsv when first needed.

Numbers are those of Linux 6.17: of x86-64, the generic ones that aarch64, riscv64 and loongarch64
share, and of i386, arm (EABI), ppc64, s390x and mips (n64), of which CRIU dumps processes too.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

COLUMNS = {
    "x86_64": 1,
    **dict.fromkeys(("aarch64", "riscv64", "loongarch64"), 2),
    "i386": 3,
    "arm": 4,
    **dict.fromkeys(("ppc64", "ppc64le"), 5),
    **dict.fromkeys(("s390", "s390x"), 6),
    **dict.fromkeys(("mips", "mips64", "mips64el"), 7),
}
"""Architecture, in the words of CRIU or of seccomp, to the column that has its numbers."""

_OWN = ("ppc64", "ppc64le", "s390", "s390x", "mips", "mips64", "mips64el")

ARGUMENTS = 8
"""Column of the names of arguments."""


@dataclass(frozen=True, slots=True)
class Syscall:
    """One system call."""

    name: str
    arguments: tuple[str, ...]
    """Their names, in order; empty as well for calls that no kernel has any more."""


@functools.cache
def _table(column: int) -> dict[int, Syscall]:
    text = Path(__file__).with_name("syscalls.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines()[1:])
    return {
        int(row[column]): Syscall(row[0], tuple(row[ARGUMENTS].split()))
        for row in rows
        if row[column] != "-"
    }


def same_numbers(one: str, other: str) -> bool:
    """Tell whether two names of architectures stand for the same numbers: `mips`, `mips64el`."""
    return one == other or (one in _OWN and COLUMNS[one] == COLUMNS.get(other))


def syscall_of(arch: str, number: int) -> Syscall | None:
    """Return a system call by its number; None for other architectures and unknown numbers."""
    column = COLUMNS.get(arch)
    return None if column is None else _table(column).get(number)


def syscalls_of(arch: str) -> dict[int, str]:
    """Return the names of the system calls by number; empty for other architectures."""
    column = COLUMNS.get(arch)
    return {} if column is None else {n: call.name for n, call in _table(column).items()}
