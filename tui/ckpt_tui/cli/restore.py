"""`restore`: a container restored here, or only tried."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ckpt_tui.cli.diagnosis import print_findings
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_json, print_line
from ckpt_tui.cli.signals import stopped_by_signals
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.paths import data_dir
from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.doctor import to_json
from ckpt_tui.diagnose.fix_commands import diagnose_with_commands
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.logs import open_log
from ckpt_tui.restore.bundle import Choices
from ckpt_tui.restore.kept import all_kept
from ckpt_tui.restore.restoring import Request, Restoring
from ckpt_tui.restore.runtime import FLAGS
from ckpt_tui.restore.trial import Outcome, try_restore
from ckpt_tui.views.diagnosis import log_sections

NO_BOUNDARY = "This is no security boundary: the program runs on the kernel of this host, as root."

FAILED = 1


def run(target: str | None, **options: Any) -> int:
    """Restore, in place or in a box, or look after what was restored; return the exit code."""
    if options["list_them"]:
        list_kept(options["as_json"])
        return 0
    if options["clean"]:
        clean(options["name"])
        return 0
    if target is None:
        raise UsageError("Nothing to restore is named.", "", "Name a checkpoint.")
    if os.geteuid() != 0:
        raise UsageError("A restore needs root.", "", "Run it as root.")
    request = _request(options)
    if options["try_it"]:
        return _try(target, request, options["seconds"], options["as_json"])
    return _in_place(target, request)


def _request(options: dict[str, Any]) -> Request:
    return Request(
        name=options["name"] or "",
        base=options["base"],
        runtime=options["runtime"] or "",
        flags=tuple(flag for flag in FLAGS if options[flag.replace("-", "_")]),
        choices=Choices(
            mounts=_mounts(options["mounts"]),
            devices=options["devices"],
            host_namespaces=options["host_namespaces"],
            network=_network(options["network"]),
        ),
        lazy=options["lazy"],
        detach=options["detach"],
        patience_s=options["patience"],
    )


def _mounts(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        destination, equals, source = word.partition("=")
        if not equals or not destination.startswith("/") or not source.startswith("/"):
            raise UsageError(f"{word} is not a mount.", "", "Write --mount /IN/CONTAINER=/ON/HOST.")
        found[destination] = source
    return found


def _network(word: str) -> str:
    if word in ("none", "host") or word.startswith("ns:/"):
        return word
    raise UsageError(f"{word} is not a network.", "", "Write none, host or ns:PATH.")


def _try(target: str, request: Request, seconds: float, as_json: bool) -> int:
    ended = threading.Event()
    narrate(NO_BOUNDARY)
    with stopped_by_signals(ended), opened_target(target, ended.is_set) as (opened, progress):
        outcome = try_restore(opened, request, seconds, progress, ended)
    if as_json:
        print_json(trial_document(target, outcome))
    else:
        _print_outcome(outcome)
    return 0 if outcome.restored and (outcome.alive or outcome.exit_code == 0) else FAILED


def trial_document(target: str, outcome: Outcome) -> dict[str, Any]:
    """Return what came of a trial as JSON."""
    log = to_json(outcome.log) if outcome.log else None
    return {
        "schema_version": 1,
        "source": target,
        "restored": outcome.restored,
        "restore_seconds": round(outcome.seconds, 3),
        "ran_seconds": round(outcome.ran_s, 3),
        "alive": outcome.alive,
        "exit_code": outcome.exit_code,
        "signal": outcome.signal or None,
        "output": printable(outcome.output.decode("utf-8", "surrogateescape")),
        "errors": printable(outcome.errors),
        "memory_limit": outcome.memory_limit or None,
        "pids_limit": outcome.pids_limit or None,
        "box": outcome.box or None,
        "notes": [printable(note) for note in outcome.notes],
        "log": log,
    }


def _print_outcome(outcome: Outcome) -> None:
    if outcome.restored:
        print_line(f"Restored in {outcome.seconds:.2f} s. {_afterwards(outcome)}")
    else:
        print_line(f"Not restored, after {outcome.seconds:.2f} s.")
        if outcome.box:
            print_line(outcome.box)
        _print_log(outcome)
    for note in outcome.notes:
        narrate(note)
    if not (outcome.memory_limit and outcome.pids_limit):
        missing = [
            n for n, v in (("memory", outcome.memory_limit), ("pids", outcome.pids_limit)) if not v
        ]
        narrate(
            f"Not bounded, since this host has no cgroup controller for it: {', '.join(missing)}."
        )


def _afterwards(outcome: Outcome) -> str:
    if outcome.alive:
        return f"It ran for {outcome.ran_s:.1f} s, and was ended."
    how = f"by {outcome.signal}" if outcome.signal else f"with exit code {outcome.exit_code}"
    return f"It ended after {outcome.ran_s:.2f} s {how}."


def _print_log(outcome: Outcome) -> None:
    if outcome.log is None:
        print_line(outcome.errors)
        return
    print_findings(log_sections("restore.log", outcome.log))


def _in_place(target: str, request: Request) -> int:
    ended = threading.Event()
    with stopped_by_signals(ended), opened_target(target, ended.is_set) as (opened, progress):
        with Restoring(opened, request, progress) as restoring:
            restoring.prepare()
            is_there = restoring.restore(None, ended)
            name = restoring.kept.record.name
            for note in restoring.notes:
                narrate(note)
            log = _kept_log(restoring)
            if not is_there:
                if ended.is_set():
                    return 130
                raise _failure(restoring, log)
            narrate(f"{name} was restored in {restoring.seconds:.2f} s. CRIU's log: {log}")
            if request.detach:
                restoring.leave(ended)
                if ended.is_set():
                    return 130
                click.echo(name)
                return 0
            code = restoring.wait(ended)
        if code is None:
            narrate(f"{name} was ended.")
            return 130
    narrate(f"{name} ended with exit code {code}.")
    return 0 if code == 0 else FAILED


def _kept_log(restoring: Restoring) -> Path:
    """Return a copy of CRIU's log, or where it would be; the folder of the restore is removed."""
    place = data_dir() / "logs" / f"{restoring.kept.record.name}.restore.log"
    if restoring.log.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(restoring.log, place)
    return place


def _failure(restoring: Restoring, log: Path) -> CkptError:
    what = f"{restoring.kept.record.name} was not restored:"
    if not restoring.log.exists():
        return CkptError(what, restoring.errors.strip())
    window = open_log(log)
    try:
        cause = diagnose_with_commands(read_log(window, restoring.progress)).root_cause
    finally:
        window.close()
    if cause is None:
        return CkptError(what, restoring.errors.strip(), f"CRIU's log is {log}.")
    return CkptError(what, cause.title, f"See: ckpt-tui diagnose --log {log}")


def list_kept(as_json: bool) -> None:
    """Print what restores there are, and what those that were killed left."""
    found = [(kept, kept.state) for kept in all_kept()]
    if as_json:
        restores = [
            {
                "name": kept.record.name,
                "source": kept.record.target,
                "runtime": kept.record.runtime,
                "state": state,
                "detached": kept.record.detached,
                "trial": kept.is_trial,
            }
            for kept, state in found
        ]
        print_json({"schema_version": 1, "restores": restores})
        return
    for kept, state in found:
        print_line(f"{kept.record.name}  {state}  {kept.record.target}")


def clean(name: str | None) -> None:
    """Remove what restores that were killed left; with a name that one, in whatever state."""
    found = [kept for kept in all_kept() if kept.record.name == name or not name]
    if name and not found:
        raise UsageError(f"No restore is called {name}.", "", "See: ckpt-tui restore --list")
    for kept in found:
        if name or kept.state == "left over":
            kept.remove()
            print_line(f"{kept.record.name} removed.")
