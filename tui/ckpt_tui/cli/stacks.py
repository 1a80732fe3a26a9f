"""`stacks`: where each thread stood."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ckpt_tui.cli.opened import opened_target
from ckpt_tui.cli.output import narrate, print_heading, print_json
from ckpt_tui.cli.telling import download_was_confirmed
from ckpt_tui.convert.base_tree import base_tree, rootfs_download
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.formats.fetching import ASK_ABOVE
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.of_checkpoint import read_stacks, with_stacks
from ckpt_tui.stacks.stack import ProcessStacks
from ckpt_tui.views.stacks import frame_lines, masked_stacks, thread_title


def stacks(
    target: str,
    pid: int | None,
    base: str,
    as_json: bool,
    with_locals: bool = False,
    reveal: bool = False,
) -> None:
    """Print the stacks of one process, or of all."""
    with opened_target(target) as (opened, progress):
        found = _read(opened, pid, base, progress, with_locals)
        found = [masked_stacks(process, reveal) for process in found]
    if as_json:
        print_json(stacks_document(target, found))
    else:
        for process in found:
            _print(process)
    for text in dict.fromkeys(note for process in found for note in process.notes):
        narrate(text)


def _read(
    opened: OpenCheckpoint, pid: int | None, base: str, progress: Progress, with_locals: bool
) -> list[ProcessStacks]:
    checkpoint = opened.load(progress)
    pids = with_stacks(checkpoint) if pid is None else [pid]
    found = []
    most = sys.maxsize if download_was_confirmed() else ASK_ABOVE
    with base_tree(opened, base, progress, most) as lower:
        if lower is None and (size := rootfs_download(opened, progress)):
            narrate(
                f"The files of the container were not downloaded: {human_bytes(size)}. "
                "Use --yes to download them, or name the base image with --base."
            )
        for _, one in read_stacks(
            opened, checkpoint, pids, lower, progress, with_locals=with_locals
        ):
            if isinstance(one, ProcessStacks):
                found.append(one)
            elif len(pids) == 1:
                raise one
            else:
                narrate(str(one))
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
