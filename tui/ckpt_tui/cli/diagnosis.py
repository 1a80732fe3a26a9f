"""`diagnose`: why it failed, read from the log, and what would fail; `host`: a profile to carry."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ckpt_tui.cli.output import narrate, print_facts, print_heading, print_json, print_line
from ckpt_tui.cli.several import run_each
from ckpt_tui.cli.telling import asking_before_fetching, tell_transferred, told_progress
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import CHUNK
from ckpt_tui.diagnose import host as hosts
from ckpt_tui.diagnose.doctor import LogDiagnosis, to_json
from ckpt_tui.diagnose.fix_commands import diagnose_with_commands
from ckpt_tui.diagnose.host import HostProfile, this_host
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.log_files import LogBytes, each_log, holds_log, stream_of
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.views.diagnosis import (
    COMMAND,
    LOG,
    finding_sections,
    log_sections,
    restore_sections,
    sections_of,
)
from ckpt_tui.views.facts import Fact, Section

FINDINGS = 1
"""Exit code when there is something to find."""


def diagnose(
    targets: Sequence[str],
    logs: Sequence[str],
    host: str | None,
    base: str | None,
    as_json: bool,
    strict: bool = False,
) -> int:
    """Print what the logs and the checks say; return 1 if something fails or has failed, with
    `strict` also if something may fail."""
    if not targets and not logs:
        raise UsageError(
            "Nothing to diagnose is named.",
            hint="Name a checkpoint, or --log FILE (- is standard input).",
        )
    if not targets:
        return _logs_alone(logs, as_json)
    if len(logs) > 1 or (logs and len(targets) > 1):
        raise UsageError(
            "A log belongs to one checkpoint.",
            hint="Name one checkpoint with one log, or the logs alone.",
        )
    given = Given(_host(host), "here" if host == "this" else "there", base or "", *logs)
    return run_each(targets, partial(_diagnose, given=given, as_json=as_json, strict=strict))


@dataclass(frozen=True, slots=True)
class Given:
    """What a target is diagnosed with."""

    host: HostProfile | None
    place: str
    base: str
    log: str = ""


def _diagnose(target: str, given: Given, as_json: bool, strict: bool) -> int:
    if not given.log and holds_log(target, quiet()):
        return _logs_alone([target], as_json)
    with told_progress() as progress:
        diagnosis = _diagnosed(target, given, progress)
    if as_json:
        print_json(document(target, diagnosis))
    else:
        _print(diagnosis)
    failed = diagnosis.log is not None and diagnosis.log.root_cause is not None
    bad = ("fails", "may-fail") if strict else ("fails",)
    return FINDINGS if failed or diagnosis.verdict.sign in bad else 0


def _logs_alone(paths: Sequence[str], as_json: bool) -> int:
    """Print one verdict for each log, a line of JSON each for several; return the highest exit code
    of all."""
    found: list[tuple[str, LogDiagnosis]] = []
    code = 0
    with told_progress() as progress:
        for path in paths:
            try:
                for name, log in _each_log(path, progress):
                    reading = read_log(log, progress)
                    found.append((name, diagnose_with_commands(reading, name)))
            except CkptError as error:
                if len(paths) == 1:
                    raise
                narrate(str(error))
                code = max(code, error.exit_code)
    for number, (name, diagnosis) in enumerate(found):
        if as_json:
            document = {"schema_version": 1, "log": printable(name), **to_json(diagnosis)}
            print_json(document, in_a_line=len(found) > 1 or len(paths) > 1)
        else:
            print("\n" * (number > 0), end="")
            print_findings(log_sections(name, diagnosis))
    if any(diagnosis.root_cause is not None for _, diagnosis in found):
        code = max(code, FINDINGS)
    return code


def _each_log(path: str, progress: Progress) -> Generator[tuple[str, LogBytes]]:
    """Yield the logs of a path, - of standard input, with what each is called."""
    if path != "-":
        yield from each_log(path, progress)
        return
    with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
        with suppress(OSError, AttributeError):  # no pipe, or not on Linux
            fcntl.fcntl(stream, fcntl.F_SETPIPE_SZ, CHUNK)
        yield "standard input", stream_of(stream, "standard input")


@contextmanager
def _one_log(path: str, progress: Progress) -> Iterator[tuple[str, LogBytes]]:
    """Lend the first log of a path with what it is called."""
    found = _each_log(path, progress)
    yield next(found)
    found.close()


def _host(name: str | None) -> HostProfile | None:
    """Return the host named on the command line: this one, or that of a profile."""
    if name is None:
        return None
    if name == "this":
        return this_host()
    try:
        return hosts.from_json(Path(name).read_bytes(), name)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from error


def _diagnosed(target: str, given: Given, progress: Progress) -> TargetDiagnosis:
    from ckpt_tui.convert.base_tree import base_tree  # 40 ms, and a log does without

    opened = open_checkpoint(target, progress, before_fetching=asking_before_fetching())
    try:
        with _one_log(given.log, progress) if given.log else nullcontext() as log:
            checkpoint = opened.load(progress)
            with base_tree(opened, given.base, progress) as files:
                found = diagnose_opened(
                    opened, checkpoint, progress, given.host, files, log, given.place
                )
        tell_transferred(opened.transferred)
        return found
    finally:
        opened.close()


def verdict_of(target: str) -> str:
    """Return the verdict on a checkpoint in a few words, or why it cannot be read; empty without a
    target."""
    if not target:
        return ""
    try:
        return _diagnosed(target, Given(None, "", ""), quiet()).verdict.text
    except CkptError as error:
        return str(error)


def document(target: str, diagnosis: TargetDiagnosis) -> dict[str, Any]:
    """Return a diagnosis as JSON: the keys of the log at the top, then what the checks found."""
    log = to_json(diagnosis.log, diagnosis.proof) if diagnosis.log else {}
    empty: dict[str, Any] = {"root_cause": None, "cascade": [], "noise": [], "attempt": None}
    return {
        "schema_version": 1,
        "source": target,
        "log": diagnosis.log_name or None,
        **empty,
        **log,
        "verdict": plain(diagnosis.verdict),
        "findings": [
            plain(f) | {"evidence": [e.document() for e in f.evidence]} for f in diagnosis.findings
        ],
        "requirements": plain(diagnosis.requirements),
        "restore": plain(diagnosis.restore),
        "left_out": [{"id": c.id, "needs": c.needs} for c in diagnosis.left_out],
        "log_places": plain(diagnosis.log_places),
    }


def _print(diagnosis: TargetDiagnosis) -> None:
    failed = diagnosis.log is not None and diagnosis.log.attempt.outcome != "succeeded"
    if failed:
        print_findings(sections_of(diagnosis, LOG))
    text = diagnosis.verdict.text
    print()
    print_line(f"{text[0].upper()}{text[1:]}.")
    for finding in diagnosis.findings:
        print()
        print_findings(finding_sections(finding), headings=False)
    print_findings(restore_sections(diagnosis))
    if diagnosis.left_out:
        needs = sorted({c.needs for c in diagnosis.left_out})
        options = {"host": "--host this", "base": "--base IMAGE"}
        asked = " and ".join(options.get(n, n) for n in needs)
        print(f"\n{len(diagnosis.left_out)} checks were left out; {asked} would run them.")


def print_findings(sections: list[Section], *, headings: bool = True) -> None:
    """Print sections of a diagnosis; sentences are wrapped to a terminal, commands are not."""
    for section in sections:
        if section.facts:
            if section.title and headings:
                print_heading(section.title)
            labels = [f.label or section.title * (not headings) for f in section.facts]
            print_facts(zip(labels, map(_value, section.facts), strict=True), wraps=True)


def _value(fact: Fact) -> str:
    """Return the value of a fact, with a line end behind a command."""
    is_command = fact.label == "copy" or fact.value == styled((str(fact.value), COMMAND))
    return str(fact.value) + "\n" * is_command


def print_host() -> None:
    """Print the profile of this host."""
    print_json(hosts.to_json(this_host()))
