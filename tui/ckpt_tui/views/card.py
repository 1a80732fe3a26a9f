"""The browser's card: what a checkpoint is, and whether it would restore."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.views.details import count_line
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.overview import age, format_line, short_reference

SHOWN_FINDINGS = 3
"""Findings named on the card; d shows all."""


def card_sections(
    checkpoint: Checkpoint, diagnosis: TargetDiagnosis, now: datetime | None = None
) -> list[Section]:
    """Return what the card says of a checkpoint that was looked into: what it is, and whether it
    would restore."""
    facts = checkpoint.container
    sizes = checkpoint.sizes
    criu = checkpoint.criu
    release = f"CRIU {criu.version or (criu.at_least and f'{criu.at_least} or later') or '?'}"
    rows = [
        Fact("", format_line(checkpoint)),
        Fact("", f"{human_bytes(sizes.packed)} packed, {human_bytes(sizes.plain)} plain"),
    ]
    details = [
        ("container", facts.name),
        ("of", short_reference(facts.image)),
        ("pod", f"{facts.namespace}/{facts.pod}" if facts.pod else ""),
        ("dumped", age(facts.checkpointed, now or datetime.now(UTC))),
        ("by", f"{release}, {facts.runtime or checkpoint.format.engine}, {criu.architecture}"),
        ("inside", count_line(checkpoint)),
    ]
    return [
        Section("", rows),
        Section("", list(_verdict(diagnosis))),
        Section("", [Fact(label, printable(value)) for label, value in details if value]),
    ]


def _verdict(diagnosis: TargetDiagnosis) -> Iterator[Fact]:
    log = diagnosis.log
    if log is not None and log.root_cause is not None:
        yield Fact("", signed("fails", f"{log.attempt.action or 'restore'} failed:"))
        yield Fact("", printable(log.root_cause.title))
    yield Fact("", signed(diagnosis.verdict.sign, diagnosis.verdict.text))
    for finding in diagnosis.findings[:SHOWN_FINDINGS]:
        if finding.severity != "advice":
            yield Fact("", printable(finding.title))
