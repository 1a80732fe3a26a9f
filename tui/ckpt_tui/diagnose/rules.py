"""The rules that tell what a line of a CRIU or engine log means, read from `rules.tsv`.

A rule's patterns never name a line number, a version or the whole line: the file part of a CRIU
line changes with every release, so `error` is matched against the message that follows it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ckpt_tui.diagnose.log_lines import LogLine, Severity

_PREFIX = r"\s*(?:[\w .-]{1,24}: \s*){0,2}?"
"""Up to two subsystem names before a message (`mnt-v2: `, `lsm fsnotify: `), which come and go
with the version."""


_ANY_CASE = re.IGNORECASE
"""Engines began their errors with a capital letter once."""


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


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the rule file.

    `fix` holds commands and configuration lines in backticks. `source` names CRIU functions as
    file:function, and issues.
    """

    id: str
    kind: RuleClass
    phase: str
    """dump, restore, both, or runtime for what the engine says before CRIU runs."""
    subsystem: str
    error: re.Pattern[str] | None
    """Matched at the start of the message of an Error line, after subsystem names."""
    text: re.Pattern[str] | None
    """Searched for anywhere in a line of any severity."""
    where: tuple[str, ...]
    """Words of which one must be in the name of the source file, where the line has one;
    `nopid`: only in lines of the coordinator, which carry no pid."""
    title: str
    cause: str
    fix: str
    evidence: str
    """Where the images or the system show the same."""
    preflight: str
    """Whether it can be known before the attempt, and how."""
    source: str

    @property
    def commands(self) -> tuple[str, ...]:
        """The backticked parts of `fix`, each to be copied by itself."""
        return tuple(re.findall(r"`([^`]+)`", self.fix))

    def matches(self, line: LogLine) -> bool:
        """Tell whether `line` is of this rule."""
        if self.text is not None and self.text.search(line.text):
            return True
        if self.error is None or line.severity is not Severity.ERROR:
            return False
        return self.error.match(line.message) is not None and self._is_where(line)

    def matches_excerpt(self, line: LogLine) -> bool:
        """Tell whether the message stands in a line that lost its `Error (…)` head.

        For pasted excerpts and event texts only: in a whole log an information line may read so.
        """
        if self.error is None:
            return False
        starts = (0, *(m.end() for m in re.finditer(r"(?:: |[\"'`\[(])", line.message)))
        return any(self.error.match(line.message, start) is not None for start in starts[:32])

    def _is_where(self, line: LogLine) -> bool:
        if not self.where:
            return True
        if self.where == ("nopid",):
            return line.pid is None
        return not line.file or any(word in line.file for word in self.where)


def _compiled(
    pattern: str, prefix: str = "", flags: re.RegexFlag | int = 0
) -> re.Pattern[str] | None:
    return re.compile(f"{prefix}(?:{pattern})", re.ASCII | flags) if pattern else None


def _rows() -> Iterator[dict[str, str]]:
    head, *lines = (files(__package__) / "rules.tsv").read_text("utf-8").splitlines()
    names = head.split("\t")
    for line in lines:
        yield dict(zip(names, line.split("\t"), strict=True))


@cache
def rules() -> tuple[Rule, ...]:
    """Return the rules in order of precedence: of two that match a line, the first one counts.

    Costs about 0.1 s once, for compiling.
    """
    found = [
        Rule(
            id=row["id"],
            kind=RuleClass(row["class"]),
            phase=row["phase"],
            subsystem=row["subsystem"],
            error=_compiled(row["error"], _PREFIX),
            text=_compiled(row["text"], flags=_ANY_CASE if row["phase"] == "runtime" else 0),
            where=tuple(row["where"].split()),
            title=row["title"],
            cause=row["cause"],
            fix=row["fix"],
            evidence=row["evidence"],
            preflight=row["preflight"],
            source=row["source"],
        )
        for row in _rows()
    ]
    first = (RuleClass.END, RuleClass.NOISE, RuleClass.RESOURCE)
    return tuple(
        sorted(found, key=lambda r: first.index(r.kind) if r.kind in first else len(first))
    )


@cache
def rule_by_id(rule_id: str) -> Rule:
    """Return the rule with that id.

    Raises:
        KeyError: there is none.
    """
    for rule in rules():
        if rule.id == rule_id:
            return rule
    raise KeyError(rule_id)


def first_match(line: LogLine) -> Rule | None:
    """Return the rule that `line` is of, the one with the highest precedence."""
    return next((rule for rule in rules() if rule.matches(line)), None)
