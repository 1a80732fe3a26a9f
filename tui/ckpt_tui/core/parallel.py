"""The same work on two things at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ckpt_tui.core.progress import Progress, Uncounted

T = TypeVar("T")
R = TypeVar("R")


def both(
    task: Callable[[T, Progress], R],
    one: T,
    other: T,
    progress: Progress,
    let_go: Callable[[R], object] = lambda _: None,
) -> tuple[R, R]:
    """Run a task on two things, which is quicker where it unpacks or waits for a network. The first
    one is counted. `let_go` closes the result of one if the other fails.

    Raises:
        CkptError: what the first raised, else what the second did.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(task, other, Uncounted(progress))
        try:
            first = task(one, progress)
        except BaseException:
            if waiting.exception() is None:
                let_go(waiting.result())
            raise
        try:
            return first, waiting.result()
        except BaseException:
            let_go(first)
            raise
