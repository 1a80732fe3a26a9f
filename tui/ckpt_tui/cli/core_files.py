"""`core`: processes of a checkpoint as ELF core files."""

from __future__ import annotations

import os
from typing import Any

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_json
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.core_file import CoreFile
from ckpt_tui.stacks.of_checkpoint import save_core


def core(target: str, pid: int | None, output: str, *, every: bool, as_json: bool) -> None:
    """Write the core file of one process to `output`, or one of each process into that folder."""
    if every and pid is not None:
        raise UsageError("--all and --pid exclude each other.")
    written: list[dict[str, Any]] = []
    failed: list[CkptError] = []
    with opened_target(target) as (opened, progress):
        checkpoint = opened.load(progress)
        if every:
            for one, path in _paths(checkpoint, output).items():
                try:
                    written.append(_write(opened, checkpoint, one, path, progress))
                except CkptError as error:  # the others are written all the same
                    narrate(str(error))
                    failed.append(error)
        else:
            one = pid if pid is not None else _only_pid(checkpoint)
            written.append(_write(opened, checkpoint, one, output, progress))
    if as_json:
        print_json({"schema_version": 1, "source": target, "cores": written})
    if written:
        narrate("Core files have the memory of their processes in them, with all its secrets.")
    if failed:
        raise CkptError(
            f"{len(failed)} of {len(checkpoint.processes)} core files were not written."
        )


def _only_pid(checkpoint: Checkpoint) -> int:
    pids = [process.pid for process in checkpoint.processes]
    if len(pids) != 1:
        listed = ", ".join(map(str, pids[:20]))
        raise UsageError(
            f"The checkpoint has {len(pids)} processes.",
            hint=f"Name one with --pid, or use --all. There are: {listed or 'none'}.",
        )
    return pids[0]


def _paths(checkpoint: Checkpoint, folder: str) -> dict[int, str]:
    """Return where the core file of each process goes that has memory; make the folder."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise CkptError(f"{folder} cannot be written.", f"{error.strerror}.") from error
    alive = (process.pid for process in checkpoint.processes if process.state != "zombie")
    return {pid: os.path.join(folder, f"core.{pid}") for pid in alive}


def _write(
    opened: OpenCheckpoint, checkpoint: Checkpoint, pid: int, path: str, progress: Progress
) -> dict[str, Any]:
    """Write one core file, and return what was written."""
    plan = save_core(opened, checkpoint, pid, path, progress)
    _tell(plan, path)
    return {
        "pid": pid,
        "file": path,
        "threads": len(plan.task.cores),
        "size": plan.size,
        "data_bytes": plan.data_bytes,
        "lost_bytes": plan.lost_bytes,
    }


def _tell(plan: CoreFile, path: str) -> None:
    threads = len(plan.task.cores)
    narrate(
        f"{path}: process {plan.task.process.pid}, {threads} thread{'s' * (threads != 1)}, "
        f"{human_bytes(plan.data_bytes)} of memory."
    )
    if plan.lost_bytes:
        narrate(
            f"{human_bytes(plan.lost_bytes)} are not in the checkpoint and read as zeros: "
            "they were left to a previous dump, to a lazy-pages server, or are missing."
        )
