"""`compare`: two checkpoints beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ckpt_tui.checkpoint.compare import Change, Comparison, ProcessPair, compare_checkpoints
from ckpt_tui.checkpoint.comparepages import MemoryComparison, RegionPair, Side, compare_memory
from ckpt_tui.checkpoint.export import plain
from ckpt_tui.cli.reports import opened_target
from ckpt_tui.cli.tables import print_facts, print_heading, print_json, print_table
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.ui.rows.compare import (
    COLUMNS,
    NOTE,
    PAGE_STATES,
    line_rows,
    lines,
    shown_values,
    summary,
)


def compare(before: str, after: str, as_json: bool, reveal: bool, pages: bool) -> None:
    """Print what differs; `pages` says whether to compare the contents of memory, too."""
    with opened_target(before) as (one, progress), opened_target(after) as (other, _):
        left, right = (Side(o.load(progress), o.images, o.memory) for o in (one, other))
        comparison = compare_checkpoints(left.checkpoint, right.checkpoint, progress)
        memory = compare_memory(left, right, comparison.processes, progress) if pages else None
    if as_json:
        print_json(comparison_document(comparison, memory, reveal))
        return
    print_facts([("before", before), ("after", after), ("", summary(comparison))])
    if memory is not None:
        states = [(f, name) for f, _, name in PAGE_STATES if memory.total(f)]
        said = ", ".join(f"{human_bytes(memory.total(f))} {name}" for f, name in states)
        print_facts([("memory", said)])
    notes = (*comparison.notes, *(memory.notes if memory else ()))
    print_facts([("note", note) for note in notes])
    print_heading("Differences")
    rows = line_rows([ln for ln in lines(comparison, memory) if ln.how != NOTE], reveal)
    print_table(COLUMNS, (rows[number] for number in range(len(rows))))


def comparison_document(
    comparison: Comparison, memory: MemoryComparison | None, reveal: bool
) -> dict[str, Any]:
    """Return a comparison as JSON; `memory` is None where the contents were not compared."""
    regions = {id(pair): some for pair, some in memory.processes} if memory else {}
    return {
        "schema_version": 1,
        "before": plain(comparison.before),
        "after": plain(comparison.after),
        "same": comparison.same and not (memory and any(_memory_differs(memory))),
        "notes": plain((*comparison.notes, *(memory.notes if memory else ()))),
        "container": _changes(comparison.container, reveal),
        "processes": [
            _process(pair, regions.get(id(pair)), reveal) for pair in comparison.processes
        ],
        "mounts": _changes(comparison.mounts, reveal),
        "delta": _changes(comparison.delta, reveal),
        "memory": {f: memory.total(f) for f, _, _ in PAGE_STATES} if memory else None,
    }


def _memory_differs(memory: MemoryComparison) -> Iterator[bool]:
    return (region.differs for _, regions in memory.processes for region in regions)


def _changes(changes: tuple[Change, ...], reveal: bool) -> list[Any]:
    found = []
    for change in changes:
        before, after = shown_values(change, reveal)
        found.append(
            {
                "area": change.area,
                "what": plain(change.what),
                "how": change.how,
                "before": before,
                "after": after,
            }
        )
    return found


def _process(
    pair: ProcessPair, regions: tuple[RegionPair, ...] | None, reveal: bool
) -> dict[str, Any]:
    return {
        "before_pid": pair.before.pid if pair.before else None,
        "after_pid": pair.after.pid if pair.after else None,
        "how": pair.how,
        "matched_by": pair.matched_by,
        "changes": _changes(pair.changes, reveal),
        "regions": None if regions is None else [_region(region) for region in regions],
    }


def _region(pair: RegionPair) -> dict[str, Any]:
    region = pair.before or pair.after
    counts = {f: getattr(pair, f) for f, _, _ in PAGE_STATES}
    return {
        "kind": region.kind if region else "",
        "path": printable(region.path) if region else "",
        "before_start": pair.before.start if pair.before else None,
        "after_start": pair.after.start if pair.after else None,
        **counts,
        "changed_places": [list(place) for place in pair.places],
        "problem": printable(pair.problem),
    }
