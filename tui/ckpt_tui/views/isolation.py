"""Namespaces and cgroups as rows, and each in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ckpt_tui.checkpoint.cgroups import cgroup_above
from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import CgroupDirectory, Checkpoint, Namespace
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.masks import masked, masked_values
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_count, listed, printable
from ckpt_tui.criu.values import file_mode
from ckpt_tui.views.facts import Fact, Section, and_more, known
from ckpt_tui.views.table import Column, Row, row_of

COLUMNS = (
    Column("KIND", width=12),
    Column("NAME", share=3, shrink="middle"),
    Column("FROM", width=8),
    Column("PROCESSES", share=2, least=9),
    Column("DETAIL", share=2, optional=True),
)

SHOWN_PIDS = 20
"""Processes named in a row; the panel beside it has more."""

SHOWN_MEMBERS = 200
"""Processes listed in a panel."""


def isolation_rows(checkpoint: Checkpoint) -> list[Row]:
    """Return one row a namespace, then one a cgroup, indented below the one it lies in."""
    return [*namespace_rows(checkpoint), *cgroup_rows(checkpoint)]


def namespace_rows(checkpoint: Checkpoint) -> list[Row]:
    """Return one row a namespace."""
    return [
        _row(Ref.namespace(n.kind, n.id), n.kind, f"namespace {n.id}", n.dumped, n.pids, n.detail)
        for n in checkpoint.namespaces
    ]


def cgroup_rows(checkpoint: Checkpoint) -> list[Row]:
    """Return one row a cgroup of each hierarchy."""
    numbers = index_of(checkpoint).cgroup
    rows: list[Row] = []
    depths: dict[tuple[str, str], int] = {}
    for place, number in sorted(numbers.items(), key=lambda item: _order(*item[0])):
        found = checkpoint.cgroup_directories[number]
        above = cgroup_above(found, numbers)
        depths[place] = depths[above] + 1 if above else 0
        count = len(found.properties)
        detail = human_count(count, "property", "properties") if count else ""
        name = "  " * min(depths[place], 12) + printable(found.path)
        rows.append(
            _row(Ref.cgroup(number), found.hierarchy, name, found.dumped, found.pids, detail)
        )
    return rows


def _order(hierarchy: str, path: str) -> tuple[str, list[str]]:
    return hierarchy, [part for part in path.split("/") if part]


def _row(key: Ref, kind: str, name: str, dumped: bool, pids: Sequence[int], detail: str) -> Row:
    return row_of(
        key,
        printable(kind),
        name,
        ("dumped" if dumped else "the host", dumped),
        (listed(map(str, pids), SHOWN_PIDS, " "), len(pids)),
        masked(printable(detail), False),
    )


SECCOMP_COLUMNS = (
    Column("FILTER", width=8),
    Column("THREADS", width=7, align="right"),
    Column("INSTRUCTIONS", width=12, align="right", optional=True),
    Column("SYSTEM CALLS", share=1),
)


def seccomp_rows(checkpoint: Checkpoint) -> list[Row]:
    """Return one row a seccomp filter: its places in the image, and what it does."""
    threads = [thread for process in checkpoint.processes for thread in process.threads]
    rows = []
    for place, found in enumerate(checkpoint.seccomp):
        numbers = set(found.numbers)
        users = sum(not numbers.isdisjoint(thread.seccomp_filters) for thread in threads)
        verdicts = (f"{what} {len(calls):,}" for what, calls in found.verdicts.items())
        rows.append(
            row_of(
                Ref.seccomp(place),
                " ".join(map(str, found.numbers)),
                users,
                (f"{found.instructions:,}", found.instructions),
                printable(", ".join(verdicts)),
            )
        )
    return rows


def namespace_sections(checkpoint: Checkpoint, found: Namespace, reveal: bool) -> list[Section]:
    """Return one namespace: its data in the images, and its processes."""
    return [
        Section(
            "",
            [
                Fact("kind", found.kind),
                Fact("id", str(found.id)),
                Fact("from", "the dump" if found.dumped else "the host that restores"),
            ],
        ),
        _properties(found.properties, reveal, "none in the images"),
        _members(checkpoint, found.pids),
    ]


def cgroup_sections(checkpoint: Checkpoint, found: CgroupDirectory, reveal: bool) -> list[Section]:
    """Return one cgroup: its owner, its properties with their values, and its processes."""
    sets = [s for s in checkpoint.cgroups if s.paths.get(found.hierarchy) == found.path]
    facts = known(
        ("controllers", printable(found.hierarchy)),
        ("path", printable(found.path)),
        ("from", "the dump" if found.dumped else "the host: it must exist"),
        ("threads", "may be in different cgroups" if found.threaded else ""),
        ("mode", "" if found.mode is None else file_mode(found.mode)),
        ("owner", "" if found.uid is None else f"user {found.uid}, group {found.gid}"),
        ("cgroup sets", ", ".join(str(s.id) for s in sets)),
    )
    return [
        Section("", facts),
        _properties(found.properties, reveal, "none were dumped"),
        _members(checkpoint, found.pids),
    ]


def _properties(found: Mapping[str, str], reveal: bool, empty: str) -> Section:
    facts = [Fact("", styled((name, "muted"), "  ", line)) for name, line in _told(found, reveal)]
    return Section("Properties", facts, empty=empty)


def _members(checkpoint: Checkpoint, pids: Sequence[int]) -> Section:
    known = index_of(checkpoint).process
    shown = [
        Fact(str(pid), printable(known[pid].comm) if pid in known else "", link=Ref.process(pid))
        for pid in pids[:SHOWN_MEMBERS]
    ]
    shown += and_more(len(pids) - SHOWN_MEMBERS)
    return Section("Processes", shown, empty="none in this checkpoint")


def properties(checkpoint: Checkpoint, reveal: bool) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield a title and the properties of each namespace and cgroup that has some; what looks like
    a secret is covered."""
    for namespace in checkpoint.namespaces:
        if namespace.properties:
            yield f"{namespace.kind} namespace {namespace.id}", _told(namespace.properties, reveal)
    for directory in checkpoint.cgroup_directories:
        if directory.properties:
            title = f"cgroup {directory.hierarchy} {directory.path}"
            yield printable(title), _told(directory.properties, reveal)


def _told(found: Mapping[str, str], reveal: bool) -> list[tuple[str, str]]:
    """Return the lines of properties, the first of each with its name."""
    return [
        (printable(name) if not number else "", printable(line, reveal=reveal) or "(empty)")
        for name, value in masked_values(found, reveal).items()
        for number, line in enumerate(value.split("\n"))
    ]
