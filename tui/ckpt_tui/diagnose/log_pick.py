"""Choosing the one line of a log that is the reason, among all that CRIU and engines complained of.

The earliest error that is neither noise nor the consequence of another is the reason: CRIU reports
where it fails first, and then each caller on the way out. What departs from that is in `picked`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.diagnose.errnos import errno_of, rule_of_errno
from ckpt_tui.diagnose.linear import is_in
from ckpt_tui.diagnose.log import MISSING_IMAGE, LogReading
from ckpt_tui.diagnose.log_lines import LogLine, Severity, parse_line
from ckpt_tui.diagnose.rules import (
    Rule,
    RuleClass,
    first_match,
    match_of_excerpt,
    matching,
    optional_rule,
    rule_by_id,
)

UNMATCHED = "unmatched"
"""Id of a cause that is an error no rule knows."""

_AFTER_SUCCESS = frozenset({"net-unlock-nft-busy", "gpu-cuda-no-device"})
"""What can be wrong although CRIU calls it a success: traffic still blocked, no GPU."""

_OTHER_REASONS = ("ENOMEM", "ENOSPC", "EDQUOT")
_OF_OTHER_REASONS = ("cg: ", "fsnotify: ", "inotify: ")
"""Subsystems where these numbers mean something else than memory and space."""

_FEW_SPINS = 3
"""Lines of reading nothing that make it a spin and no last read."""

_PROBES = re.compile(
    r"Lazy pages are not available|Can't open sysctl net/ipv4/tcp_|retrieve restore tid: |"
    r"Diag module missing"
)
"""What CRIU and its plugins also complain of while they look around before the work."""

_SEIZE_REFUSED = re.compile(r"Unable to interrupt task: \d+ \(Operation not permitted\)")
"""The warning about a task that is traced already, or may not be; also about one that just ends."""

_CALLERS_OF_HELPERS = ("net-", "mnt-tmpfs", "tcp-lock", "lsm-apparmor", "tun-")
"""Causes that a missing helper program brings about."""

_UNKNOWN = (None, RuleClass.VAGUE)
"""Kinds of errors that go after those which a rule knows."""

_TELLING_STEPS = ("restore-late-failure", "kerndat-init")
"""Follow-ups that say more of the reason than an error number does."""

_SOUNDS_BAD = (
    r"(?i)\b(?:can'?t|cannot|unable to|fail(?:ed|s)|could ?n[o']t|refused|denied|invalid|"
    r"not (?:found|supported|permitted|allowed|exist)|no such|already (?:exists|in use)|missing)\b"
)
"""What a line holds that complains, whatever its severity."""

_COMPLAINS = r"^\s*(?:[\w-]{1,24}: )?(?:Can't|Cannot|Unable to|Failed|Couldn't)\b"
"""How a message begins that complains without being marked as an error."""

_NEXT_LINES = 12
"""Lines within which CRIU complains of what was not in an image."""

_WIDTH = 60
"""Characters below which a line is not one that a terminal broke."""

_RAGGED = 24
"""Characters by which a line's rest may be longer than its start, where words are kept whole."""

_FIRST_IMAGES = ("inventory.img", "pstree.img")
_NEW_TMPFS = "tmpfs-dev-"
"""What CRIU looks for before the name that versions before 1.3 gave it."""

_CHECKED = re.compile(r"\bLooks good(?:\.| but some kernel features are missing)")
_PUT_IN = (re.compile(r"\*\*"), re.compile(r"(?<=\w) {2,64}(?=\w)"))
"""What Markdown or a copy from an editor's screen puts between letters."""

_ENGINE_ERROR = re.compile(
    r"(?:^|[\s:\"'`|>*])(?:[Ee]rror(?: response from daemon)?: |(?:ERRO|FATA)\[)|"
    r"\b(?:level|lvl)=(?:error|eror|fatal)\b",
    re.ASCII,
)

_CUT_HEAD = re.compile(r"(?:Error|Warn)\s{0,2}\(?[\w./+-]*(?::\d*)?\)?:?$", re.ASCII)
_HEAD_LENGTH = 100
_REST_MARKS = re.compile(r"^[\s>]*")


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of a log that a rule knows, or an error."""

    line: LogLine
    rule: Rule | None
    """None for an error that no rule knows."""

    @property
    def kind(self) -> RuleClass | None:
        """What the line is worth; None for an error that no rule knows."""
        return self.rule.kind if self.rule else None

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id if self.rule else UNMATCHED


def findings(reading: LogReading) -> list[Finding]:
    """Return what the lines of a log say, in their order."""
    found = []
    for line in reading.lines:
        rule = first_match(line)
        line, rule = _of_wrapped(line, rule, reading.rests.get(line.number, ()))
        if not reading.has_criu_lines and (rule is None or rule.kind is RuleClass.WRAPPER):
            rule = match_of_excerpt(line) or rule
        if rule is None and line.severity is Severity.ERROR:
            rule = _of_repaired(line) or _fallback(line)
        if rule is not None or line.severity is Severity.ERROR:
            found.append(Finding(line, rule))
    return found


def _of_wrapped(
    line: LogLine, rule: Rule | None, rest: tuple[str, ...]
) -> tuple[LogLine, Rule | None]:
    """Match a line whose end stands on the next ones, as in what was pasted from a terminal.

    What a line alone seems to be is worth less: the words that tell may be in its rest.
    """
    is_cut = (
        line.severity is Severity.ERROR or _CUT_HEAD.search(line.text[-_HEAD_LENGTH:]) is not None
    )
    is_told = rule is not None and rule.kind not in (RuleClass.WRAPPER, RuleClass.VAGUE)
    if not is_cut and (line.severity is not Severity.OTHER or is_told or len(line.text) < _WIDTH):
        return line, rule
    if rule is not None and len(line.text) < _WIDTH:
        return line, rule
    wholes = [parse_line(line.number, text) for text in _joined(line, rest)]
    for whole in wholes:
        found = first_match(whole) or _of_repaired(whole)
        if found is not None and found is not rule:
            return whole, found
    if line.severity is Severity.ERROR:
        numbered = (_fallback(whole) for whole in (line, *wholes))
        return line, rule or next(filter(None, numbered), None)
    return next((whole for whole in wholes if whole.severity is Severity.ERROR), line), rule


def _of_repaired(line: LogLine) -> Rule | None:
    """Match an error without what was put between its letters."""
    if line.severity is not Severity.ERROR:
        return None
    texts = (put_in.sub("", line.text) for put_in in _PUT_IN)
    changed = (parse_line(line.number, text) for text in texts if text != line.text)
    return next((rule for whole in changed if (rule := first_match(whole))), None)


def _joined(line: LogLine, rest: tuple[str, ...]) -> Iterator[str]:
    """Put lines together, as broken anywhere and then as broken where a space was."""
    for glue in ("", " "):
        text = line.text
        for more in rest:
            if len(more) > len(line.text) + _RAGGED:
                break
            text += glue + _REST_MARKS.sub("", more.rstrip())
            yield text


def _fallback(line: LogLine) -> Rule | None:
    """Return the rule of the error number, where no rule knows the message."""
    number = errno_of(line)
    if number in _OTHER_REASONS and line.message.startswith(_OF_OTHER_REASONS):
        return None
    return optional_rule(rule_of_errno(number))


def after_success(told: list[Finding], reading: LogReading) -> list[Finding]:
    """Leave what counts in spite of success: little, and what the engine said afterwards."""
    end = max((n.number for n in reading.lines if "finished succ" in n.text), default=0)
    return [
        f
        for f in told
        if f.rule is not None
        and (f.id in _AFTER_SUCCESS or (f.rule.phase == "runtime" and f.line.number > end))
    ]


def without_checks(found: list[Finding], reading: LogReading) -> list[Finding]:
    """Drop what `criu check` complained of before it said that all looks good."""
    end = max((n.number for n in reading.lines if _CHECKED.search(n.text)), default=0)
    return [f for f in found if f.line.number > end or "cr-check" not in f.line.file]


def without_cleanup(told: list[Finding], reading: LogReading) -> list[Finding]:
    """Drop the errors after CRIU began to clear up, if there was one before."""
    start = next((n.number for n in reading.lines if "to clean ghosts" in n.text), None)
    before = [f for f in told if start is None or f.line.number < start]
    has_reason = any(f.kind not in (RuleClass.HINT, RuleClass.WRAPPER) for f in before)
    return before if has_reason else told


def picked(told: list[Finding], reading: LogReading) -> Finding | None:
    """Choose the finding that is the root.

    A complaint of a probe counts if nothing else does. A timeout gives way to the plugin it
    interrupted. A spin counts unless an error came before it. A missing helper program counts
    unless the first cause has nothing to do with it. An error no rule knows goes after known
    causes, and before rows that always follow from something.
    """
    causes = [f for f in told if f.kind in (RuleClass.CAUSE, RuleClass.RESOURCE)]
    causes = [f for f in causes if not _is_probe(f)] or causes
    if reading.spin_count < _FEW_SPINS and len(causes) > 1:
        causes = [f for f in causes if f.id != "pages-short-spin"]
    first = next(iter(causes), None)
    if first and first.id == "dump-timeout":
        first = next((f for f in causes if f.rule and f.rule.subsystem == "gpu"), first)
    helper = next((f for f in told if f.kind is RuleClass.HELPER), None)
    if helper and (first is None or _is_behind(helper, first)):
        return helper
    suspect = first or _unknown(told)
    missing = _missing_image(reading, is_crash=suspect is None)
    if missing and (suspect is None or _comes_of(missing, suspect)):
        return missing
    if suspect:
        return suspect
    return next((f for f in told if f.kind is RuleClass.CASCADE), None) or _wrapper(told)


def _wrapper(told: list[Finding]) -> Finding | None:
    """Return what the runtime says before what the engine around it says."""
    wrappers = [f for f in told if f.kind is RuleClass.WRAPPER]
    return min(wrappers, key=lambda f: f.id == "rt-engine-wraps", default=None)


def _comes_of(missing: Finding, suspect: Finding) -> bool:
    """Tell whether an error is only that an image is missing, in other words."""
    if suspect.id == "restore-segv":
        return True
    is_vague = suspect.id == "img-inconsistent" or suspect.kind in (*_UNKNOWN, RuleClass.CASCADE)
    if not is_vague or suspect.line.pid != missing.line.pid:
        return False
    lines = suspect.line.number - missing.line.number
    # a parent has no page map of a process that is younger
    is_surely = suspect.line.pid is not None and "pagemap-" not in missing.line.message
    return lines > 0 and (is_surely or lines <= _NEXT_LINES)


def _is_probe(found: Finding) -> bool:
    return found.line.pid is None and _PROBES.search(found.line.message) is not None


def _is_behind(helper: Finding, cause: Finding) -> bool:
    return helper.line.number < cause.line.number and cause.id.startswith(_CALLERS_OF_HELPERS)


def _unknown(told: list[Finding]) -> Finding | None:
    """Return the first error that no rule knows, under the id of the step which it stopped.

    The step is named by the follow-up after it. A follow-up before it is not a follow-up.
    """
    errors = [f for f in told if f.kind in (*_UNKNOWN, RuleClass.CASCADE)]
    unknown = next((f for f in errors if f.kind in _UNKNOWN), None)
    if unknown is None or errors[0] is not unknown:
        return errors[0] if unknown else None
    steps = [f for f in errors if f.kind is RuleClass.CASCADE and f.id != "restore-killed-9"]
    if unknown.rule is not None:
        telling = (f.rule for f in steps if f.id in _TELLING_STEPS)
        return Finding(unknown.line, next(telling, unknown.rule))
    numbered = (optional_rule(rule_of_errno(errno_of(step.line))) for step in steps)
    rule = next(filter(None, numbered), steps[0].rule if steps else None)
    return Finding(unknown.line, rule)


def _missing_image(reading: LogReading, *, is_crash: bool) -> Finding | None:
    """Find the image whose absence CRIU mentions in passing, where it then fails without a word.

    Descriptors lie in files.img or, in dumps of old versions, in reg-files.img and others; so
    does the content of a tmpfs.
    """
    if reading.attempt.outcome == "succeeded":
        return None
    silent = (Severity.INFO, Severity.OTHER)
    told = [(MISSING_IMAGE.search(line.message), line) for line in reading.lines]
    absent = {name[1]: line for name, line in told if name and line.severity in silent}
    if "reg-files.img" not in absent:
        absent.pop("files.img", None)
    absent.pop("reg-files.img", None)
    if not any(name.startswith("tmpfs-") and not name.startswith(_NEW_TMPFS) for name in absent):
        absent = {n: line for n, line in absent.items() if not n.startswith(_NEW_TMPFS)}
    if is_crash and reading.attempt.outcome == "unfinished":  # or CRIU is still at it
        absent = {n: line for n, line in absent.items() if n in _FIRST_IMAGES}
    names = sorted(absent, key=lambda name: name == "seccomp.img")  # not every container has one
    line = absent[names[0]] if names else None
    return Finding(line, rule_by_id("img-missing")) if line else None


def engine_error(reading: LogReading) -> Finding | None:
    """Return the first error of an engine, where CRIU itself said nothing; without one that is
    marked as such, the last line that complains."""
    if reading.has_criu_lines:
        return None
    line = next((n for n in reading.lines if _ENGINE_ERROR.search(n.text)), None)
    if line is None:
        complaints = (n for n in reversed(reading.lines) if is_in(_SOUNDS_BAD, n.text))
        line = next(complaints, None)
    return Finding(line, _fallback(line)) if line else None


def last_resort(noise: list[Finding], reading: LogReading) -> Finding | None:
    """Return what is left of a failure without a reason.

    That is a warning which can be one, what was told in passing before the end, the last noise, or
    the last word. What is noise elsewhere may be the cause after all.
    """
    for line in reading.lines:
        if line.severity is Severity.WARN and _SEIZE_REFUSED.search(line.message):
            return Finding(line, rule_by_id("ptrace-busy"))
    if passing := _told_in_passing(reading):
        return passing
    if noise:
        causes = (r for r in matching(noise[-1].line) if r.kind is RuleClass.CAUSE)
        return Finding(noise[-1].line, next(causes, None))
    ends = [n for n in reading.lines if n.severity is Severity.ERROR]
    return Finding(ends[-1], None) if ends else None


def _told_in_passing(reading: LogReading) -> Finding | None:
    """Return the last complaint before the errors that CRIU logged without marking it as one."""
    for number, before in sorted(reading.contexts.items(), reverse=True):
        for distance, text in enumerate(reversed(before), 1):
            line = parse_line(number - distance, text)
            if line.severity is Severity.INFO and is_in(_COMPLAINS, line.message):
                rule = first_match(line) or match_of_excerpt(line) or _fallback(line)
                return Finding(line, rule)
    return None
