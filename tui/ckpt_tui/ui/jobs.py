"""Core work in a thread: the only worker that computes, and what comes after it.

A cancelled thread is only asked to stop, and its last messages arrive all the same. So jobs are
numbered, and a message of any but the latest is dropped before it is handled. What its result
holds open is closed then by the `let_go` of `JobHost.run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from inspect import iscoroutine
from typing import Any, TypeVar
from weakref import ref

from textual.dom import DOMNode
from textual.message import Message
from textual.screen import Screen
from textual.worker import active_worker, get_current_worker

from ckpt_tui.core.errors import Cancelled, CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui import collector
from ckpt_tui.ui.widgets.job_bar import JobBar

ResultT = TypeVar("ResultT")

Task = Callable[[Progress], ResultT]
"""What a job does. Runs in a thread, so it touches no widget; raises `CkptError`."""


@dataclass(frozen=True, slots=True)
class _Running:
    """The present job, and what comes after it, in the loop of the screen."""

    number: int
    name: str
    then: Callable[[Any], object]
    failed: Callable[[CkptError], object]
    stopped: Callable[[], object]


@dataclass(eq=False)
class JobMessage(Message, bubble=False, no_dispatch=None):
    """News of a job, dropped unhandled once another job has begun or this one was cancelled."""

    host: JobHost
    job: int
    """Number of the job."""
    name: str
    """As given to `JobHost.run`."""

    @property
    def control(self) -> JobHost:
        return self.host

    @property
    def no_dispatch(self) -> bool:  # type: ignore[override] # Textual asks just before handling
        return self.host.runner.latest_news != self.job


@dataclass(eq=False)
class JobProgress(JobMessage, bubble=False, no_dispatch=None):
    """How far the job is; one waiting to be handled is replaced by the next."""

    step: str
    done: int
    """Units of this step, bytes unless its name says otherwise."""
    total: int | None
    """None: not known."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, JobProgress) and message.host is self.host


@dataclass(eq=False)
class JobEnded(JobMessage, bubble=False, no_dispatch=None):
    """The job returned a result, or raised."""

    result: object = None
    error: CkptError | None = None
    """Its sentences may hold foreign text: `printable` before they are shown."""


def explained(name: str, error: Exception) -> CkptError:
    """Return any error in the program's three sentences."""
    if isinstance(error, CkptError):
        return error
    if isinstance(error, OSError):
        reason = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        return CkptError(f"{name}: failed.", f"The system says: {reason}{where}.")
    if isinstance(error, MemoryError):
        return CkptError(f"{name}: failed.", "There is not enough memory.")
    return CkptError(
        f"{name}: failed.",
        f"The program made a mistake: {type(error).__name__}: {error}",
        "Please report it, with the input if you can share it.",
    )


def read_block(window: ByteWindow, offset: int, length: int) -> bytes | CkptError:
    """Return bytes for a view, or why there are none; for a thread, never raises."""
    try:
        return window.read(offset, length)
    except Exception as error:  # a view shows the reason in place of the bytes
        return explained("Reading the bytes", error)


class _Results:
    """Results of jobs that nothing has been done with yet, and how to close what they hold open.

    The thread stores one and then looks whether it is wanted, the loop outdates a job and then
    sweeps: `pop` gives each to one of them only.
    """

    def __init__(self) -> None:
        self._let_go: dict[int, Callable[[], object]] = {}

    def keep(self, job: int, let_go: Callable[[], object]) -> None:
        self._let_go[job] = let_go

    def take_over(self, job: int) -> None:
        """Leave the result of a job to the caller."""
        self._let_go.pop(job, None)

    def drop(self, *jobs: int) -> None:
        """Close the results of these jobs, without any of all."""
        for job in jobs or tuple(self._let_go):
            if (let_go := self._let_go.pop(job, None)) is not None:
                let_go()


class _Runner:
    """Runs the jobs of a host, and knows the present one."""

    def __init__(self, host: JobHost) -> None:
        self.latest_news = 0
        """Number of the latest job, one more once it was cancelled."""
        self.current: _Running | None = None
        self._host = host
        self._results = _Results()
        self._given: dict[int, tuple[Task[Any], Callable[[Any], object] | None]] = {}
        """What a job is to do, until its thread begins. Textual keeps the arguments of a worker
        for as long as the collector of cycles does not look."""

    def begin(
        self, running: _Running, task: Task[Any], let_go: Callable[[Any], object] | None
    ) -> None:
        self._given = {running.number: (task, let_go)}
        self.current = running
        for bar in self._host.job_bars:
            bar.begin(running.name)
        work = partial(self._work, running.number, running.name)
        self._host.run_worker(
            work, thread=True, exclusive=True, group="job", exit_on_error=False, name=running.name
        )

    def end(self) -> None:
        """Note that no job runs any more."""
        self.current = None
        for bar in self._host.job_bars:
            bar.end()

    def outdate(self) -> int:
        """Let no news of the jobs so far be handled, and let go of the results among it; return
        the number of the next job."""
        self.latest_news += 1
        self._results.drop()
        return self.latest_news

    def _work(self, job: int, name: str) -> None:
        """Do the job in its thread."""
        worker, given, host = get_current_worker(), self._given.pop(job, None), self._host
        if given is None:  # another job came before this one began
            return
        task, let_go = given

        def report(step: str, done: int, total: int | None) -> None:
            host.post_message(JobProgress(host, job, name, step, done, total))

        def unwanted() -> bool:
            return worker.is_cancelled or self.latest_news != job

        try:
            result = task(Progress(report, unwanted))
        except Cancelled:
            return
        except Exception as error:  # whatever it is becomes words on the screen, never a crash
            host.post_message(JobEnded(host, job, name, error=explained(name, error)))
            return
        finally:
            # the thread waits for its next job, and would keep this one's screen until then
            active_worker.set(None)  # type: ignore[arg-type] # Textual has no word for none
        if let_go is not None:
            self._results.keep(job, partial(let_go, result))
        host.post_message(JobEnded(host, job, name, result))
        if self.latest_news != job:
            self._results.drop(job)

    async def follow_up(self, message: JobEnded) -> None:
        """Do what comes after a job."""
        current = self.current
        if current is None or current.number != message.job:
            return
        self.end()
        if message.error is not None:
            called = current.failed(message.error)
        else:
            self._results.take_over(message.job)
            called = current.then(message.result)
        if iscoroutine(called):
            await called
        collector.keep_all()


class JobHost(DOMNode):
    """Mixed into a screen, before `Screen`: runs one job at a time, a later one replaces it.

    A widget can be one, too. The job is shown in the `JobBar` below it if there is one.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.runner = _Runner(self)

    @property
    def job_bars(self) -> Iterable[JobBar]:
        """Where the job is shown."""
        return self.query(JobBar)

    @property
    def job_running(self) -> bool:
        """Whether a job has been started and has not ended."""
        return self.runner.current is not None

    def run(
        self,
        name: str,
        task: Task[ResultT],
        then: Callable[[ResultT], object],
        let_go: Callable[[ResultT], object] | None = None,
        *,
        failed: Callable[[CkptError], object] | None = None,
        stopped: Callable[[], object] | None = None,
    ) -> None:
        """Run `task` in a thread, then call `then` with its result; a running job is abandoned.

        `name` is what is being done, for a person: "Opening web-0.tar". `let_go` closes what the
        result holds open if it comes too late for `then`. `failed` gets the error, by default
        `job_failed`; `stopped` is called by `cancel_job`, by default `job_stopped`. All but `task`
        and `let_go` run in the loop of the screen and may start the next job; `then` and `failed`
        may be coroutines.
        """
        follow = failed or self.job_failed, stopped or self.job_stopped
        self.runner.begin(_Running(self.runner.outdate(), name, then, *follow), task, let_go)

    def job_failed(self, error: CkptError) -> None:
        """Show why a job failed, where its caller has no better place for it."""
        self.app.notify(printable(str(error)), severity="error", markup=False)

    def job_stopped(self) -> None:
        """Follow up on a cancelled job whose caller has nothing to do then."""

    def cancel_job(self) -> bool:
        """Ask the running job to stop, and follow up on that; return whether there was one."""
        current = self.runner.current
        self.abandon_job()
        if current is None:
            return False
        current.stopped()
        return True

    def abandon_job(self) -> None:
        """Ask the running job to stop, if there is one; nothing comes after it."""
        if self.job_running:
            self.runner.end()
            self.runner.outdate()
            self.workers.cancel_group(self, "job")

    def on_unmount(self) -> None:
        self.runner.outdate()
        if isinstance(self, Screen):
            # set from the app's own handler: one set here would keep this screen as its sender
            give_back = partial(collector.give_back, self.app, ref(self))
            self.app.call_later(self.app.set_timer, collector.LEFT_S, give_back)

    def _on_job_progress(self, message: JobProgress) -> None:
        for bar in self.job_bars if self.job_running else ():
            bar.advance(message.step, message.done, message.total)

    async def _on_job_ended(self, message: JobEnded) -> None:
        await self.runner.follow_up(message)
