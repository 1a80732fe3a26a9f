"""A diagnosis in words: the reason first, then the proof, then the cure."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.doctor import Cause, LogDiagnosis, Note
from ckpt_tui.diagnose.log import Attempt
from ckpt_tui.ui.rows.facts import Fact, Section
from ckpt_tui.ui.rows.meanings import signed

SHOWN_NOTES = 12
"""Follow-ups and noise lines listed of each; the log has the others."""


def log_sections(name: str, diagnosis: LogDiagnosis) -> list[Section]:
    """Return what a log says. `name` is what it is called."""
    cause = diagnosis.root_cause
    sections = [Section("", list(_attempt(name, diagnosis.attempt)))]
    if cause is None:
        sections.append(Section("", [_no_cause(diagnosis)]))
    else:
        sections += [
            Section("It failed because", list(_cause(cause))),
            Section("Cure", list(_cure(cause))),
            Section("Before it in the log", [Fact("", printable(c)) for c in cause.context]),
        ]
    return [
        *sections,
        Section("Followed from it" if cause else "Other errors", _notes(diagnosis.cascade)),
        Section("Noise: in healthy logs too", _notes(diagnosis.noise)),
    ]


def _attempt(name: str, attempt: Attempt) -> Iterator[Fact]:
    which = f", attempt {attempt.number} of {attempt.count}" if attempt.count > 1 else ""
    yield Fact("log", printable(name) + which)
    words = f"{attempt.action or 'dump or restore'} {attempt.outcome}"
    meaning = {"succeeded": "good", "failed": "fails"}.get(attempt.outcome, "may-fail")
    yield Fact("outcome", signed(meaning, words))
    header = attempt.header
    if header.criu or header.kernel:
        host = f"Linux {header.kernel} {header.arch}".strip() if header.kernel else ""
        yield Fact("by", printable(", ".join(filter(None, (f"CRIU {header.criu}", host)))))
    if header.options:
        yield Fact("options", printable(" ".join(header.options)))


def _no_cause(diagnosis: LogDiagnosis) -> Fact:
    if diagnosis.attempt.outcome == "succeeded":
        return Fact("", signed("good", "Nothing failed."))
    if diagnosis.attempt.outcome == "unfinished":
        text = "The log just ends: CRIU was killed, the disk was full, or the copy is cut."
        return Fact("last line", signed("may-fail", f"{text} {printable(diagnosis.last_line)}"))
    return Fact("", signed("unknown", "The log does not say why."))


def _cause(cause: Cause) -> Iterator[Fact]:
    yield Fact("", signed("fails", printable(cause.title)))
    yield Fact(f"line {cause.line}", printable(cause.text))
    yield Fact("why", cause.cause)
    if cause.evidence and cause.evidence != "none":
        yield Fact("look at", cause.evidence)
    reasons = f": {' '.join(cause.reasons)}" if cause.reasons else ""
    yield Fact("sure", f"{cause.confidence}{reasons}")
    if cause.source:
        yield Fact("source", printable(cause.source))


def _cure(cause: Cause) -> Iterator[Fact]:
    if cause.fix:
        yield Fact("", cause.fix.replace("`", ""))
    for command in cause.commands:
        yield Fact("copy", command)


def _notes(notes: tuple[Note, ...]) -> list[Fact]:
    facts = [Fact(f"line {n.line}", printable(f"{n.title}: {n.text}")) for n in notes[:SHOWN_NOTES]]
    if len(notes) > SHOWN_NOTES:
        facts.append(Fact("", f"and {len(notes) - SHOWN_NOTES} more"))
    return facts
