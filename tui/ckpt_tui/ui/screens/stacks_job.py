"""Reading where processes were, in the background and without being asked."""

from __future__ import annotations

from functools import partial

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.of_checkpoint import with_stacks
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.panes.switcher import PaneSwitcher
from ckpt_tui.ui.screens.reading import stacks_of

MOST = 32
"""Processes whose stacks are read unasked; the tab Processes reads others on demand."""


def read_stacks(
    screen: JobHost, tabs: PaneSwitcher, opened: OpenCheckpoint, checkpoint: Checkpoint
) -> None:
    """Begin a job that reads stacks for all tabs, unless that would fetch something."""
    pids = with_stacks(checkpoint)[:MOST]
    if opened.transferred is not None or not pids or checkpoint.criu.packed_how:
        return
    tabs.take_stacks({}, reading=True)
    show = partial(tabs.take_stacks, reading=False)

    def give_up(_: object = None) -> None:
        if tabs.is_attached:
            show({})

    task = partial(stacks_of, opened, checkpoint, pids)
    screen.run("Reading where the processes were", task, show, failed=give_up, stopped=give_up)
