"""Naming the one reason why a dump or restore failed, from what its log says.

The earliest error that is neither noise nor the consequence of another is the reason: CRIU reports
where it fails first, and then each caller on the way out. What departs from that is in `_picked`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.log import MISSING_IMAGE, Attempt, LogReading
from ckpt_tui.diagnose.log_header import version_tuple
from ckpt_tui.diagnose.log_lines import LogLine, Severity, parse_line
from ckpt_tui.diagnose.rules import Rule, RuleClass, first_match, rule_by_id, rules

UNMATCHED = "unmatched"
"""Id of a cause that is an error no rule knows."""

_AFTER_SUCCESS = frozenset({"net-unlock-nft-busy", "gpu-cuda-no-device"})
"""What can be wrong although CRIU calls it a success: traffic still blocked, no GPU."""

_FALLBACKS = (
    (": Cannot allocate memory", "mem-enomem"),
    (": No space left on device", "storage-nospace"),
    (": Disk quota exceeded", "storage-nospace"),
)
"""Error numbers that name the cause where no rule knows the message."""

_SAME_ERROR_NUMBER_OTHER_REASON = ("cg: ", "fsnotify: ", "inotify: ")
"""Subsystems where these numbers mean something else."""

_FEW_SPINS = 3
"""Lines of reading nothing that make it a spin and no last read."""

_CALLERS_OF_HELPERS = ("net-", "mnt-tmpfs", "tcp-lock", "lsm-apparmor", "tun-")
"""Causes that a missing helper program brings about."""

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
    commands: tuple[str, ...]
    """The commands and configuration lines of `fix`, each to be copied by itself."""
    evidence: str
    preflight: str
    source: str
    context: tuple[str, ...] = ()
    """Lines before, where no rule explains the error."""


@dataclass(frozen=True, slots=True)
class Note:
    """A line that is no cause: a consequence, or noise. `text` is foreign and not cleaned."""

    id: str
    line: int
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class LogDiagnosis:
    """What a log says."""

    root_cause: Cause | None
    """None where nothing failed, or nothing in the log says why."""
    cascade: tuple[Note, ...]
    """What followed from it: further causes, follow-ups, runtime messages; one per kind."""
    noise: tuple[Note, ...]
    attempt: Attempt
    last_line: str
    """The end of the file: the only thing an unfinished log tells."""


@dataclass(frozen=True, slots=True)
class _Finding:
    line: LogLine
    rule: Rule | None
    """None for an error that no rule knows."""

    @property
    def kind(self) -> RuleClass | None:
        return self.rule.kind if self.rule else None

    @property
    def id(self) -> str:
        return self.rule.id if self.rule else UNMATCHED


def diagnose_log(reading: LogReading) -> LogDiagnosis:
    """Name the root cause of the last attempt in a log, what followed from it, and the noise."""
    findings = _findings(reading)
    noise = [f for f in findings if f.kind is RuleClass.NOISE]
    told = [f for f in findings if f.kind not in (RuleClass.NOISE, RuleClass.END)]
    if reading.attempt.outcome == "succeeded":
        told = _after_success(told, reading)
    picked = _picked(_without_cleanup(told, reading), reading)
    if picked is None and reading.attempt.outcome == "failed":
        picked = _last_resort(noise, reading)
    rest = [f for f in told if f is not picked]
    return LogDiagnosis(
        root_cause=_cause(picked, told, reading) if picked else None,
        cascade=_notes(f for f in rest if picked is None or f.id != picked.id),
        noise=_notes(f for f in noise if f is not picked),
        attempt=reading.attempt,
        last_line=reading.last_line,
    )


def _findings(reading: LogReading) -> list[_Finding]:
    found = []
    for line, following in zip_longest(reading.lines, reading.lines[1:]):
        rule = first_match(line)
        if rule is None and following:
            rule = _match_of_wrapped(line, following)
        if rule is None and not reading.has_criu_lines:
            rule = next((r for r in rules() if r.matches_excerpt(line)), None)
        if rule is None and line.severity is Severity.ERROR:
            rule = _fallback(line)
        if rule is not None or line.severity is Severity.ERROR:
            found.append(_Finding(line, rule))
    return found


def _match_of_wrapped(line: LogLine, following: LogLine) -> Rule | None:
    """Match an error whose end a terminal put on the next line, in a log that was pasted."""
    is_rest = following.number == line.number + 1 and following.severity is Severity.OTHER
    if line.severity is not Severity.ERROR or not is_rest:
        return None
    return first_match(parse_line(line.number, line.text + following.text))


def _fallback(line: LogLine) -> Rule | None:
    if line.message.startswith(_SAME_ERROR_NUMBER_OTHER_REASON):
        return None
    for ending, rule_id in _FALLBACKS:
        if line.message.endswith(ending):
            return rule_by_id(rule_id)
    return None


def _after_success(told: list[_Finding], reading: LogReading) -> list[_Finding]:
    """Leave what counts in spite of success: little, and what the engine said afterwards."""
    end = max((n.number for n in reading.lines if "finished succ" in n.text), default=0)
    return [
        f
        for f in told
        if f.rule is not None
        and (f.id in _AFTER_SUCCESS or (f.rule.phase == "runtime" and f.line.number > end))
    ]


def _without_cleanup(told: list[_Finding], reading: LogReading) -> list[_Finding]:
    """Drop the errors after CRIU began to clear up, if there was one before."""
    start = next((n.number for n in reading.lines if "to clean ghosts" in n.text), None)
    before = [f for f in told if start is None or f.line.number < start]
    has_reason = any(f.kind not in (RuleClass.HINT, RuleClass.WRAPPER) for f in before)
    return before if has_reason else told


def _picked(told: list[_Finding], reading: LogReading) -> _Finding | None:
    """Choose the finding that is the root.

    A timeout gives way to the plugin it interrupted. A spin counts unless an error came before
    it. A missing helper program counts unless the first cause has nothing to do with it. An error
    no rule knows goes before rows that always follow from something, and after known causes.
    """
    causes = [f for f in told if f.kind in (RuleClass.CAUSE, RuleClass.RESOURCE)]
    if reading.spin_count < _FEW_SPINS and len(causes) > 1:
        causes = [f for f in causes if f.id != "pages-short-spin"]
    first = next(iter(causes), None)
    if first and first.id == "dump-timeout":
        first = next((f for f in causes if f.rule and f.rule.subsystem == "gpu"), first)
    helper = next((f for f in told if f.kind is RuleClass.HELPER), None)
    if helper and (first is None or _is_behind(helper, first)):
        return helper
    unknown = next((f for f in told if f.kind is None), None)
    if first is None and unknown:
        return unknown
    if (first is None or first.id == "restore-segv") and (missing := _missing_image(reading)):
        return missing
    for kind in (RuleClass.CASCADE, RuleClass.WRAPPER):
        first = first or next((f for f in told if f.kind is kind), None)
    return first


def _missing_image(reading: LogReading) -> _Finding | None:
    """Find the image whose absence CRIU mentions in passing, where it then fails without a word.

    Descriptors lie in files.img or, in dumps of old versions, in reg-files.img and others.
    """
    if reading.attempt.outcome != "failed":
        return None
    told = [(MISSING_IMAGE.match(line.message), line) for line in reading.lines]
    absent = {name[1]: line for name, line in told if name and line.severity is Severity.INFO}
    if "reg-files.img" not in absent:
        absent.pop("files.img", None)
    absent.pop("reg-files.img", None)
    line = next(iter(absent.values()), None)
    return _Finding(line, rule_by_id("img-missing")) if line else None


def _is_behind(helper: _Finding, cause: _Finding) -> bool:
    return helper.line.number < cause.line.number and cause.id.startswith(_CALLERS_OF_HELPERS)


def _last_resort(noise: list[_Finding], reading: LogReading) -> _Finding | None:
    """Return what is left of a failure without a reason: its last noise, else its last word."""
    if noise:
        return _Finding(noise[-1].line, None)
    ends = [n for n in reading.lines if n.severity is Severity.ERROR]
    return _Finding(ends[-1], None) if ends else None


def _cause(picked: _Finding, told: list[_Finding], reading: LogReading) -> Cause:
    confidence, reasons = _confidence(picked, told, reading)
    rule = picked.rule
    if rule is None:
        return Cause(
            id=UNMATCHED,
            line=picked.line.number,
            text=picked.line.text,
            confidence=confidence,
            reasons=reasons,
            title="An error that no rule knows",
            cause=f"CRIU reports it in {picked.line.file or 'an unnamed file'}. The lines before "
            "it are the best lead.",
            fix="Look for the message in CRIU's issues, or report it with the whole log.",
            commands=(),
            evidence="",
            preflight="",
            source=picked.line.file,
            context=reading.contexts.get(picked.line.number, ()),
        )
    return Cause(
        id=rule.id,
        line=picked.line.number,
        text=picked.line.text,
        confidence=confidence,
        reasons=reasons,
        title=rule.title,
        cause=rule.cause,
        fix=rule.fix,
        commands=rule.commands,
        evidence=rule.evidence,
        preflight=rule.preflight,
        source=rule.source,
    )


def _confidence(
    picked: _Finding, told: list[_Finding], reading: LogReading
) -> tuple[str, tuple[str, ...]]:
    reasons: list[str] = []
    if picked.kind in (None, RuleClass.CASCADE, RuleClass.WRAPPER):
        reasons.append("No line in the log gives a reason that is known.")
        level = "possible"
    elif picked.line.severity is Severity.INFO and picked.id == "img-missing":
        reasons.append("CRIU notes its absence, and then fails without a reason.")
        level = "likely"
    elif picked.line.severity is not Severity.ERROR and not reading.has_criu_lines:
        reasons.append("It is read from a message alone, without CRIU's log.")
        level = "likely"
    elif any(f.kind is None and f.line.number < picked.line.number for f in told):
        reasons.append("An error that no rule knows stands before it.")
        level = "likely"
    elif reading.attempt.outcome == "failed":
        reasons.append("It is the first error of an attempt that failed.")
        level = "certain"
    else:
        reasons.append("It is the first error; the log has no final line.")
        level = "likely"
    if any(f.kind is RuleClass.HINT for f in told) and picked.id.startswith(("gpu-", "mem-dev")):
        reasons.append("A warning of the plugin at the start supports it.")
    return level, (*reasons, *_version_reasons(picked.id, reading))


def _version_reasons(cause_id: str, reading: LogReading) -> tuple[str, ...]:
    criu = version_tuple(reading.attempt.header.criu)
    kernel = version_tuple(reading.attempt.header.kernel)
    for rule_id, fixed_in, since in _OLDER_THAN_KERNEL:
        if rule_id == cause_id and criu and criu < fixed_in and kernel >= since:
            needs = ".".join(map(str, fixed_in))
            return (f"The log is of CRIU {reading.attempt.header.criu}; {needs} handles it.",)
    return ()


def _notes(findings: Iterable[_Finding]) -> tuple[Note, ...]:
    """Return one note per kind of finding; errors that no rule knows each have their own."""
    notes: dict[str, Note] = {}
    for found in findings:
        key = found.id if found.rule else f"{UNMATCHED}{found.line.number}"
        title = found.rule.title if found.rule else "An error that no rule knows"
        notes.setdefault(key, Note(found.id, found.line.number, found.line.text, title))
    return tuple(notes.values())


def to_json(diagnosis: LogDiagnosis) -> dict[str, object]:
    """Return the diagnosis as the value that `--json` prints."""
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
            "commands": list(cause.commands),
            "evidence": cause.evidence,
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
        },
        "last_line": printable(diagnosis.last_line),
    }


def _note_json(note: Note) -> dict[str, object]:
    return {"id": note.id, "line": note.line, "text": printable(note.text), "title": note.title}
