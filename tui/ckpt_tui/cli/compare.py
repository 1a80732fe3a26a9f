"""`compare`: two checkpoints beside each other, or several as a time line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ckpt_tui.checkpoint.differences import Change, ProcessPair
from ckpt_tui.checkpoint.file_differences import FilePair
from ckpt_tui.checkpoint.page_differences import RegionPair
from ckpt_tui.cli.output import narrate, print_facts, print_heading, print_json
from ckpt_tui.cli.tables import print_table
from ckpt_tui.cli.telling import asking_before_fetching, told_progress
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.text import human_bytes, human_count, printable
from ckpt_tui.formats.comparing import (
    Difference,
    Link,
    compare_chain,
    compare_loaded,
    load_both,
)
from ckpt_tui.views import chain
from ckpt_tui.views.difference_lines import (
    COLUMNS,
    NOTE,
    ONE_DUMP,
    PAGE_STATES,
    line_rows,
    lines,
    shown_values,
    summary,
)


def compare(
    targets: Sequence[str], as_json: bool, reveal: bool, contents: bool, exit_code: bool = False
) -> int:
    """Print what differs; `contents` says whether to compare those of memory and files, too.

    Return 1 where a difference counts as failure and there is one, or not all could be compared.
    """
    if len(targets) > 2:
        return _chain(targets, as_json, reveal, contents, exit_code)
    with told_progress() as progress:
        loaded = load_both(targets[0], targets[1], progress, asking_before_fetching())
        try:
            difference = compare_loaded(*loaded, progress, contents=contents)
        finally:
            for opened, _ in loaded:
                opened.close()
    if as_json:
        print_json({"schema_version": 1, **difference_document(difference, reveal)})
    else:
        print_facts([("before", targets[0]), ("after", targets[1])])
        _print(difference, reveal)
    return int(exit_code and not _equal(difference, contents))


def _equal(difference: Difference, contents: bool) -> bool:
    return difference.same and (difference.complete or (not contents and not difference.notes))


def _chain(
    targets: Sequence[str], as_json: bool, reveal: bool, contents: bool, exit_code: bool
) -> int:
    with told_progress() as progress:
        asking = asking_before_fetching()
        links = list(compare_chain(targets, progress, contents=contents, before_fetching=asking))
    if as_json:
        document = {"schema_version": 1, "chain": [_link(link, reveal) for link in links]}
        print_json(document)
    else:
        print_table(chain.COLUMNS, chain.link_rows(links).rows)
        for link in links:
            if link.difference is not None:
                print_heading(f"{printable(link.before)} → {printable(link.target)}")
                _print(link.difference, reveal)
    for link in links:
        if link.problem:
            narrate(link.problem)
    failed = any(link.problem for link in links)
    differ = any(link.difference and not _equal(link.difference, contents) for link in links)
    return int(failed or (exit_code and differ))


def _print(difference: Difference, reveal: bool) -> None:
    comparison, memory, files = difference.comparison, difference.memory, difference.files
    print_facts([("", summary(comparison, files))])
    if difference.one_dump:
        print_facts([("formats", f"{ONE_DUMP}; `ckpt-tui formats` shows what each costs")])
    if memory is not None:
        states = [(f, name) for f, _, name in PAGE_STATES if memory.total(f)]
        said = ", ".join(f"{human_bytes(memory.total(f))} {name}" for f, name in states)
        print_facts([("memory", said)])
    if files is not None and (files.files or files.same):
        same = human_count(files.same, "file")
        print_facts([("contents", f"{same} the same, {len(files.files):,} not")])
    print_facts([("note", note) for note in difference.notes])
    print_heading("Differences")
    found = [line for line in lines(comparison, memory, files) if line.how != NOTE or line.file]
    print_table(COLUMNS, line_rows(found, reveal))


def _link(link: Link, reveal: bool) -> dict[str, Any]:
    return {
        "source": plain(link.target),
        "checkpointed": plain(link.checkpointed),
        "processes": link.processes,
        "dumped_bytes": link.dumped,
        "packed": link.packed,
        "problem": printable(link.problem),
        "counts": plain(link.counts),
        "changes": difference_document(link.difference, reveal) if link.difference else None,
    }


def difference_document(difference: Difference, reveal: bool) -> dict[str, Any]:
    """Return a comparison as JSON; `memory` and `files` are None where contents were left out."""
    comparison, memory, files = difference.comparison, difference.memory, difference.files
    regions = {id(pair): some for pair, some in memory.processes} if memory else {}
    return {
        "before": plain(comparison.before),
        "after": plain(comparison.after),
        "same": difference.same,
        "complete": difference.complete,
        "one_dump": difference.one_dump,
        "notes": plain(difference.notes),
        "container": _changes(comparison.container, reveal),
        "processes": [
            _process(pair, regions.get(id(pair)), reveal) for pair in comparison.processes
        ],
        "mounts": _changes(comparison.mounts, reveal),
        "delta": _changes(comparison.delta, reveal),
        "memory": {f: memory.total(f) for f, _, _ in PAGE_STATES} if memory else None,
        "files": {"same": files.same, "changed": [_file(pair) for pair in files.files]}
        if files
        else None,
    }


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


def _file(pair: FilePair) -> dict[str, Any]:
    return {
        "path": plain(pair.path),
        "before_size": pair.before_size,
        "after_size": pair.after_size,
        "changed": pair.changed,
        "changed_places": [list(place) for place in pair.places],
        "problem": printable(pair.problem),
    }
