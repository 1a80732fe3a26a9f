"""What a check found: how bad, how sure, why, what proves it, and what cures it.

The texts may hold names from a checkpoint; printed and shown they pass through `printable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_bytes, printable

Severity = Literal["fails", "may-fail", "advice"]
"""A restore fails; it may fail; it goes well if the advice is heeded."""

Certainty = Literal["certain", "likely", "possible"]

Topic = Literal["integrity", "preflight"]

SEVERITIES: tuple[Severity, ...] = ("fails", "may-fail", "advice")
CERTAINTIES: tuple[Certainty, ...] = ("certain", "likely", "possible")


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact that a finding rests on.

    `link` is what shows it; None where nothing in the checkpoint does.
    """

    text: str
    link: Ref | None = None

    def document(self) -> dict[str, str]:
        """Return it as the value that `--json` prints; `link` is empty for None."""
        return {"text": printable(self.text), "link": printable(str(self.link or ""))}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is, or will go, wrong. `id` is that of the log rule for the same failure,
    where there is one."""

    id: str
    severity: Severity
    certainty: Certainty
    title: str
    """What is found, a phrase without a full stop."""
    why: str
    """What follows from it, one or two sentences."""
    cure: str
    """What to do; commands and options in backticks."""
    where: str = ""
    """The image or member it is about."""
    evidence: tuple[Evidence, ...] = ()
    topic: Topic = "integrity"
    of_host: bool = False
    """Whether it is about the host that was looked at, and not about the checkpoint."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings in one line."""

    sign: Literal["good", "may-fail", "fails"]
    text: str
    unseen: tuple[str, ...] = ()
    """What was not looked at, a phrase each, where that leaves open whether it restores."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of a checkpoint was read, in bytes as stored."""

    read: int
    size: int

    @property
    def text(self) -> str:
        """Return what may be said of a checkpoint in which no damage was found."""
        if self.read >= self.size:
            return "intact"
        amount = f"{human_bytes(self.read)} of {human_bytes(self.size)}"
        return f"intact as far as read: {amount}; ckpt-tui verify reads all"


def sort_key(finding: Finding) -> tuple[int, int, str, str]:
    """Order findings: worst first, then the surest, then by id and place."""
    return (
        SEVERITIES.index(finding.severity),
        CERTAINTIES.index(finding.certainty),
        finding.id,
        finding.where,
    )


def verdict(
    findings: Sequence[Finding], extent: Extent, place: str = "", unseen: Sequence[str] = ()
) -> Verdict:
    """Return the verdict on a checkpoint by its findings; advice does not count.

    `place` is where it shall run: `here`, `there`, or nothing where no host was looked at; `unseen`
    is what was not looked at there.
    """
    failing = [f for f in findings if f.severity == "fails"]
    doubtful = [f for f in findings if f.severity == "may-fail"]
    if any(f.topic == "integrity" for f in failing):
        return Verdict("fails", f"damaged: {_reasons(len(failing))}")
    if failing:
        return Verdict("fails", f"will fail: {_reasons(len(failing))}")
    if any(f.topic == "integrity" for f in doubtful):
        return Verdict("may-fail", f"may be damaged: {_reasons(len(doubtful))}")
    if doubtful:
        return Verdict("may-fail", f"may fail: {_reasons(len(doubtful))}")
    if not place:
        return Verdict("good", extent.text)
    if unseen:
        return Verdict("good", f"restores {place} as far as looked at", tuple(unseen))
    return Verdict("good", f"restores {place}")


def _reasons(count: int) -> str:
    return "1 reason" if count == 1 else f"{count} reasons"
