"""The names of flags and values, read from names.tsv when first needed.

A table `x+` adds names to `x` that crit does not have; a table `x@arm+aarch64` replaces values on
those architectures. The values are those of the Linux headers and of CRIU's sources.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True, slots=True)
class Name:
    """One name in a table."""

    name: str
    value: int
    kind: str
    """`bit` (one or more bits), `value`, or `mask` (bits that hold a number)."""


@functools.cache
def _tables() -> dict[str, tuple[Name, ...]]:
    text = resources.files("ckpt_tui.criu").joinpath("names.tsv").read_text("utf-8")
    tables: dict[str, list[Name]] = {}
    for line in text.splitlines()[1:]:
        table, kind, name, value = line.split("\t")
        tables.setdefault(table, []).append(Name(name, int(value, 0), kind))
    return {table: tuple(names) for table, names in tables.items()}


@functools.cache
def table_of(table: str, arch: str = "") -> tuple[Name, ...]:
    """Return the names of a table as they hold on an architecture (`x86_64`, `aarch64` …).

    An unknown table is empty.
    """
    tables = _tables()
    names = {entry.name: entry for entry in tables.get(table, ())}
    names |= {entry.name: entry for entry in tables.get(f"{table}+", ())}
    for key in tables:
        base, _, archs = key.partition("@")
        if base == table and arch in archs.split("+") and arch:
            names |= {entry.name: entry for entry in tables[key]}
    return tuple(names.values())


@functools.cache
def crit_table(table: str) -> tuple[Name, ...]:
    """Return the names that crit has, which knows no architectures."""
    return _tables().get(table, ())


@functools.cache
def by_value(table: str, arch: str = "") -> dict[int, str]:
    """Return the names of the single values of a table."""
    return {entry.value: entry.name for entry in table_of(table, arch) if entry.kind == "value"}


@functools.cache
def bits_of(table: str, arch: str = "") -> tuple[Name, ...]:
    """Return the names of bits, those of several bits before their parts."""
    bits = [entry for entry in table_of(table, arch) if entry.kind == "bit" and entry.value]
    return tuple(sorted(bits, key=lambda entry: -entry.value.bit_count()))
