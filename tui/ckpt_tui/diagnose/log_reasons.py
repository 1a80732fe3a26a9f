"""What the facts in the line of a cause, and around it, add to what its rule says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from ckpt_tui.diagnose.errnos import errno_of
from ckpt_tui.diagnose.linear import is_in
from ckpt_tui.diagnose.log_lines import LogLine
from ckpt_tui.diagnose.rules import commands_of, table

_BEFORE = 3
"""Lines before the one of the cause in which the code inside of tasks tells what it is at."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of `reasons.tsv`; an empty pattern is met by every line."""

    group: str
    """Of the rows of a group only the first one counts that is met."""
    rule: str
    """Pattern of the ids of rules that it adds to."""
    errno: tuple[str, ...]
    """Names of error numbers of which the line tells one."""
    line: str
    """Pattern of the line."""
    before: str
    """Pattern of a line just before it."""
    cause: str
    """Sentences that follow the rule's cause."""
    fix: str
    """Sentences that come before the rule's fix."""
    commands: tuple[str, ...]
    """Templates of commands that take the place of the rule's."""
    tried: tuple[str, ...]
    """Engines with which a test ran them, as in a rule."""


@cache
def reasons() -> tuple[Reason, ...]:
    """Return all rows, in order of precedence."""
    return tuple(
        Reason(
            group=row["group"],
            rule=row["rule"],
            errno=tuple(row["errno"].split()),
            line=row["line"],
            before=row["before"],
            cause=row["cause"],
            fix=row["fix"],
            commands=commands_of(row["commands"]),
            tried=tuple(row["tried"].split()),
        )
        for row in table("reasons.tsv")
    )


def reasons_for(rule_id: str, line: LogLine, before: tuple[str, ...]) -> Iterator[Reason]:
    """Yield what applies to a cause; `before` are the lines before it."""
    number = errno_of(line)
    done: set[str] = set()
    for reason in reasons():
        if reason.group not in done and _is_met(reason, rule_id, number, line, before):
            done.add(reason.group)
            yield reason


def _is_met(
    reason: Reason, rule_id: str, number: str, line: LogLine, before: tuple[str, ...]
) -> bool:
    if reason.errno and number not in reason.errno:
        return False
    if reason.rule and not is_in(f"^(?:{reason.rule})$", rule_id):
        return False
    if reason.line and not is_in(reason.line, line.text):
        return False
    return not reason.before or any(is_in(reason.before, text) for text in before[-_BEFORE:])
