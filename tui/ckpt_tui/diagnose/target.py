"""All that can be said of a checkpoint: its log, if there is one, and every check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.checks import Check, left_out, run_checks
from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Evidence, Extent, Finding, Verdict, verdict
from ckpt_tui.diagnose.fix_commands import with_commands
from ckpt_tui.diagnose.fix_context import context_of_checkpoint
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.host_files import HostFiles
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.proof import proof
from ckpt_tui.diagnose.requirements import RequirementState, requirement_states, unseen
from ckpt_tui.diagnose.restore_command import EngineRestore, restore_commands
from ckpt_tui.diagnose.where import LogPlace, log_places
from ckpt_tui.formats.log_files import LogBytes
from ckpt_tui.formats.logs import log_beside, log_in, log_in_store, open_log
from ckpt_tui.formats.opened import OpenCheckpoint


@dataclass(frozen=True, slots=True)
class TargetDiagnosis:
    """What the log says and what the checks found."""

    log_name: str
    """What the log is called; empty where there is none."""
    log: LogDiagnosis | None
    findings: tuple[Finding, ...]
    verdict: Verdict
    own_verdict: Verdict
    """That on the checkpoint, whatever this host lacks."""
    restore: tuple[EngineRestore, ...]
    """How each engine restores it, the one that made it first."""
    left_out: tuple[Check, ...]
    """Checks that want a host or a base image that is not at hand."""
    proof: tuple[Evidence, ...] = ()
    """What the images show of the root cause in the log."""
    log_places: tuple[LogPlace, ...] = ()
    """Where a log of a restore would be, where none was found."""
    requirements: tuple[RequirementState, ...] = ()
    """What it needs of the host that was looked at."""


def diagnose_opened(
    opened: OpenCheckpoint,
    checkpoint: Checkpoint,
    progress: Progress,
    host: HostProfile | None = None,
    base: Tree | None = None,
    log: tuple[str, LogBytes] | None = None,
    place: str = "here",
) -> TargetDiagnosis:
    """Read the log that belongs to a checkpoint and run every check that can run.

    `base` is the base image, layers merged; `log` is the name and the bytes of the one to read,
    None: look for one; `place` is what `host` is called, `here` or `there`.

    Raises:
        Cancelled: the caller gave up.
    """
    unreadable: list[Finding] = []
    name, found = _log_of(opened, checkpoint, log, unreadable, progress)
    progress.start("checking")
    files = HostFiles() if host is not None and place == "here" else None
    facts = Facts.of(opened, checkpoint, host=host, base=base, files=files, progress=progress)
    findings = (*unreadable, *run_checks(facts, progress))
    extent = Extent(opened.checked_size, opened.source_size)
    states = requirement_states(facts, findings)
    restore = restore_commands(facts, findings)
    if found is not None:
        found = with_commands(found, context_of_checkpoint(found, name, facts, restore))
    return TargetDiagnosis(
        log_name=name,
        log=found,
        findings=findings,
        verdict=verdict(findings, extent, place if host else "", unseen(facts, states)),
        own_verdict=verdict([one for one in findings if not one.of_host], extent),
        restore=restore,
        left_out=left_out(facts),
        requirements=states,
        proof=_proof(found, facts, findings),
        log_places=() if found else log_places(checkpoint.format.engine),
    )


def _proof(
    log: LogDiagnosis | None, facts: Facts, findings: Sequence[Finding]
) -> tuple[Evidence, ...]:
    """Return what a check for the same failure found, else what the line itself names."""
    if log is None or log.root_cause is None:
        return ()
    same = (finding.evidence for finding in findings if finding.id == log.root_cause.id)
    return next(same, ()) or proof(log, facts)


def _log_of(
    opened: OpenCheckpoint,
    checkpoint: Checkpoint,
    given: tuple[str, LogBytes] | None,
    unreadable: list[Finding],
    progress: Progress,
) -> tuple[str, LogDiagnosis | None]:
    """Return the log and what it is called. One that were not asked for and that cannot be read is
    a finding, and the next one is taken."""
    if given is not None:
        return given[0], diagnose_log(read_log(given[1], progress))
    container = checkpoint.container
    beside = log_beside(opened.target)
    stored = log_in_store(container.id, container.checkpointed)
    for path, name in ((beside, beside.name if beside else ""), (stored, str(stored))):
        if path is None:
            continue
        try:
            window = open_log(path)
            try:
                return name, diagnose_log(read_log(window, progress))
            finally:
                window.close()
        except CkptError as error:
            unreadable.append(_unreadable(name, error))
    found = log_in(opened.tree)
    if found is not None:
        name, member = found
        try:
            return name, diagnose_log(read_log(member, progress))
        except CkptError as error:
            unreadable.append(_unreadable(name, error))
    return "", None


def _unreadable(name: str, error: CkptError) -> Finding:
    title = f"The log {name} cannot be read"
    return Finding("log-unreadable", "advice", "certain", title, str(error), error.hint, name)
