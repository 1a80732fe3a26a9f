"""The target of a headless command, opened while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ckpt_tui.cli.telling import asking_before_fetching, tell_transferred, told_progress
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint


@contextmanager
def opened_target(
    target: str, cancelled: Callable[[], bool] = lambda: False, *, locked: bool = False
) -> Iterator[tuple[OpenCheckpoint, Progress]]:
    """Open a target, telling a person at a terminal what takes long; for `locked` see
    `open_checkpoint`."""
    with told_progress(cancelled) as progress:
        asking = asking_before_fetching()
        opened = open_checkpoint(target, progress, before_fetching=asking, locked=locked)
        try:
            yield opened, progress
        finally:
            opened.close()
    tell_transferred(opened.transferred)
