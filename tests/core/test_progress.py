from concurrent.futures import ThreadPoolExecutor

import pytest

from ckpt_tui.core import progress as progress_module
from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress


def test_a_step_is_reported_when_it_starts() -> None:
    seen: list[tuple[str, int, int | None]] = []
    Progress(lambda *args: seen.append(args)).start("reading", 10)
    assert seen == [("reading", 0, 10)]


def test_many_ticks_make_few_reports() -> None:
    seen: list[int] = []
    progress = Progress(lambda _step, done, _total: seen.append(done))
    progress.start("counting")
    for _ in range(300_000):
        progress.tick()
    assert progress.done == 300_000
    assert len(seen) < 300


def test_nobody_interested_ends_the_work() -> None:
    with pytest.raises(Cancelled):
        Progress(cancelled=lambda: True).start("anything")


def test_only_beside_the_main_thread_the_interpreter_is_given_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[float] = []
    monkeypatch.setattr(progress_module.time, "sleep", given.append)
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(Progress, "_next_yield", 0.0)
    Progress().tick()
    assert given == []
    monkeypatch.setattr(Progress, "_next_yield", 0.0)
    with ThreadPoolExecutor(1) as beside:
        beside.submit(Progress().tick).result()
        beside.submit(Progress().tick).result()  # a job has many, and gives it away no more often
    assert given == [0]


def test_each_new_step_asks_however_quick_the_one_before_was() -> None:
    wanted = iter([False, True])
    progress = Progress(cancelled=lambda: next(wanted))
    progress.start("one")
    with pytest.raises(Cancelled):
        progress.start("two")
