"""Stacks and core files of the processes of an opened checkpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, nullcontext

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.saving import new_file
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.core_file import CoreFile, plan_core, write_core
from ckpt_tui.stacks.stack import ProcessStacks, process_stacks, root_files

Found = ProcessStacks | CkptError
"""The stacks of a process, or why they cannot be read."""


def with_stacks(checkpoint: Checkpoint) -> list[int]:
    """Return the pids of the processes that have a stack: all but zombies."""
    return [one.pid for one in checkpoint.processes if one.state != "zombie"]


def read_stacks(
    opened: OpenCheckpoint,
    checkpoint: Checkpoint,
    pids: Iterable[int],
    base: Tree | None,
    progress: Progress,
    *,
    with_locals: bool = False,
) -> Iterator[tuple[int, Found]]:
    """Yield the stacks of processes by pid, as each is read; an error of one leaves the others.

    `base` has the files of the image that the container ran from; it is not closed.

    Raises:
        CkptError: what the container changed cannot be read.
    """
    changes = opened.open_delta(progress)
    with closing(changes) if changes else nullcontext():
        files = root_files(opened.images, checkpoint.mounts, base, changes)
        for pid in pids:
            progress.tick(0)
            try:
                yield (
                    pid,
                    process_stacks(
                        opened.images,
                        opened.memory,
                        checkpoint,
                        pid,
                        files,
                        progress,
                        with_locals=with_locals,
                    ),
                )
            except CkptError as error:
                yield pid, error


def save_core(
    opened: OpenCheckpoint, checkpoint: Checkpoint, pid: int, path: str, progress: Progress
) -> CoreFile:
    """Write the core file of a process to `path`, which must not be there; return what is in it.

    Raises:
        UsageError: there is no such process.
        CkptError: it has no memory, or the file cannot be written; nothing is left behind.
        Cancelled: the caller gave up; nothing is left behind.
    """
    plan = plan_core(opened.images, opened.memory, checkpoint, pid, progress)
    with new_file(path) as file:
        write_core(plan, opened.images, opened.memory, file, progress)
    return plan
