from __future__ import annotations

import threading
from contextlib import suppress

import pytest

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.sources.side_by_side import side_by_side


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
