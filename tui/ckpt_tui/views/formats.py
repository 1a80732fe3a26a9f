"""The ways to dump and to restore a checkpoint as time lines: what is moved, and how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.restore_steps import RestoreStep, Way, pulls
from ckpt_tui.convert.measure import Measured, Pull
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, human_count
from ckpt_tui.views.bars import shares
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import Column, Row, fit, plain

MEANING_OF_VERB = {
    "decompress": "metadata",
    "unpack": "pages",
    "copy": "pages",
    "apply": "delta",
    "untar": "volumes",
    "mount": "muted",
    "dump": "pages",
    "archive": "delta",
    "compress": "metadata",
}

NAME, MOVED, SECONDS = 28, 9, 7
"""Cells of the columns beside the time line."""

WIDE = 100
"""Cells from which what is read has a column of its own."""

Done = Mapping[str, Sequence[Measured]]
"""Id of a way to its steps as they were measured here."""


@dataclass(frozen=True, slots=True)
class Running:
    """The way that is just being run."""

    id: str
    seconds: float
    written: int


def are_timed(ways: Sequence[Way], done: Done) -> bool:
    """Return whether all ways were measured, so that bars are times instead of bytes."""
    return bool(ways) and all(way.id in done for way in ways)


def columns(width: int, timed: bool = False) -> tuple[Column, ...]:
    """Return the columns for a table of `width` cells."""
    wide = width >= WIDE
    line = max(12, width - NAME - MOVED * (2 if wide else 1) - SECONDS - (10 if wide else 8))
    return (
        Column("WAY", width=NAME),
        Column(f"STEPS (bar = {'time' if timed else 'bytes'})", width=line),
        Column("READ", width=MOVED, align="right", optional=True),
        Column("WRITTEN", width=MOVED, align="right"),
        Column("HERE", width=SECONDS, align="right"),
    )


def way_rows(
    ways: Sequence[Way], done: Done, line_width: int, running: Running | None = None
) -> list[Row]:
    """Return one row a way; the lines have one scale: bytes, or seconds where all are measured.
    The one that is being run has what it wrote and took so far."""
    timed = are_timed(ways, done)
    totals = [sum(_lengths(way, done, timed)) for way in ways]
    scale = max(totals, default=0)
    rows = []
    for way, total in zip(ways, totals, strict=True):
        written = sum(m.written for m in done[way.id]) if way.id in done else way.writes
        here = seconds_text(way, done)
        if running is not None and running.id == way.id:
            written, here = running.written, f"{running.seconds:.1f} s…"
        cells = (
            _name(way),
            time_line(way, _lengths(way, done, timed), total, scale, line_width),
            human_bytes(way.reads),
            human_bytes(written),
            here,
        )
        rows.append(Row(way.id, cells))
    return rows


def _name(way: Way) -> Styled:
    if way.refused:
        return signed("fails", way.name)
    return styled((way.name, "good" if way.engine in ("in place", "ckpt-tui") else ""))


def _lengths(way: Way, done: Done, timed: bool) -> list[int]:
    """Return the length of each step in microseconds, or in bytes."""
    if timed:
        return [round(measured.seconds * 1_000_000) for measured in done[way.id]]
    return [step.reads + step.writes for step in way.steps]


def seconds_text(way: Way, done: Done) -> str:
    """Return how long a way took here, empty while not measured."""
    if way.id not in done:
        return ""
    seconds = sum(measured.seconds for measured in done[way.id])
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.1f} ms"


def time_line(way: Way, lengths: Sequence[int], total: int, scale: int, width: int) -> Styled:
    """Return the steps as segments with their names in them; what moves nothing is only named."""
    line = Styled()
    room = round(width * total / scale) if scale else 0
    cells = shares(lengths, max(room, min(len(lengths), width)) if total else 0)
    for step, length in zip(way.steps, cells, strict=True):
        if length:
            line += _segment(step, length)
    if not total:
        line += (", ".join(f"{step.name}: no data moved" for step in way.steps), "muted")
    return line


def _segment(step: RestoreStep, length: int) -> Styled:
    """Return one step: its own edge, then its name or the first word of it, as it fits."""
    fitting = [name for name in (step.name, step.name.split()[0]) if len(name) < length]
    words = "│" + plain(fit("".join(fitting[:1]), length - 1))
    return styled((words, f"{MEANING_OF_VERB[step.verb]} reverse"))


def way_sections(way: Way, done: Done, why_not: str = "") -> list[Section]:
    """Return the steps of a way with what they read, write and took, or why it is not run here."""
    measured = done.get(way.id, ())
    facts = []
    for number, step in enumerate(way.steps):
        said = f"reads {human_bytes(step.reads)}, writes {human_bytes(step.writes)}"
        if number < len(measured):
            here = measured[number]
            said += f"; here {here.seconds:.3f} s, {human_bytes(here.written)} written"
            if here.left_out:
                said += f", {human_count(here.left_out, 'link or device', 'links and devices')} not"
        facts.append(Fact(step.name, said))
    if way.refused:
        facts.insert(0, Fact("", signed("fails", f"refused: {way.refused}")))
    if why_not:
        facts.append(Fact("here", why_not))
    if way.phase == "restore":
        facts.append(Fact("then", "CRIU reads its images: the same in every way, not counted"))
    return [Section(way.name, facts)]


def pull_sections(checkpoint: Checkpoint, pull: Pull | None = None) -> list[Section]:
    """Return what comes over the wire, for the legacy form and the optimized one; and what it took
    here, where it was measured."""
    legacy, optimized, measured = pulls(checkpoint)
    about = "" if measured else "at most "
    facts = [
        Fact(label, f"{human_bytes(one)} legacy, {about}{human_bytes(other)} optimized")
        for label, one, other in (
            ("to inspect", legacy.listing, optimized.listing),
            ("to restore", legacy.restore, optimized.restore),
            ("the next checkpoint", legacy.next_one, optimized.next_one),
        )
    ]
    if pull is not None:
        over = f", over a link of {pull.link}" if pull.link else ""
        said = f"{pull.seconds:.2f} s, {human_bytes(pull.received)} over the wire{over}"
        facts.append(Fact("this one, measured", said))
    return [Section("To pull", facts)]


def conclusion(ways: Sequence[Way], done: Done) -> Styled:
    """Return the first and the last way in one sentence, measured if they were."""
    ways = [way for way in ways if way.phase == "restore"]
    able = [way for way in ways if not way.refused]
    measured = [way for way in able if way.id in done]
    worst = max(measured or able, key=lambda way: _total(way, done))
    best = min(ways, key=lambda way: way.reads + way.writes)
    if worst.id in done and best.id in done:
        said = f"{seconds_text(worst, done)} by {worst.name}, {seconds_text(best, done)} in place"
    else:
        moved = human_bytes(worst.reads + worst.writes)
        said = f"{moved} moved by {worst.name}, {human_bytes(best.reads + best.writes)} in place"
    return signed("good", said)


def _total(way: Way, done: Done) -> float:
    return sum(_lengths(way, done, way.id in done))
