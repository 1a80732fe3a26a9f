"""What the jobs of a checkpoint's screen do: open it, read all of it, check it, read stacks."""

from __future__ import annotations

from collections.abc import Iterable

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.host import this_host
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.fetching import BeforeFetching
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.stacks.of_checkpoint import Found as FoundStacks
from ckpt_tui.stacks.of_checkpoint import read_stacks

Found = tuple[OpenCheckpoint, Checkpoint]


def open_target(target: str, before_fetching: BeforeFetching, progress: Progress) -> Found:
    """Open a checkpoint and decode what is quickly decoded."""
    opened = open_checkpoint(target, progress, before_fetching=before_fetching, locked=True)
    try:
        checkpoint = opened.load_first(progress)
        index_of(checkpoint, progress)
        return opened, checkpoint
    except BaseException:
        opened.close()
        raise


def read_all(opened: OpenCheckpoint, progress: Progress) -> Checkpoint:
    """Decode everything but page contents."""
    checkpoint = opened.load(progress)
    index_of(checkpoint, progress)
    return checkpoint


def check(opened: OpenCheckpoint, checkpoint: Checkpoint, progress: Progress) -> TargetDiagnosis:
    """Diagnose a checkpoint for this host, with its base image where that is here."""
    with base_tree(opened, "", progress) as base:
        return diagnose_opened(opened, checkpoint, progress, this_host(), base)


def stacks_of(
    opened: OpenCheckpoint, checkpoint: Checkpoint, pids: Iterable[int], progress: Progress
) -> dict[int, FoundStacks]:
    """Return the stacks of processes, with the files of the base image where that is here."""
    with base_tree(opened, "", progress) as base:
        return dict(read_stacks(opened, checkpoint, pids, base, progress))
