"""All that can be said of a checkpoint: its log, if there is one, and every check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.tree import Member
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.checks import run_checks
from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding, Verdict, verdict
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.logs import log_beside, log_in, open_log
from ckpt_tui.formats.opened import OpenCheckpoint


@dataclass(frozen=True, slots=True)
class TargetDiagnosis:
    """What the log says and what the checks found."""

    log_name: str
    """What the log is called; empty where there is none."""
    log: LogDiagnosis | None
    findings: tuple[Finding, ...]
    verdict: Verdict


def diagnose_opened(
    opened: OpenCheckpoint,
    checkpoint: Checkpoint,
    progress: Progress,
    host: HostProfile | None = None,
    base: Mapping[str, Member] | None = None,
) -> TargetDiagnosis:
    """Read the log that belongs to a checkpoint and run every check that can run.

    Raises:
        Cancelled: the caller gave up.
    """
    name, log = _log_of(opened, progress)
    progress.start("checking")
    facts = Facts(
        checkpoint=checkpoint,
        images=opened.images,
        tree=opened.tree,
        documents=opened.metadata.documents,
        host=host,
        base=base,
        progress=progress,
    )
    findings = run_checks(facts, progress)
    return TargetDiagnosis(name, log, findings, verdict(findings))


def _log_of(opened: OpenCheckpoint, progress: Progress) -> tuple[str, LogDiagnosis | None]:
    beside = log_beside(opened.target)
    if beside is not None:
        window = open_log(beside)
        try:
            return beside.name, diagnose_log(read_log(window, progress))
        finally:
            window.close()
    found = log_in(opened.tree)
    if found is None:
        return "", None
    name, member = found
    return name, diagnose_log(read_log(member, progress))
