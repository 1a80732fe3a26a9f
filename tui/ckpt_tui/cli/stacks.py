"""`stacks`: where each thread stood."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, nullcontext
from typing import Any

from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_heading, print_json
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.stack import ProcessStacks, process_stacks, root_files
from ckpt_tui.views.stacks import frame_lines, thread_title


def stacks(target: str, pid: int | None, base: str, as_json: bool) -> None:
    """Print the stacks of one process, or of all."""
    with opened_target(target) as (opened, progress):
        found = _read(opened, pid, base, progress)
    if as_json:
        print_json(stacks_document(target, found))
    else:
        for process in found:
            _print(process)
    for text in dict.fromkeys(note for process in found for note in process.notes):
        narrate(text)


def _read(
    opened: OpenCheckpoint, pid: int | None, base: str, progress: Progress
) -> list[ProcessStacks]:
    checkpoint = opened.load(progress)
    pids = [one.pid for one in checkpoint.processes if one.state != "zombie"]
    changes = opened.open_delta(progress)
    found = []
    with base_tree(opened, base, progress) as lower, closing(changes) if changes else nullcontext():
        files = root_files(opened.images, checkpoint.mounts, lower, changes)
        for one in pids if pid is None else [pid]:
            try:
                found.append(
                    process_stacks(opened.images, opened.memory, checkpoint, one, files, progress)
                )
            except CkptError as error:
                if len(pids) == 1 or pid is not None:
                    raise
                narrate(str(error))  # the others are read all the same
    return found


def stacks_document(target: str, found: Sequence[ProcessStacks]) -> dict[str, Any]:
    """Return stacks as JSON."""
    return {
        "schema_version": 1,
        "source": target,
        "processes": [
            {
                **plain(process),
                "threads": [
                    {**plain(thread), "where": plain(thread.where)} for thread in process.threads
                ],
            }
            for process in found
        ],
    }


def _print(process: ProcessStacks) -> None:
    print_heading(f"Process {process.pid}  {printable(process.comm)}")
    for thread in process.threads:
        print(f"\n{thread_title(thread)}")
        for line in frame_lines(thread):
            print(f"  {line}")
