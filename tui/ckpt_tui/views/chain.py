"""A chain of checkpoints as a time line: what each step changed, on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, human_count, human_duration, printable
from ckpt_tui.formats.comparing import Link, StepCounts
from ckpt_tui.views.bars import BarPart, shares
from ckpt_tui.views.difference_lines import PAGE_STATES
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import sign, signed
from ckpt_tui.views.table import Column, ListRows, Row

BAR = 18
"""Cells of the bar that says what became of the memory."""

COLUMNS = (
    Column("WHEN", width=17),
    Column("CHECKPOINT", share=2, least=14, shrink="middle"),
    Column("PROCESSES", width=12),
    Column("MEMORY CHANGED", width=BAR + 9),
    Column("FILES", width=12, optional=True),
    Column("OTHER", width=7, align="right", optional=True),
)

_SIGNS = ("added", "changed", "deleted")


def link_rows(links: Sequence[Link]) -> ListRows:
    """Return one row a checkpoint; the bars have one scale."""
    scale = max((_moved(link.counts) for link in links if link.counts), default=0)
    return ListRows(
        [
            _row(number, link, links[number - 1] if number else None, scale)
            for number, link in enumerate(links)
        ]
    )


def _row(number: int, link: Link, before: Link | None, scale: int) -> Row:
    name = printable(link.target.rpartition("/")[2] or link.target)
    if link.problem:
        return Row(number, (signed("fails"), name, "", printable(link.problem), "", ""))
    counts = link.counts
    if counts is None:
        dumped = f"{human_bytes(link.dumped)} dumped"
        plural = human_count(link.processes, "process", "processes")
        files = human_count(link.files, "file")
        return Row(number, (_when(link, None), name, plural, dumped, files, ""))
    return Row(
        number,
        (
            _when(link, before),
            name,
            signs(counts.processes),
            _memory(counts, scale),
            signs(counts.files),
            f"{counts.differences:,}" if counts.differences else "–",
        ),
    )


def _when(link: Link, before: Link | None) -> str:
    if link.checkpointed is None:
        return "time unknown"
    if before is None or before.checkpointed is None:
        return f"{link.checkpointed:%Y-%m-%d %H:%M}"
    return f"{link.checkpointed:%H:%M:%S} {elapsed(before.checkpointed, link.checkpointed)}"


def elapsed(before: datetime, after: datetime) -> str:
    """Return how much later it was: `+ 3 s`, or that it was earlier."""
    seconds = (after - before).total_seconds()
    return f"{'+' if seconds >= 0 else '−'} {human_duration(abs(seconds))}"


def signs(counts: Mapping[str, int]) -> Styled:
    """Return what came, changed and went: `+2 ~1 −3`, or `=` where nothing did."""
    found = Styled()
    for how in _SIGNS:
        if counts.get(how):
            found = styled(found, " " if found else "", (f"{sign(how)}{counts[how]:,}", how))
    return found or styled(("the same", "muted"))


def _moved(counts: StepCounts) -> int:
    return sum(counts.memory.values())


def _memory(counts: StepCounts, scale: int) -> Styled:
    """Return how many bytes differ, and the bar of all pages: the same ones, changed, new, gone."""
    if not counts.memory:
        return styled(("not compared", "muted"))
    differs = sum(counts.memory[f] for f in ("changed", "only_before", "only_after"))
    line = styled(f"{human_bytes(differs) if differs else 'none':>8} ")
    width = round(BAR * _moved(counts) / scale) if scale else 0
    amounts = [counts.memory[f] for f, _, _ in PAGE_STATES]
    for (_, meaning, _), cells in zip(PAGE_STATES, shares(amounts, width), strict=True):
        line += ("█" * cells, meaning)
    return line


def link_sections(link: Link) -> list[Section]:
    """Return everything known of one step."""
    facts = [Fact("checkpoint", printable(link.target))]
    if link.problem:
        return [Section("Step", [*facts, Fact("", signed("fails", printable(link.problem)))])]
    if link.counts is None:
        return [Section("The first", [*facts, Fact("packed", human_bytes(link.packed))])]
    facts.append(Fact("compared with", printable(link.before)))
    for label, counts in (("processes", link.counts.processes), ("files", link.counts.files)):
        facts.append(Fact(label, signs(counts)))
    if not link.counts.complete:
        facts.append(
            Fact("", signed("may-fail", "Not everything could be compared: enter shows what"))
        )
    return [Section("Step", facts)]


def memory_parts(link: Link) -> list[BarPart]:
    """Return the pages of a step as shares of a bar."""
    counts = link.counts.memory if link.counts else {}
    return [BarPart(name, counts.get(field, 0), meaning) for field, meaning, name in PAGE_STATES]


def no_memory(link: Link) -> str:
    """Return what is said where no pages of a step were compared."""
    if link.problem:
        return ""
    return "No page was compared" if link.counts else "The first checkpoint has no predecessor"
