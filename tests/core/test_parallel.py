"""Two things at a time, and letting go of one when the other fails."""

from __future__ import annotations

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.parallel import both
from ckpt_tui.core.progress import Progress, quiet


def double(number: int, progress: Progress) -> int:
    if number < 0:
        raise CkptError(f"{number} is negative.")
    progress.tick(number)
    return 2 * number


def test_both_results_come_in_order() -> None:
    progress = quiet()
    assert both(double, 2, 3, progress) == (4, 6)
    assert progress.done == 2, "the first one is counted"


@pytest.mark.parametrize(("one", "other", "kept"), [(-1, 5, 10), (5, -1, 10)])
def test_the_one_that_did_not_fail_is_let_go_of(one: int, other: int, kept: int) -> None:
    closed: list[int] = []
    with pytest.raises(CkptError, match="-1 is negative"):
        both(double, one, other, quiet(), closed.append)
    assert closed == [kept]


def test_of_two_failures_the_first_is_told() -> None:
    closed: list[int] = []
    with pytest.raises(CkptError, match="-1"):
        both(double, -1, -2, quiet(), closed.append)
    assert closed == []
