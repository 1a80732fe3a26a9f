"""Two checkpoints beside each other, as lines under the process or part that they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.differences import Change, Comparison, ProcessPair
from ckpt_tui.checkpoint.file_differences import FileComparison, FilePair
from ckpt_tui.checkpoint.page_differences import MemoryComparison, RegionPair
from ckpt_tui.core.masks import covered, masked
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_bytes, human_count, printable
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import sign, signed
from ckpt_tui.views.processes import command_line
from ckpt_tui.views.table import Column, LazyRows, Row

COLUMNS = (
    Column("", width=1),
    Column("WHAT", share=3, least=20, shrink="middle"),
    Column("BEFORE", share=3, least=16, shrink="middle"),
    Column("AFTER", share=3, least=16, shrink="middle"),
)

PAGE_STATES = (
    ("same", "base", "same"),
    ("changed", "pages", "changed"),
    ("only_before", "volumes", "only before"),
    ("only_after", "delta", "only after"),
    ("unknown", "metadata", "not available"),
)
"""What a page can be in two checkpoints, its meaning, its name for people."""


NOTE = "may-fail"
"""How a line is marked that says what could not be compared."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line: a heading, or one difference below it."""

    depth: int
    title: str
    """Printable, without a secret."""
    how: str = ""
    """added, changed, deleted or `NOTE`; empty for a heading."""
    change: Change | None = None
    pair: ProcessPair | None = None
    region: RegionPair | None = None
    file: FilePair | None = None

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """Runs of changed bytes, to look at; in a region those of the pages they are in."""
        found = self.region or self.file
        return found.places if found else ()


MOST_LINES = 5_000
"""Differences shown under one heading on the screen, which makes them all between two frames."""


def lines(
    comparison: Comparison,
    memory: MemoryComparison | None,
    files: FileComparison | None = None,
    most: int | None = None,
) -> list[DiffLine]:
    """Return the differences in order: notes, container, processes with all theirs, mounts, delta;
    no more than `most` under one heading, and then how many there are."""
    found = [DiffLine(0, printable(n), NOTE) for n in comparison.notes]
    for part in (memory, files):
        found += [DiffLine(0, printable(n), NOTE) for n in (part.notes if part else ())]
    found += _under("Container", comparison.container, most)
    regions = {id(pair): some for pair, some in memory.processes} if memory else {}
    for pair in comparison.processes:
        found += _process(pair, regions.get(id(pair), ()), most)
    found += _under("Mounts", comparison.mounts, most)
    found += _filesystem(comparison, files, most)
    return found or [DiffLine(0, "Nothing differs", "")]


def _under(title: str, changes: Sequence[Change], most: int | None) -> Iterator[DiffLine]:
    if changes:
        yield DiffLine(0, title)
        yield from (DiffLine(1, printable(c.what), c.how, c) for c in changes[:most])
        yield from _more(len(changes), most)


def _filesystem(
    comparison: Comparison, files: FileComparison | None, most: int | None
) -> Iterator[DiffLine]:
    """Yield the changes of a delta, those of contents with them: a line a file."""
    changes, others = comparison.delta, other_files(comparison, files)
    by_path = {pair.path: pair for pair in files.files} if files else {}
    shown = [
        DiffLine(1, printable(c.what), c.how, c, file=by_path.get(c.what)) for c in changes[:most]
    ]
    for pair in others[: None if most is None else most - len(shown)]:
        how = "changed" if pair.changed else NOTE
        shown.append(DiffLine(1, printable(pair.path), how, file=pair))
    if shown:
        yield DiffLine(0, "Root filesystem")
        yield from shown
        yield from _more(len(changes) + len(others), most)


def _more(count: int, most: int | None) -> Iterator[DiffLine]:
    """Yield a line that says how many are not shown, if there are some."""
    if most is not None and count > most:
        more = human_count(count - most, "more difference")
        yield DiffLine(1, f"{more}: `ckpt-tui compare` prints them", NOTE)


def _process(
    pair: ProcessPair, regions: tuple[RegionPair, ...], most: int | None
) -> Iterator[DiffLine]:
    yield DiffLine(0, _pair_title(pair), "" if pair.how == "same" else pair.how, pair=pair)
    for change in pair.changes[:most]:
        yield DiffLine(1, printable(f"{change.area} {change.what}"), change.how, change)
    yield from _more(len(pair.changes), most)
    differing = [region for region in regions if region.differs or region.problem]
    for region in differing[:most]:
        yield DiffLine(1, _region_title(region), _region_how(region), region=region)
    yield from _more(len(differing), most)


def _pair_title(pair: ProcessPair) -> str:
    process = pair.after or pair.before
    if process is None:
        return ""
    pids = [str(p.pid) for p in (pair.before, pair.after) if p]
    return f"Process {' → '.join(dict.fromkeys(pids))}  {masked(command_line(process), False)}"


def _region_title(pair: RegionPair) -> str:
    region = pair.after or pair.before
    if region is None:
        return ""
    return printable(f"memory {region.kind} {region.path or f'{region.start:x}'}")


def _region_how(pair: RegionPair) -> str:
    if pair.problem:
        return NOTE
    return "added" if pair.before is None else "deleted" if pair.after is None else "changed"


def shown_values(change: Change, reveal: bool) -> tuple[str, str]:
    """Return what was before and what is after, printable, secrets covered unless revealed."""
    return _shown(change, change.before, reveal), _shown(change, change.after, reveal)


def _shown(change: Change, value: str, reveal: bool) -> str:
    name = change.what.removeprefix("environment ")
    if value and (change.area == "environment" or name != change.what):
        return printable(covered(f"{name}={value}", reveal)[len(name) + 1 :], reveal=reveal)
    return printable(masked(value, reveal), reveal=reveal)


def line_rows(found: list[DiffLine], reveal: bool) -> LazyRows[int]:
    """Return the lines as rows; the key is the place in `found`."""

    def row(number: int) -> Row:
        line = found[number]
        before, after = _cells(line, reveal)
        is_heading = line.pair is not None or not (line.depth or line.how)
        title = styled(("  " * line.depth + line.title, "strong" if is_heading else ""))
        mark = styled((sign(line.how), line.how)) if line.how else ""
        return Row(number, (mark, title, before, after))

    return LazyRows(range(len(found)), row)


def _cells(line: DiffLine, reveal: bool) -> tuple[str, str]:
    if line.change is not None:
        return shown_values(line.change, reveal)
    if line.region is not None:
        return _region_cells(line.region)
    if line.file is not None:
        return _file_cells(line.file)
    if line.pair is not None:
        texts = [f"pid {p.pid}" if p else "" for p in (line.pair.before, line.pair.after)]
        return texts[0], texts[1] + ("  the same" if line.pair.how == "same" else "")
    return "", ""


def _region_cells(region: RegionPair) -> tuple[str, str]:
    gone = f"{human_bytes(region.only_before)} only here" if region.only_before else ""
    parts = [
        f"{human_bytes(region.changed)} changed" if region.changed else "",
        f"{human_bytes(region.only_after)} only here" if region.only_after else "",
    ]
    return gone, ", ".join(filter(None, parts))


def _file_cells(pair: FilePair) -> tuple[str, str]:
    if pair.problem:
        return "", printable(pair.problem)
    return human_bytes(pair.before_size), changed_text(pair)


def changed_text(pair: FilePair) -> str:
    """Return how many bytes differ, and the first."""
    first = f" from byte {pair.places[0][0]:,}" if pair.places else ""
    return f"{human_count(pair.changed, 'byte')} changed{first}"


def line_sections(line: DiffLine, reveal: bool) -> list[Section]:
    """Return everything known of one line."""
    if line.change is not None:
        before, after = shown_values(line.change, reveal)
        facts = [Fact("before", before or "–"), Fact("after", after or "–")]
        facts += _file_facts(line.file) if line.file else []
        return [Section(printable(f"{line.change.area} {line.change.what}"), facts)]
    if line.region is not None:
        return [_region_section(line.region)]
    if line.file is not None:
        return [Section(printable(f"contents {line.file.path}"), _file_facts(line.file))]
    if line.pair is not None:
        return [_pair_section(line.pair)]
    return [Section("", [Fact("", signed(line.how, line.title) if line.how else line.title)])]


def _pair_section(pair: ProcessPair) -> Section:
    facts = []
    for label, process in (("before", pair.before), ("after", pair.after)):
        said = f"{process.pid}  {masked(command_line(process), False)}" if process else "missing"
        facts.append(Fact(label, said))
    if pair.matched_by:
        facts.append(Fact("matched by", f"the same {pair.matched_by}"))
    return Section("Process", [*facts, Fact("differences", str(len(pair.changes)))])


def _region_section(pair: RegionPair) -> Section:
    facts = []
    for label, region in (("before", pair.before), ("after", pair.after)):
        if region is not None:
            said = f"{region.start:x}-{region.end:x} {region.protection} {printable(region.path)}"
            facts.append(Fact(label, said.strip()))
    for field, _, name in PAGE_STATES:
        if getattr(pair, field):
            facts.append(Fact(name, human_bytes(getattr(pair, field))))
    if pair.places:
        facts.append(Fact("", f"enter shows the bytes; n goes through {len(pair.places)} places"))
    if pair.problem:
        facts.append(Fact("", signed("may-fail", printable(pair.problem))))
    return Section("Memory", facts)


def _file_facts(pair: FilePair) -> list[Fact]:
    if pair.problem:
        return [Fact("", signed("may-fail", printable(pair.problem)))]
    sizes = [human_bytes(size) for size in (pair.before_size, pair.after_size)]
    return [
        Fact("size", " → ".join(dict.fromkeys(sizes))),
        Fact("contents", changed_text(pair)),
        Fact("", f"enter shows the bytes; n goes through {human_count(len(pair.places), 'place')}"),
    ]


def memory_parts(memory: MemoryComparison) -> list[BarPart]:
    """Return the pages of both checkpoints as shares of a bar."""
    return [BarPart(name, memory.total(field), meaning) for field, meaning, name in PAGE_STATES]


ONE_DUMP = "one dump in two formats"


def summary(comparison: Comparison, files: FileComparison | None = None) -> str:
    """Return the differences counted: `2 processes the same, 1 new, 14 differences`."""
    counts = dict.fromkeys(("same", "changed", "added", "deleted"), 0)
    for pair in comparison.processes:
        counts[pair.how] += 1
    words = {"same": "the same", "changed": "changed", "added": "new", "deleted": "gone"}
    found = [f"{count} {words[how]}" for how, count in counts.items() if count]
    changes = sum(1 for _ in comparison.changes())
    changes += sum(1 for pair in other_files(comparison, files) if pair.changed)
    return f"processes: {', '.join(found) or 'none'}; {human_count(changes, 'difference')}"


def other_files(comparison: Comparison, files: FileComparison | None) -> list[FilePair]:
    """Return the files of which nothing but the contents differs."""
    if files is None or not files.files:
        return []
    known = {change.what for change in comparison.delta}
    return [pair for pair in files.files if pair.path not in known]
