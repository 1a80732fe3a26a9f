"""The names of flags and values, read from names.tsv when first needed.

A table `x+` adds names to `x` that crit does not have; a table `x@arm+aarch64` replaces values on
those architectures. The values are those of the Linux headers and of CRIU's sources.
"""

from __future__ import annotations

import functools
import os
from typing import NamedTuple


class Name(NamedTuple):
    """One name in a table."""

    name: str
    value: int
    kind: str
    """`bit` (one or more bits), `value`, or `mask` (bits that hold a number)."""


@functools.cache
def _lines() -> dict[str, list[str]]:
    """Return the lines of each table, without its name. Parsed one table at a time: all of them
    cost 10 ms."""
    with open(os.path.join(os.path.dirname(__file__), "names.tsv"), encoding="utf-8") as file:
        text = file.read()
    tables: dict[str, list[str]] = {}
    for line in text.splitlines()[1:]:
        table, _, rest = line.partition("\t")
        tables.setdefault(table, []).append(rest)
    return tables


@functools.cache
def crit_table(table: str) -> tuple[Name, ...]:
    """Return the names that crit has, which knows no architectures."""
    rows = (line.split("\t") for line in _lines().get(table, ()))
    return tuple(Name(name, int(value, 0), kind) for kind, name, value in rows)


@functools.cache
def table_of(table: str, arch: str = "") -> tuple[Name, ...]:
    """Return the names of a table as they hold on an architecture (`x86_64`, `aarch64` …).

    An unknown table is empty.
    """
    names = {entry.name: entry for entry in crit_table(table)}
    names |= {entry.name: entry for entry in crit_table(f"{table}+")}
    for key in _lines():
        base, _, archs = key.partition("@")
        if base == table and arch in archs.split("+") and arch:
            names |= {entry.name: entry for entry in crit_table(key)}
    return tuple(names.values())


@functools.cache
def by_value(table: str, arch: str = "") -> dict[int, str]:
    """Return the names of the single values of a table."""
    return {entry.value: entry.name for entry in table_of(table, arch) if entry.kind == "value"}


@functools.cache
def bits_of(table: str, arch: str = "") -> tuple[Name, ...]:
    """Return the names of bits, those of several bits before their parts."""
    bits = [entry for entry in table_of(table, arch) if entry.kind == "bit" and entry.value]
    return tuple(sorted(bits, key=lambda entry: -entry.value.bit_count()))
