"""Jobs in threads that count into one progress; the first failure ends them all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import REPORT_S, Progress, Uncounted

T = TypeVar("T")
R = TypeVar("R")


class Portion(Progress):
    """What one of the jobs counts; it adds up in the progress of all."""

    def __init__(self, count: Callable[[int], None]) -> None:
        super().__init__()
        self._count = count

    def tick(self, amount: int = 1) -> None:
        self.done += amount
        self._count(amount)


def side_by_side(jobs: Iterable[Callable[[Progress], None]], most: int, progress: Progress) -> None:
    """Run jobs, `most` at a time, begun in their order; each gets a progress of its own.

    Raises: what the first job raised that failed, once no job runs any more.
        Cancelled: the caller gave up.
    """
    ended = threading.Event()
    failures = list[BaseException]()  # in the order of time; those after the first follow from it
    lock = threading.Lock()

    def count(amount: int) -> None:
        if ended.is_set():
            raise Cancelled
        with lock:
            progress.tick(amount)

    def run(job: Callable[[Progress], None]) -> None:
        try:
            job(Portion(count))
        except BaseException as error:
            failures.append(error)
            ended.set()
            raise

    with ThreadPoolExecutor(most, "job") as pool:
        try:
            running = [pool.submit(run, job) for job in jobs]
            left = set[Future[None]](running)
            while left and not ended.is_set():
                _, left = wait(left, REPORT_S, FIRST_EXCEPTION)
                with lock:
                    progress.tick(0)  # a job may wait for the network for long
        finally:
            ended.set()
            pool.shutdown(cancel_futures=True)
    for error in failures:
        raise error


def both(
    task: Callable[[T, Progress], R],
    one: T,
    other: T,
    progress: Progress,
    let_go: Callable[[R], object] = lambda _: None,
) -> tuple[R, R]:
    """Run a task on two things, which is quicker where it unpacks or waits for a network. The first
    one is counted. `let_go` closes the result of one if the other fails.

    Raises: as `side_by_side`.
    """
    found: dict[int, R] = {}

    def first(_own: Progress) -> None:
        found[0] = task(one, progress)  # which shows its steps, too

    def second(own: Progress) -> None:
        found[1] = task(other, Uncounted(own))

    try:
        side_by_side((first, second), 2, progress)
    except BaseException:
        for result in found.values():
            let_go(result)
        raise
    return found[0], found[1]
