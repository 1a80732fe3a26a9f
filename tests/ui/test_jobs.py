"""Jobs: results arrive, stale ones never, failures are words, quitting waits for nobody."""

from __future__ import annotations

import gc
import threading
import weakref
from functools import partial
from typing import Any

import pytest
from demo import screen_text
from textual import on
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.ui.jobs import JobEnded, JobHost, JobProgress, Task, explained
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.job_bar import JobBar


class Desk(JobHost, Screen[None]):
    """Keeps what its handlers were told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, object]] = []
        self.chain: list[Any] = []

    def compose(self) -> ComposeResult:
        yield JobBar()

    def start(self, name: str, task: Task[Any], let_go: Any = None) -> None:
        self.run(
            name,
            task,
            self.keep_result,
            let_go,
            failed=lambda error: self.told.append(("failed", error)),
            stopped=lambda: self.told.append(("stopped", name)),
        )

    def keep_result(self, result: object) -> None:
        self.told.append(("done", result))
        if self.chain:
            self.start("next", self.chain.pop())

    @on(JobProgress)
    def keep_progress(self, message: JobProgress) -> None:
        self.told.append(("progress", message.done))


class Office(ThemedApp[None]):
    def on_mount(self) -> None:
        self.push_screen(Desk())


async def settle(app: Office, pilot: Any) -> None:
    """Wait until no job runs any more."""
    for _ in range(1000):
        await pilot.pause()
        if not desk(app).job_running:
            return
    raise AssertionError("the job does not end")


@pytest.fixture
def open_gate() -> Any:
    """An event that threads may wait for; set at the end, so that none is left behind."""
    gate = threading.Event()
    yield gate
    gate.set()


def desk(app: Office) -> Desk:
    screen = app.screen
    assert isinstance(screen, Desk)
    return screen


async def test_a_result_arrives_and_the_bar_goes() -> None:
    app = Office()
    async with app.run_test() as pilot:
        desk(app).start("Opening", lambda progress: 42)
        assert desk(app).job_running
        assert desk(app).query_one(JobBar).has_class("-running")
        await settle(app, pilot)
        assert desk(app).told == [("done", 42)]
        assert not desk(app).job_running
        assert not desk(app).query_one(JobBar).has_class("-running")


async def test_a_stale_result_is_dropped(open_gate: threading.Event) -> None:
    """The first task ignores cancellation and returns after the second one has begun."""
    app = Office()
    entered = threading.Event()

    def stubborn(progress: Progress) -> str:
        entered.set()
        open_gate.wait(10)
        return "old"

    async with app.run_test() as pilot:
        screen = desk(app)
        screen.start("first", stubborn)
        await pilot.pause()
        assert entered.wait(10)
        screen.start("second", lambda progress: (open_gate.set(), "young")[1])
        await settle(app, pilot)
        # the abandoned thread has no worker to wait for; send what it would send
        screen.post_message(JobEnded(screen, 1, "first", "old"))
        screen.post_message(JobEnded(screen, 1, "first", error=CkptError("old")))
        screen.post_message(JobProgress(screen, 1, "first", "old", 1, 2))
        await pilot.pause()
        assert screen.told == [("done", "young")]


class Opening:
    """A task whose result holds something open; it does not hear that nobody wants it."""

    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate
        self.entered = threading.Event()
        self.closed: list[object] = []

    def run(self, progress: Progress) -> str:
        del progress
        self.entered.set()
        self._gate.wait(10)
        return "opened"

    async def closed_in_time(self, pilot: Any) -> list[object]:
        """Wait until something is closed, and a little longer."""
        for _ in range(1000):
            await pilot.pause(0.001)
            if self.closed:
                break
        await pilot.pause(0.01)
        return self.closed


async def cancel(app: Office) -> None:
    desk(app).cancel_job()


async def replace(app: Office) -> None:
    desk(app).start("next", lambda progress: None)


async def leave(app: Office) -> None:
    await app.pop_screen()


OUTDATING = (cancel, replace, leave)


@pytest.mark.parametrize("outdate", OUTDATING)
async def test_what_a_result_holds_is_let_go_of_if_it_comes_too_late(
    open_gate: threading.Event, outdate: Any
) -> None:
    app, opening = Office(), Opening(open_gate)
    async with app.run_test() as pilot:
        screen = desk(app)
        screen.start("opening", opening.run, opening.closed.append)
        await pilot.pause()
        assert opening.entered.wait(10)
        await outdate(app)
        await pilot.pause()
        assert opening.closed == []
        open_gate.set()
        assert await opening.closed_in_time(pilot) == ["opened"]
    assert opening.closed == ["opened"]
    assert ("done", "opened") not in screen.told


@pytest.mark.parametrize("outdate", OUTDATING)
async def test_what_a_result_holds_is_let_go_of_if_nobody_has_looked_at_it(
    open_gate: threading.Event, outdate: Any
) -> None:
    app, opening = Office(), Opening(open_gate)
    async with app.run_test() as pilot:
        screen = desk(app)
        posted = threading.Event()
        real = screen.post_message

        def hold_back(message: Message) -> bool:
            if not isinstance(message, JobEnded):
                return real(message)
            posted.set()
            return True

        screen.post_message = hold_back  # type: ignore[method-assign]
        screen.start("opening", opening.run, opening.closed.append)
        await pilot.pause()
        open_gate.set()
        assert posted.wait(10)
        assert opening.closed == []
        await outdate(app)
        assert await opening.closed_in_time(pilot) == ["opened"]
    assert opening.closed == ["opened"]


@pytest.mark.parametrize("outdate", OUTDATING)
async def test_a_result_that_was_looked_at_is_the_handlers(
    open_gate: threading.Event, outdate: Any
) -> None:
    app, opening = Office(), Opening(open_gate)
    open_gate.set()
    async with app.run_test() as pilot:
        screen = desk(app)
        screen.start("opening", opening.run, opening.closed.append)
        await settle(app, pilot)
        assert ("done", "opened") in screen.told
        await outdate(app)
        await pilot.pause(0.01)
    assert opening.closed == []


async def test_quitting_lets_go_of_a_result_that_comes_later(open_gate: threading.Event) -> None:
    app, opening = Office(), Opening(open_gate)
    closed = threading.Event()

    def let_go(result: object) -> None:
        opening.closed.append(result)
        closed.set()

    async with app.run_test() as pilot:
        desk(app).start("opening", opening.run, let_go)
        await pilot.pause()
        assert opening.entered.wait(10)
        await app.action_quit()
    open_gate.set()
    assert closed.wait(10)
    assert opening.closed == ["opened"]


async def test_a_handler_may_start_the_next_job() -> None:
    app = Office()
    async with app.run_test() as pilot:
        screen = desk(app)
        screen.chain.append(lambda progress: "third")
        screen.start("first", lambda progress: "first")
        screen.post_message(JobProgress(screen, 1, "first", "early", 0, 2))
        await settle(app, pilot)
        screen.post_message(JobProgress(screen, 1, "first", "late", 1, 2))
        await settle(app, pilot)
        assert [told for told in screen.told if told[0] == "done"] == [
            ("done", "first"),
            ("done", "third"),
        ]
        assert ("progress", 0) in screen.told
        assert ("progress", 1) not in screen.told
        assert not screen.job_running


async def test_many_ticks_are_few_messages() -> None:
    def counting(progress: Progress) -> int:
        progress.start("counting", 300_000)
        for _ in range(300_000):
            progress.tick()
        return progress.done

    messages: list[Message] = []
    app = Office()
    async with app.run_test(message_hook=messages.append) as pilot:
        desk(app).start("counting", counting)
        await settle(app, pilot)
        assert ("done", 300_000) in desk(app).told
    handled = {id(m) for m in messages if isinstance(m, JobProgress)}
    assert 1 <= len(handled) < 60


async def test_waiting_progress_is_replaced() -> None:
    app = Office()
    async with app.run_test() as pilot:
        screen = desk(app)
        screen.runner.latest_news = 5
        for done in range(200):
            screen.post_message(JobProgress(screen, 5, "x", "reading", done, 200))
        await pilot.pause()
        assert screen.told[-1] == ("progress", 199)
        assert len(screen.told) < 10


async def test_cancelling_tells_once_and_the_thread_stops(open_gate: threading.Event) -> None:
    ended = threading.Event()

    def endless(progress: Progress) -> None:
        try:
            while not open_gate.is_set():
                progress.tick()
        finally:
            ended.set()

    app = Office()
    async with app.run_test() as pilot:
        screen = desk(app)
        assert not screen.cancel_job()
        screen.start("endless", endless)
        await pilot.pause()
        assert screen.cancel_job()
        assert not screen.cancel_job()
        await pilot.pause()
        assert [told for told in screen.told if told[0] != "progress"] == [("stopped", "endless")]
        assert ended.wait(10)
        assert not screen.query_one(JobBar).has_class("-running")


async def test_quitting_does_not_wait_for_a_job(open_gate: threading.Event) -> None:
    ended = threading.Event()

    def endless(progress: Progress) -> None:
        try:
            while not open_gate.is_set():
                progress.tick()
        finally:
            ended.set()

    app = Office()
    async with app.run_test() as pilot:
        desk(app).start("endless", endless)
        await pilot.pause()
        await app.action_quit()
    assert ended.wait(10)
    assert not open_gate.is_set()


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (CkptError("web.tar is damaged.", "Why.", "Try."), "web.tar is damaged. Why. Try."),
        (KeyError("pid"), "Reading: failed. The program made a mistake: KeyError: 'pid'"),
        (OSError(28, "No space left on device", "/x"), "No space left on device (/x)."),
        (RecursionError("deep"), "RecursionError: deep"),
        (MemoryError(), "There is not enough memory."),
    ],
)
async def test_a_task_that_raises_is_told_in_words(raised: Exception, words: str) -> None:
    def failing(progress: Progress) -> None:
        raise raised

    app = Office()
    async with app.run_test() as pilot:
        desk(app).start("Reading", failing)
        await settle(app, pilot)
        kind, error = desk(app).told[-1]
        assert kind == "failed"
        assert isinstance(error, CkptError)
        assert words in str(error)
        assert not desk(app).job_running
        assert app.return_code is None


def test_our_own_errors_are_not_rewritten() -> None:
    error = CkptError("what", "why", "hint")
    assert explained("name", error) is error


async def test_a_job_is_never_described_by_its_arguments() -> None:
    printed = []

    class Vast:
        def __repr__(self) -> str:
            printed.append(self)
            return "a whole checkpoint"

    app = Office()
    async with app.run_test() as pilot:
        desk(app).start("x", partial(lambda vast, progress: type(vast), Vast()))
        await settle(app, pilot)
        assert desk(app).told == [("done", Vast)]
    assert not printed


async def test_the_bar_shows_what_the_job_reports(open_gate: threading.Event) -> None:
    def reading(progress: Progress) -> None:
        progress.start("reading layers", 4 << 20)
        open_gate.wait(10)

    app = Office()
    async with app.run_test(size=(80, 24)) as pilot:
        desk(app).start("Opening", reading)
        for _ in range(200):
            await pilot.pause()
            if "reading layers" in screen_text(app):
                break
        assert "0 B of 4.00 MiB" in screen_text(app)
        assert "esc cancels" in screen_text(app)
        open_gate.set()


async def test_a_job_that_is_over_keeps_nothing() -> None:
    class Thing:
        """What a job works on, and what it returns."""

    def start(desk: Desk) -> tuple[weakref.ref[Thing], weakref.ref[Thing]]:
        given, made = Thing(), Thing()

        def task(progress: Progress, results: list[Thing] = [made]) -> Thing:  # noqa: B006
            assert given
            return results.pop()

        desk.start("working", task)
        return weakref.ref(given), weakref.ref(made)

    app = Office()
    async with app.run_test() as pilot:
        desk = app.screen
        assert isinstance(desk, Desk)
        before = gc.isenabled()
        gc.disable()
        try:
            given, made = start(desk)
            await settle(app, pilot)
            desk.told.clear()
            await pilot.pause()
            assert (given(), made()) == (None, None)
        finally:
            if before:
                gc.enable()


async def test_a_failure_is_a_toast_unless_the_caller_wants_it() -> None:
    def failing(progress: Progress) -> str:
        raise CkptError("web.tar is damaged.", "Its header\x1b ends early.")

    app = Office()
    async with app.run_test(notifications=True) as pilot:
        desk(app).run("Reading", failing, desk(app).keep_result)
        await settle(app, pilot)
        said = [str(toast.message) for toast in app._notifications]
        assert said == [r"web.tar is damaged. Its header\x1b ends early."]
        assert desk(app).told == []


async def test_what_comes_next_may_wait() -> None:
    app = Office()
    async with app.run_test() as pilot:
        screen = desk(app)

        async def then(result: str) -> None:
            await screen.query_one(JobBar).remove()
            screen.told.append((result, len(screen.query(JobBar))))

        screen.run("Reading", lambda progress: "read", then)
        await settle(app, pilot)
        assert screen.told == [("read", 0)]


async def test_an_abandoned_job_tells_nobody(open_gate: threading.Event) -> None:
    app, opening = Office(), Opening(open_gate)
    async with app.run_test() as pilot:
        screen = desk(app)
        screen.start("opening", opening.run, opening.closed.append)
        await pilot.pause()
        assert opening.entered.wait(10)
        screen.abandon_job()
        assert not screen.job_running
        open_gate.set()
        assert await opening.closed_in_time(pilot) == ["opened"]
        assert screen.told == []
