"""Jobs in threads: their count, their failures, and letting go of what one made."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from ckpt_tui.core.errors import Cancelled, CkptError
from ckpt_tui.core.parallel import both, side_by_side
from ckpt_tui.core.progress import Progress, quiet


def double(number: int, progress: Progress) -> int:
    progress.tick(number)
    return 2 * number


def test_both_results_come_in_order() -> None:
    progress = quiet()
    assert both(double, 2, 3, progress) == (4, 6)
    assert progress.done == 2, "the first one is counted"


@pytest.mark.parametrize("failing", [1, 2])
def test_what_the_other_one_made_is_let_go_of(failing: int) -> None:
    closed: list[int] = []
    made = threading.Event()

    def task(number: int, progress: Progress) -> int:
        if number == failing:
            made.wait()
            raise CkptError(f"{number} fails.")
        made.set()
        return 10 * number

    with pytest.raises(CkptError, match=f"{failing} fails"):
        both(task, 1, 2, quiet(), closed.append)
    assert closed == [10 * (3 - failing)]


def test_of_two_failures_the_first_is_told() -> None:
    closed: list[int] = []
    failed = threading.Event()

    def fail(number: int, progress: Progress) -> int:
        if number == 2:
            failed.wait()
        failed.set()
        raise CkptError(f"{number} fails.")

    with pytest.raises(CkptError, match="1 fails"):
        both(fail, 1, 2, quiet(), closed.append)
    assert closed == []


def test_a_failure_ends_the_other_one() -> None:
    def task(number: int, progress: Progress) -> int:
        if number == 1:
            raise CkptError("1 fails.")
        while True:
            progress.tick()

    with pytest.raises(CkptError, match="1 fails"):
        both(task, 1, 2, quiet())


def test_all_jobs_count_into_one_progress() -> None:
    progress = quiet()
    side_by_side((lambda own, n=n: own.tick(n) for n in range(5)), 2, progress)
    assert progress.done == 10


@pytest.mark.parametrize("first", [Cancelled(), OSError("the first")])
def test_what_failed_first_is_told(first: BaseException) -> None:
    failed = threading.Event()

    def fails(own: Progress) -> None:
        failed.set()
        raise first

    def fails_later(own: Progress) -> None:
        failed.wait()
        with suppress(Cancelled):
            while True:  # until the first is known
                own.tick(0)
        raise OSError("the connection broke")

    with pytest.raises(type(first)) as told:
        side_by_side([fails_later, fails], 2, quiet())
    assert told.value is first
