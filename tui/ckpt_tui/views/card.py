"""The browser's card: what a checkpoint is, and whether it would restore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.diagnose import host
from ckpt_tui.diagnose.fix_commands import diagnose_with_commands
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.fetching import raise_unasked
from ckpt_tui.formats.logs import open_log
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.details import count_line
from ckpt_tui.views.diagnosis import log_sections
from ckpt_tui.views.facts import Fact, Section, known
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.overview import age, component_parts, format_line, release, short_reference

SHOWN_FINDINGS = 3
"""Findings named on the card; d shows all."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the card shows of a checkpoint, which itself may be large and is not kept open."""

    sections: Sequence[Section]
    parts: Sequence[BarPart] = ()
    """Of the bar below."""


def card_of(entry: Entry, progress: Progress) -> Card:
    """Read a checkpoint or a log, check it, and close it again. The base image is not looked for:
    that takes longer than the cursor rests on a line.

    Raises:
        CkptError: it cannot be read.
    """
    return _log_card(entry.target, progress) if entry.kind is Kind.LOG else _card(entry, progress)


def _card(entry: Entry, progress: Progress) -> Card:
    opened = open_checkpoint(entry.target, progress, before_fetching=raise_unasked, locked=True)
    try:
        checkpoint = opened.load(progress)
        diagnosis = diagnose_opened(opened, checkpoint, progress, host.this_host())
        return Card(card_sections(checkpoint, diagnosis), component_parts(checkpoint))
    finally:
        opened.close()


def _log_card(path: str, progress: Progress) -> Card:
    window = open_log(path)
    try:
        return Card(log_sections(path, diagnose_with_commands(read_log(window, progress), path)))
    finally:
        window.close()


def card_sections(
    checkpoint: Checkpoint, diagnosis: TargetDiagnosis, now: datetime | None = None
) -> list[Section]:
    """Return what the card says of a checkpoint that was looked into: what it is, and whether it
    would restore."""
    facts = checkpoint.container
    sizes = checkpoint.sizes
    criu = checkpoint.criu
    by = release(criu) or "?", facts.runtime or checkpoint.format.engine, criu.architecture
    rows = [
        Fact("", format_line(checkpoint)),
        Fact("", f"{human_bytes(sizes.packed)} packed, {human_bytes(sizes.plain)} plain"),
    ]
    details = known(
        ("container", printable(facts.name)),
        ("of", printable(short_reference(facts.image))),
        ("pod", printable(f"{facts.namespace}/{facts.pod}") if facts.pod else ""),
        ("dumped", age(facts.checkpointed, now or datetime.now(UTC))),
        ("by", printable(f"CRIU {', '.join(by)}")),
        ("inside", count_line(checkpoint)),
    )
    return [Section("", rows), Section("", list(_verdict(diagnosis))), Section("", details)]


def _verdict(diagnosis: TargetDiagnosis) -> Iterator[Fact]:
    log = diagnosis.log
    if log is not None and log.root_cause is not None:
        yield Fact("", signed("fails", f"{log.attempt.action or 'restore'} failed:"))
        yield Fact("", printable(log.root_cause.title))
    yield Fact("", signed(diagnosis.verdict.sign, diagnosis.verdict.text))
    for finding in diagnosis.findings[:SHOWN_FINDINGS]:
        if finding.severity != "advice":
            yield Fact("", printable(finding.title))
