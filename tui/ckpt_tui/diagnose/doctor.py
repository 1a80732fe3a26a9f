"""Saying why a dump or restore failed, from what its log says, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.finding import Evidence
from ckpt_tui.diagnose.linear import named_parts
from ckpt_tui.diagnose.log import Attempt, LogReading
from ckpt_tui.diagnose.log_header import version_tuple
from ckpt_tui.diagnose.log_lines import Severity
from ckpt_tui.diagnose.log_pick import (
    UNMATCHED,
    Finding,
    after_success,
    engine_error,
    findings,
    last_resort,
    picked,
    without_checks,
    without_cleanup,
)
from ckpt_tui.diagnose.log_reasons import reasons_for
from ckpt_tui.diagnose.rules import Rule, RuleClass

_OLDER_THAN_KERNEL = (
    ("vdso-rt-bounds", (4, 1), (6, 13)),
    ("sock-passcred-kernel616", (4, 2), (6, 16)),
    ("mem-madv-guard", (4, 2), (6, 13)),
    ("parasite-killed", (4, 2), (6, 13)),
    ("posix-timers", (4, 2), (6, 16)),
    ("restore-segv", (4, 2), (6, 13)),
    ("cpu-xsave-too-big", (3, 19), ()),
)
"""Cause, the CRIU that fixed it, the kernel that brought it (none: any)."""


_KERNELS = (
    ((3, 15), (5, 9)),
    ((3, 16), (5, 14)),
    ((3, 17), (5, 18)),
    ((3, 18), (6, 3)),
    ((3, 19), (6, 6)),
    ((4, 0), (6, 11)),
    ((4, 1), (6, 14)),
    ((4, 2), (6, 18)),
)
"""Versions of CRIU and the Linux there was when they came out."""

_MAY_BE_TOO_OLD = (
    *(UNMATCHED, "criu-bug", "kerndat-init", "proc-parse", "kernel-lacks", "restore-segv"),
    *("errno-einval", "errno-efault", "errno-enosys", "dump-step-failed", "parasite-infect"),
)
"""Causes behind which a kernel may be that CRIU does not know."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A finding, with the line it rests on. `text` and `context` are foreign and not cleaned."""

    id: str
    line: int
    """Counted from 1 in the log."""
    text: str
    confidence: str
    """certain, likely or possible."""
    reasons: tuple[str, ...]
    """Why it is as sure as that, a sentence each."""
    title: str
    cause: str
    fix: str
    evidence: str
    preflight: str
    source: str
    context: tuple[str, ...] = ()
    """Lines before, where no rule explains the error."""
    parts: tuple[tuple[str, str], ...] = ()
    """Names and values in the line, before it, and in those of the same cause after it; foreign."""
    templates: tuple[str, ...] = ()
    """Commands of the fix, see `fix_commands`."""
    tried: tuple[str, ...] = ()
    """Engines with which a test ran them, and saw it work."""
    commands: tuple[str, ...] = ()
    """Whole commands of the fix, in the order to be run; nothing where they cannot be whole."""
    commands_tried: bool = False
    """Whether a test has run them and seen it work."""


@dataclass(frozen=True, slots=True)
class LogNote:
    """A line that is not a cause: a consequence, or noise. `text` is foreign and not cleaned."""

    id: str
    line: int
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class LogDiagnosis:
    """What a log says."""

    root_cause: Cause | None
    """None where nothing failed, or nothing in the log says why."""
    cascade: tuple[LogNote, ...]
    """What followed from it: further causes, follow-ups, runtime messages; one per kind."""
    noise: tuple[LogNote, ...]
    attempt: Attempt
    last_line: str
    """The end of the file: the only thing an unfinished log tells."""
    lines: tuple[tuple[int, str], ...] = ()
    """The lines that matter with their numbers, see `LogReading.shown`; not cleaned."""


def diagnose_log(reading: LogReading) -> LogDiagnosis:
    """Name the root cause of the last attempt in a log, what followed from it, and the noise."""
    found = without_checks(findings(reading), reading)
    noise = [f for f in found if f.kind is RuleClass.NOISE]
    told = [f for f in found if f.kind not in (RuleClass.NOISE, RuleClass.END)]
    if reading.attempt.outcome == "succeeded":
        told = after_success(told, reading)
    root = picked(without_cleanup(told, reading), reading)
    if root is None and reading.attempt.outcome == "failed":
        root = last_resort(noise, reading)
    if root is None and reading.attempt.outcome in ("unfinished", "unknown"):
        root = engine_error(reading)
    taken = root.line if root else None
    rest = [f for f in told if f.line is not taken]
    return LogDiagnosis(
        root_cause=_cause(root, told, reading) if root else None,
        cascade=_notes(f for f in rest if root is None or f.id != root.id),
        noise=_notes(f for f in noise if f.line is not taken),
        attempt=reading.attempt,
        last_line=reading.last_line,
        lines=reading.shown(),
    )


def _cause(root: Finding, told: list[Finding], reading: LogReading) -> Cause:
    confidence, reasons = _confidence(root, told, reading)
    context = tuple(filter(None, reading.contexts.get(root.line.number, ())))
    rule = root.rule
    if rule is None:
        return Cause(
            id=UNMATCHED,
            line=root.line.number,
            text=root.line.text,
            confidence=confidence,
            reasons=reasons,
            title="An error that no rule knows",
            cause=_unknown_cause(root),
            fix=_unknown_fix(root),
            evidence="",
            preflight="",
            source=root.line.file,
            context=context,
        )
    more = [*reasons_for(rule.id, root.line, context)]
    fix = " ".join([*(r.fix for r in more if r.fix), rule.fix])
    better = next((r for r in more if r.commands), None)
    return Cause(
        id=rule.id,
        line=root.line.number,
        text=root.line.text,
        confidence=confidence,
        reasons=reasons,
        title=rule.title,
        cause=" ".join([rule.cause, *(r.cause for r in more)]),
        fix=fix,
        evidence=rule.evidence,
        preflight=rule.preflight,
        source=rule.source,
        context=context if rule.kind in (RuleClass.CASCADE, RuleClass.VAGUE) else (),
        parts=_parts(rule, root, told, context),
        templates=better.commands if better else rule.commands,
        tried=better.tried if better else rule.tried,
    )


def _parts(
    rule: Rule, root: Finding, told: list[Finding], before: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    lines = [root.line, *(f.line for f in told if f.rule is rule and f.line is not root.line)]
    near = (named_parts(rule.near, text) for text in reversed(before if rule.near else ()))
    parts: dict[str, str] = next(filter(None, near), {})
    for line in lines:
        parts = {**rule.parts(line), **parts}
    return tuple(parts.items())


def _unknown_cause(root: Finding) -> str:
    if root.line.severity is Severity.OTHER:
        return "An engine reports it; CRIU's own log is not here."
    file = root.line.file or "an unnamed file"
    return f"CRIU reports it in {file}. The lines before it are the best lead."


def _unknown_fix(root: Finding) -> str:
    if root.line.severity is Severity.OTHER:
        return (
            "Read dump.log or restore.log in the engine's work folder, or ask the engine's makers."
        )
    return "Look for the message in CRIU's issues, or report it with the whole log."


def _confidence(
    root: Finding, told: list[Finding], reading: LogReading
) -> tuple[str, tuple[str, ...]]:
    reasons: list[str] = []
    if root.kind is RuleClass.VAGUE:
        reasons.append("It rests on an error number or a general sentence alone.")
        level = "possible"
    elif root.kind in (None, RuleClass.CASCADE, RuleClass.WRAPPER):
        reasons.append("No line in the log gives a reason that is known.")
        level = "possible"
    elif root.line.severity is Severity.INFO and root.id == "img-missing":
        reasons.append("CRIU notes its absence, and then fails without a reason.")
        level = "likely"
    elif root.line.severity is Severity.INFO:
        reasons.append("CRIU tells it in passing, and then fails without a reason.")
        level = "likely"
    elif root.line.severity is Severity.WARN:
        reasons.append("It is only a warning, but nothing else in the log gives a reason.")
        level = "likely"
    elif root.line.severity is not Severity.ERROR and not reading.has_criu_lines:
        reasons.append("It is read from a message alone, without CRIU's log.")
        level = "likely"
    elif any(f.kind is None and f.line.number < root.line.number for f in told):
        reasons.append("An error that no rule knows stands before it.")
        level = "likely"
    elif reading.attempt.outcome == "failed":
        reasons.append("It is the first error of an attempt that failed.")
        level = "certain"
    else:
        reasons.append("It is the first error; the log has no final line.")
        level = "likely"
    if any(f.kind is RuleClass.HINT for f in told) and root.id.startswith(("gpu-", "mem-dev")):
        reasons.append("A warning of the plugin at the start supports it.")
    return level, (*reasons, *_version_reasons(root.id, reading))


def _version_reasons(cause_id: str, reading: LogReading) -> tuple[str, ...]:
    header = reading.attempt.header
    criu, kernel = version_tuple(header.criu), version_tuple(header.kernel)
    for rule_id, fixed_in, since in _OLDER_THAN_KERNEL:
        if rule_id == cause_id and criu and criu < fixed_in and kernel >= since:
            needs = ".".join(map(str, fixed_in))
            return (f"The log is of CRIU {header.criu}; {needs} handles it.",)
    newest = max((known for version, known in _KERNELS if version <= criu[:2]), default=())
    if newest and kernel[:2] > newest and cause_id in _MAY_BE_TOO_OLD:
        return (f"CRIU {header.criu} is older than Linux {header.kernel} and may not know it.",)
    return ()


def _notes(findings: Iterable[Finding]) -> tuple[LogNote, ...]:
    """Return one note per kind of finding; errors that no rule knows each have their own."""
    notes: dict[str, LogNote] = {}
    for found in findings:
        key = found.id if found.rule else f"{UNMATCHED}{found.line.number}"
        title = found.rule.title if found.rule else "An error that no rule knows"
        notes.setdefault(key, LogNote(found.id, found.line.number, found.line.text, title))
    return tuple(notes.values())


def to_json(diagnosis: LogDiagnosis, proof: Iterable[Evidence] = ()) -> dict[str, object]:
    """Return the diagnosis as the value that `--json` prints; `proof` is what the images of the
    checkpoint show of the cause."""
    attempt, cause = diagnosis.attempt, diagnosis.root_cause
    return {
        "root_cause": None
        if cause is None
        else {
            "id": cause.id,
            "line": cause.line,
            "text": printable(cause.text),
            "confidence": cause.confidence,
            "reasons": list(cause.reasons),
            "title": cause.title,
            "cause": cause.cause,
            "fix": cause.fix,
            "commands": [printable(command) for command in cause.commands],
            "commands_tried": cause.commands_tried,
            "evidence": cause.evidence,
            "proof": [e.document() for e in proof],
            "source": printable(cause.source),
            "context": [printable(line) for line in cause.context],
        },
        "cascade": [_note_json(note) for note in diagnosis.cascade],
        "noise": [_note_json(note) for note in diagnosis.noise],
        "attempt": {
            "number": attempt.number,
            "count": attempt.count,
            "first_line": attempt.first_line,
            "action": attempt.action,
            "outcome": attempt.outcome,
            "criu": printable(attempt.header.criu),
            "kernel": printable(attempt.header.kernel),
            "arch": printable(attempt.header.arch),
            "options": [printable(option) for option in attempt.header.options],
            "quiet": attempt.is_quiet,
        },
        "last_line": printable(diagnosis.last_line),
    }


def _note_json(note: LogNote) -> dict[str, object]:
    return {"id": note.id, "line": note.line, "text": printable(note.text), "title": note.title}
