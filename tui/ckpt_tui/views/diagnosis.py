"""A diagnosis in words: the reason first, then the proof, then the fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.doctor import Cause, LogDiagnosis, LogNote
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.log import Attempt
from ckpt_tui.diagnose.target import TargetDiagnosis
from ckpt_tui.diagnose.where import KEEP_LOG, LogPlace
from ckpt_tui.views.facts import Fact, Section, and_more
from ckpt_tui.views.links import Lead
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import Column, Row

COMMAND = "strong"
"""Style of a command."""

SHOWN_NOTES = 12
"""Follow-ups and noise lines listed of each; the log has the others."""


QUIET = (
    "No failure found, but the log has only errors and warnings, and not the end of the attempt. "
    "To have the rest: -v4 for criu; the line verbosity 4 in /etc/criu/runc.conf for runc and all "
    "engines that use it (podman, containerd, CRI-O, Docker); newer crun with CRIU 4.2 reads "
    "/etc/criu/crun.conf instead."
)
"""What a log at CRIU's default verbosity leaves open."""


def legible(line: str) -> str:
    """Return a line of a log to be shown; CRIU indents with tabs."""
    return printable(line.expandtabs(4))


def log_sections(
    name: str, diagnosis: LogDiagnosis, evidence: Sequence[Evidence] = ()
) -> list[Section]:
    """Return what a log says, the cause first. `name` is what it is called, `evidence` what the
    checkpoint itself proves it by."""
    cause = diagnosis.root_cause
    if cause is None:
        sections = [Section("", [_no_cause(diagnosis)])]
    else:
        sections = [
            Section("It failed because", list(_cause(cause))),
            Section("Proof in the images", [_proof(e) for e in evidence]),
            Section("Fix", list(_fix(cause))),
            Section("Before it in the log", [Fact("", legible(c)) for c in cause.context]),
        ]
    return [
        *sections,
        Section("Log", list(_attempt(name, diagnosis.attempt))),
        Section("Consequences" if cause else "Other errors", _notes(diagnosis.cascade)),
        Section("Noise: in healthy logs too", _notes(diagnosis.noise)),
    ]


def _attempt(name: str, attempt: Attempt) -> Iterator[Fact]:
    which = f", attempt {attempt.number} of {attempt.count}" if attempt.count > 1 else ""
    yield Fact("name", printable(name) + which)
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
        text = "The log ends early: CRIU was killed, the disk was full, or the copy is truncated."
        return Fact("last line", signed("may-fail", f"{text} {printable(diagnosis.last_line)}"))
    if diagnosis.attempt.is_quiet:
        return Fact("", signed("unknown", QUIET))
    return Fact("", signed("unknown", "The log does not say why."))


def _cause(cause: Cause) -> Iterator[Fact]:
    yield Fact("", signed("fails", printable(cause.title)))
    yield Fact(f"line {cause.line}", legible(cause.text))
    yield Fact("why", cause.cause)
    if cause.evidence and cause.evidence != "none":
        yield Fact("look at", cause.evidence)
    reasons = f": {' '.join(cause.reasons)}" if cause.reasons else ""
    yield Fact("confidence", f"{cause.confidence}{reasons}")
    if cause.source:
        yield Fact("source", printable(cause.source))


def _proof(evidence: Evidence) -> Fact:
    return Fact("", printable(evidence.text), link=evidence.link)


def _fix(cause: Cause) -> Iterator[Fact]:
    if cause.fix:
        yield Fact("", cause.fix.replace("`", ""))
    for command in cause.commands:
        yield Fact("copy", printable(command))
    if cause.commands and not cause.commands_tried:
        yield Fact("", "These commands were not tried.")


def _notes(notes: tuple[LogNote, ...]) -> list[Fact]:
    facts = [Fact(f"line {n.line}", legible(f"{n.title}: {n.text}")) for n in notes[:SHOWN_NOTES]]
    return facts + and_more(len(notes) - SHOWN_NOTES)


def links_of(evidence: Iterable[Evidence]) -> list[Lead]:
    """Return where pieces of evidence lead."""
    return [Lead(printable(e.text), e.link) for e in evidence if e.link]


COLUMNS = (
    Column("", width=1),
    Column("FINDING", share=3, least=40),
    Column("WHERE", width=18, shrink="middle", optional=True),
)

LOG = "log"
"""Key of the row that stands for the log."""

RESTORE = "restore"
"""Key of the row with the ways to restore."""


def diagnosis_rows(diagnosis: TargetDiagnosis) -> list[Row]:
    """Return one row for the log, if it has a failure, one for each finding, and one with the
    ways to restore."""
    rows = []
    if diagnosis.log is not None and diagnosis.log.attempt.outcome != "succeeded":
        cause = diagnosis.log.root_cause
        title = printable(cause.title) if cause else "The log does not say why"
        meaning = "fails" if cause else "unknown"
        rows.append(
            Row(
                key=LOG,
                cells=(signed(meaning), styled((title, "strong")), printable(diagnosis.log_name)),
            )
        )
    for index, finding in enumerate(diagnosis.findings):
        cells = (_mark(finding), printable(finding.title), printable(finding.where))
        rows.append(Row(key=index, cells=cells))
    rows.append(Row(key=RESTORE, cells=("→", styled(("How to restore it", "strong")), "")))
    return rows


def is_problem(diagnosis: TargetDiagnosis, key: object) -> bool:
    """Return whether a row tells of a problem, and not of advice or how to restore."""
    if isinstance(key, int):
        return diagnosis.findings[key].severity != "advice"
    return key == LOG


def evidence_of(diagnosis: TargetDiagnosis, key: object) -> tuple[Evidence, ...]:
    """Return what a row rests on."""
    if key == LOG:
        return diagnosis.proof
    return diagnosis.findings[key].evidence if isinstance(key, int) else ()


def problem_keys(diagnosis: TargetDiagnosis) -> frozenset[Ref]:
    """Return the keys of the rows, in whatever tab, that something fails at."""
    bad = [f.evidence for f in diagnosis.findings if f.severity != "advice"]
    return frozenset(
        link.ref for evidence in (*bad, diagnosis.proof) for link in links_of(evidence)
    )


def _mark(finding: Finding) -> Styled:
    """Return the sign of a finding; advice has a dot."""
    return styled(("•", "muted")) if finding.severity == "advice" else signed(finding.severity)


def sections_of(diagnosis: TargetDiagnosis, key: object) -> list[Section]:
    """Return what a row stands for in full."""
    if key == LOG and diagnosis.log is not None:
        return log_sections(diagnosis.log_name, diagnosis.log, diagnosis.proof)
    if isinstance(key, int):
        return finding_sections(diagnosis.findings[key])
    return restore_sections(diagnosis) if key == RESTORE else []


def restore_sections(diagnosis: TargetDiagnosis) -> list[Section]:
    """Return how each engine restores the checkpoint, or why it does not take it."""
    sections = []
    for way in diagnosis.restore:
        facts = [Fact("", styled((printable(c), COMMAND))) for c in way.commands]
        facts += [Fact("", printable(n.replace("`", ""))) for n in way.notes]
        if way.refusal:
            facts.append(Fact("", signed("fails", printable(way.refusal.replace("`", "")))))
        sections.append(Section(f"With {way.engine}", facts))
    unseen = [Fact("", printable(text)) for text in diagnosis.verdict.unseen]
    return [
        *([Section("Not looked at", unseen)] if unseen else []),
        *sections,
        *(Section(f"The log of {p.engine}", _place(p)) for p in diagnosis.log_places),
    ]


def _place(place: LogPlace) -> list[Fact]:
    """Return where a log would be, as none was found."""
    facts = [Fact("in" if not n else "or in", path) for n, path in enumerate(place.restore)]
    facts.append(Fact("", place.note.replace("`", "")))
    if place.config:
        facts.append(Fact("keep it", f"with these lines in {place.config}:"))
        facts += [Fact("copy", line) for line in KEEP_LOG]
    return facts


def finding_sections(finding: Finding) -> list[Section]:
    """Return one finding: what, why, confidence, evidence, the fix."""
    head = styled(_mark(finding), " ", (printable(finding.title), "strong"))
    return [
        Section("", [Fact("", head), Fact("", printable(finding.why))]),
        Section("Proof", [Fact("", printable(e.text), link=e.link) for e in finding.evidence]),
        Section("Fix", [Fact("", printable(finding.cure.replace("`", "")))]),
        Section(
            "",
            [
                Fact("confidence", finding.certainty),
                *([Fact("in", printable(finding.where))] if finding.where else []),
                Fact("id", finding.id),
            ],
        ),
    ]


def cure_of(diagnosis: TargetDiagnosis, key: object) -> str:
    """Return the command that fixes it, to be copied: the first one if there are several."""
    if key == LOG and diagnosis.log is not None and diagnosis.log.root_cause is not None:
        cause = diagnosis.log.root_cause
        return cause.commands[0] if cause.commands else cause.fix
    if key == RESTORE:
        return "\n".join(diagnosis.restore[0].commands) if diagnosis.restore else ""
    if isinstance(key, int):
        cure = diagnosis.findings[key].cure
        return cure.split("`")[1] if cure.count("`") >= 2 else cure
    return ""
