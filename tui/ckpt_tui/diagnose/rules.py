"""The rules that tell what a line of a CRIU or engine log means, read from `rules.tsv`.

A rule's patterns never name a line number, a version or the whole line: the file part of a CRIU
line changes with every release, so `error` is matched against the message that follows it. All of
them are in the syntax of RE2, which looks for all at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ckpt_tui.diagnose.linear import PatternSet, named_parts
from ckpt_tui.diagnose.log_lines import LogLine, Severity

_PREFIX = r"\s*(?:[\w .-]{1,24}: \s*){0,2}?"
"""Up to two subsystem names before a message (`mnt-v2: `, `lsm fsnotify: `), which come and go
with the version."""

_START = r"^"
_EXCERPT = r"(?:^|: |[\"'`\[(])"
"""Where a message begins in a line that lost its `Error (…)` head."""

_NEVER = r"[^\s\S]"
"""The pattern of a rule that has none."""


class RuleClass(enum.Enum):
    """What a matching line is worth."""

    CAUSE = "cause"
    RESOURCE = "resource"
    """A cause told by the error number, so it goes before what the message says."""
    HELPER = "helper"
    """A program that could not be run: a cause only if CRIU complains about that program."""
    CASCADE = "cascade"
    """Follows from something before it."""
    WRAPPER = "wrapper"
    """The runtime saying that CRIU failed."""
    HINT = "hint"
    """A warning that only supports another finding."""
    NOISE = "noise"
    """Also in the logs of what went well."""
    END = "end"
    """The last word of a failed attempt."""
    VAGUE = "vague"
    """A cause that counts where no other is found: an error number alone, or a general sentence."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the rule file.

    `fix` holds words to be typed in backticks. `source` names CRIU functions as file:function, and
    issues.
    """

    id: str
    kind: RuleClass
    phase: str
    """dump, restore, both, or runtime for what the engine says before CRIU runs."""
    subsystem: str
    error: str
    """Pattern of the start of the message of an Error line, after subsystem names."""
    text: str
    """Pattern of anything in a line of any severity."""
    unless: str
    """Pattern of what a line of this rule does not hold."""
    where: tuple[str, ...]
    """Words of which one must be in the name of the source file, where the line has one;
    `nopid`: only in lines of the coordinator, which carry no pid."""
    near: str
    """Pattern with named groups of a line before, whose parts the commands need."""
    title: str
    cause: str
    fix: str
    commands: tuple[str, ...]
    """Templates of the commands of the fix, in the order to be run; see `fix_commands`."""
    tried: tuple[str, ...]
    """Engines with which a test broke it, ran the commands, and saw it work; `any`: all."""
    evidence: str
    """Where the images or the system show the same."""
    preflight: str
    """Whether it can be known before the attempt, and how."""
    source: str

    @property
    def patterns(self) -> tuple[str, str, str]:
        """The patterns for the message of an error, for a line, and for what it does not hold."""
        # engines began their errors with a capital letter once
        flag = "(?i)" if self.phase == "runtime" else ""
        return (
            f"{_PREFIX}(?:{self.error})" if self.error else _NEVER,
            f"{flag}(?:{self.text})" if self.text else _NEVER,
            self.unless or _NEVER,
        )

    def matches(self, line: LogLine) -> bool:
        """Tell whether `line` is of this rule."""
        return self in matching(line)

    def parts(self, line: LogLine) -> dict[str, str]:
        """Return what the named groups of the patterns match in a line of this rule."""
        found = named_parts(_EXCERPT + self.patterns[0], line.message) if self.error else {}
        return found or (named_parts(self.patterns[1], line.text) if self.text else {})

    def is_where(self, line: LogLine) -> bool:
        """Tell whether a line comes from a part of CRIU that the rule is about."""
        if not self.where:
            return True
        if self.where == ("nopid",):
            return line.pid is None
        return not line.file or any(word in line.file for word in self.where)


def table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of this package, cells by the names in its head."""
    head, *lines = (files(__package__) / name).read_text("utf-8").splitlines()
    names = head.split("\t")
    for line in lines:
        yield dict(zip(names, line.split("\t"), strict=True))


def commands_of(cell: str) -> tuple[str, ...]:
    """Return the commands in a cell of a table."""
    return tuple(filter(None, cell.split(" ;; ")))


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules in order of precedence: of two that match a line, the first one counts."""
    found = [
        Rule(
            id=row["id"],
            kind=RuleClass(row["class"]),
            phase=row["phase"],
            subsystem=row["subsystem"],
            error=row["error"],
            text=row["text"],
            unless=row["unless"],
            where=tuple(row["where"].split()),
            near=row["near"],
            title=row["title"],
            cause=row["cause"],
            fix=row["fix"],
            commands=commands_of(row["commands"]),
            tried=tuple(row["tried"].split()),
            evidence=row["evidence"],
            preflight=row["preflight"],
            source=row["source"],
        )
        for row in table("rules.tsv")
    ]
    first = (RuleClass.END, RuleClass.NOISE, RuleClass.RESOURCE)
    return tuple(
        sorted(found, key=lambda r: first.index(r.kind) if r.kind in first else len(first))
    )


@cache
def _by_id() -> dict[str, Rule]:
    return {rule.id: rule for rule in rules()}


def rule_by_id(rule_id: str) -> Rule:
    """Return the rule with that id.

    Raises:
        KeyError: there is none.
    """
    return _by_id()[rule_id]


def optional_rule(rule_id: str) -> Rule | None:
    """Return the rule with that id, None if there is none."""
    return _by_id().get(rule_id)


@cache
def _errors() -> PatternSet:
    return PatternSet(_START + rule.patterns[0] for rule in rules())


@cache
def _texts() -> PatternSet:
    return PatternSet(rule.patterns[1] for rule in rules())


@cache
def _excerpts() -> PatternSet:
    return PatternSet(_EXCERPT + rule.patterns[0] for rule in rules())


@cache
def _exceptions() -> PatternSet:
    return PatternSet(rule.patterns[2] for rule in rules())


def matching(line: LogLine) -> list[Rule]:
    """Return the rules that `line` is of, in order of precedence."""
    found = {*_texts().matching(line.text)}
    if line.severity is not Severity.OTHER:
        found = {n for n in found if rules()[n].phase != "runtime"}
    if line.severity is Severity.ERROR:
        found |= {n for n in _errors().matching(line.message) if rules()[n].is_where(line)}
    return _without_exceptions(found, line)


def _without_exceptions(found: set[int], line: LogLine) -> list[Rule]:
    if any(rules()[n].unless for n in found):
        found = found - {*_exceptions().matching(line.text)}
    return [rules()[n] for n in sorted(found)]


def first_match(line: LogLine) -> Rule | None:
    """Return the rule that `line` is of, the one with the highest precedence."""
    return next(iter(matching(line)), None)


def match_of_excerpt(line: LogLine) -> Rule | None:
    """Return the first rule whose message stands in a line that lost its `Error (…)` head.

    For pasted excerpts and event texts only: in a whole log an information line may read so.
    """
    found = {*_excerpts().matching(line.message)}
    return next(iter(_without_exceptions(found, line)), None)
