"""`diagnose`: why a dump or restore failed, read from its log."""

from __future__ import annotations

import sys
from typing import Any

from ckpt_tui.cli.reports import opened_target
from ckpt_tui.cli.tables import print_facts, print_heading, print_json
from ckpt_tui.cli.telling import told_progress
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.doctor import LogDiagnosis, diagnose_log, to_json
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.logs import log_beside, log_in, open_log
from ckpt_tui.ui.rows.diagnosis import log_sections

FINDINGS = 1
"""Exit code when there is something to find."""


def diagnose(target: str | None, log: str | None, as_json: bool) -> None:
    """Print what the log says; leave with 1 if it names a cause."""
    if target is None and log is None:
        raise UsageError(
            "Nothing to diagnose is named.",
            hint="Name a checkpoint with its log beside it, or --log FILE (- is standard input).",
        )
    with told_progress() as progress:
        name, diagnosis = _from_log(log, progress) if log else _from_target(target or "", progress)
    if as_json:
        print_json({"schema_version": 1, "log": name, **to_json(diagnosis)})
    else:
        _print(name, diagnosis)
    if diagnosis.root_cause is not None:
        sys.exit(FINDINGS)


def _from_log(path: str, progress: Progress) -> tuple[str, LogDiagnosis]:
    if path == "-":
        return "standard input", diagnose_log(
            read_log(open(sys.stdin.fileno(), "rb", closefd=False), progress)
        )
    window = open_log(path)
    try:
        return path, diagnose_log(read_log(window, progress))
    finally:
        window.close()


def _from_target(target: str, progress: Progress) -> tuple[str, LogDiagnosis]:
    beside = log_beside(target)
    if beside is not None:
        return _from_log(str(beside), progress)
    with opened_target(target) as (opened, _):
        found = log_in(opened.tree)
        if found is None:
            raise UsageError(
                f"{target} has no log in it or beside it.",
                hint="Name one with --log; engines often delete it: set log-file in CRIU's config.",
            )
        name, window = found
        return f"{name} in {target}", diagnose_log(read_log(window, progress))


def _print(name: str, diagnosis: LogDiagnosis) -> None:
    for section in log_sections(name, diagnosis):
        if section.facts or section.empty:
            if section.title:
                print_heading(section.title)
            facts: list[tuple[str, Any]] = [(f.label, str(f.value)) for f in section.facts]
            print_facts(facts or [("", section.empty)])
