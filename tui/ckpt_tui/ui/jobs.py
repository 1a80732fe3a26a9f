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
from typing import Any, ClassVar, TypeVar

from textual import work
from textual.dom import DOMNode
from textual.message import Message
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
    then: Callable[[Any], object] | None
    """None: a job of `start_job`, whose messages are handled by the screen."""
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

    _after: ClassVar[int] = 0
    """How much later than its job the message is numbered."""

    @property
    def control(self) -> JobHost:
        return self.host

    @property
    def no_dispatch(self) -> bool:  # type: ignore[override] # Textual asks just before handling
        return self.host.latest_news != self.job + self._after


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
class JobDone(JobMessage, bubble=False, no_dispatch=None):
    """The job returned `result`. Who reads that owns it, and does so before the next job starts:
    what nobody has read is let go of then."""

    returned: object
    """The result, for `result` alone."""

    @property
    def result(self) -> object:
        """What the task returned; the reader's from now on."""
        self.host.take_over(self.job)
        return self.returned


@dataclass(eq=False)
class JobFailed(JobMessage, bubble=False, no_dispatch=None):
    """The job raised."""

    error: CkptError
    """Its sentences may hold foreign text: `printable` before they are shown."""


@dataclass(eq=False)
class JobCancelled(JobMessage, bubble=False, no_dispatch=None):
    """`cancel_job` was called while the job ran; the thread stops within a moment."""

    _after = 1


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


class JobHost(DOMNode):
    """Mixed into a screen, before `Screen`: runs one job at a time, a later one replaces it.

    A widget can be one, too. The job is shown in the `JobBar` below it if there is one.
    """

    latest_news = 0
    """Number of the latest job, one more once it was cancelled."""
    _current: _Running | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._unclaimed: dict[int, Callable[[], object]] = {}
        """By the number of a job, how to let go of its result; until it is handled. The thread
        stores and then looks whether it is wanted, the loop outdates a job and then sweeps: `pop`
        gives each to one of them only."""
        self._given: dict[int, tuple[Task[Any], Callable[[Any], object] | None]] = {}
        """What a job is to do, until its thread begins. Textual keeps the arguments of a worker
        for as long as the collector of cycles does not look."""

    @property
    def job_bars(self) -> Iterable[JobBar]:
        """Where the job is shown."""
        return self.query(JobBar)

    @property
    def job_running(self) -> bool:
        """Whether a job has been started and has not ended."""
        return self._current is not None

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
        self._begin(
            name, task, let_go, then, failed or self.job_failed, stopped or self.job_stopped
        )

    def job_failed(self, error: CkptError) -> None:
        """Show why a job failed, where its caller has no better place for it."""
        self.app.notify(printable(str(error)), severity="error", markup=False)

    def job_stopped(self) -> None:
        """Follow up on a cancelled job whose caller has nothing to do then."""

    def start_job(
        self, name: str, task: Task[Any], let_go: Callable[[Any], object] | None = None
    ) -> None:
        """Run `task` as `run` does; its end is a `JobDone`, `JobFailed` or `JobCancelled`."""
        self._begin(name, task, let_go, None, self.job_failed, self.job_stopped)

    def _begin(
        self,
        name: str,
        task: Task[Any],
        let_go: Callable[[Any], object] | None,
        then: Callable[[Any], object] | None,
        failed: Callable[[CkptError], object],
        stopped: Callable[[], object],
    ) -> None:
        self._outdate()
        self._given = {self.latest_news: (task, let_go)}
        self._current = _Running(self.latest_news, name, then, failed, stopped)
        for bar in self.job_bars:
            bar.begin(name)
        self._work(self.latest_news, name)

    def cancel_job(self) -> bool:
        """Ask the running job to stop, and follow up on that; return whether there was one."""
        current = self._current
        self.abandon_job()
        if current is None:
            return False
        if current.then is None:
            self.post_message(JobCancelled(self, current.number, current.name))
        else:
            current.stopped()
        return True

    def abandon_job(self) -> None:
        """Ask the running job to stop, if there is one; nothing comes after it."""
        if self._current is not None:
            self._end_job()
            self._outdate()
            self.workers.cancel_group(self, "job")

    def take_over(self, job: int) -> None:
        """Leave the result of a job to the caller."""
        self._unclaimed.pop(job, None)

    def _outdate(self) -> None:
        """Let no news of the jobs so far be handled, and let go of the results among it."""
        self.latest_news += 1
        for job in tuple(self._unclaimed):
            self._drop(job)

    def _drop(self, job: int) -> None:
        let_go = self._unclaimed.pop(job, None)
        if let_go is not None:
            let_go()

    def on_unmount(self) -> None:
        self._outdate()

    @work(thread=True, exclusive=True, group="job", exit_on_error=False)
    def _work(self, job: int, name: str) -> None:
        worker, given = get_current_worker(), self._given.pop(job, None)
        if given is None:  # another job came before this one began
            return
        task, let_go = given

        def report(step: str, done: int, total: int | None) -> None:
            self.post_message(JobProgress(self, job, name, step, done, total))

        def unwanted() -> bool:
            return worker.is_cancelled or self.latest_news != job

        try:
            result = task(Progress(report, unwanted))
        except Cancelled:
            return
        except Exception as error:  # whatever it is becomes words on the screen, never a crash
            self.post_message(JobFailed(self, job, name, explained(name, error)))
            return
        finally:
            # the thread waits for its next job, and would keep this one's screen until then
            active_worker.set(None)  # type: ignore[arg-type] # Textual has no word for none
        if let_go is not None:
            self._unclaimed[job] = partial(let_go, result)
        self.post_message(JobDone(self, job, name, result))
        if self.latest_news != job:
            self._drop(job)

    def _end_job(self) -> None:
        self._current = None
        for bar in self.job_bars:
            bar.end()

    def _on_job_progress(self, message: JobProgress) -> None:
        if self._current is not None:
            for bar in self.job_bars:
                bar.advance(message.step, message.done, message.total)

    async def _on_job_done(self, message: JobDone) -> None:
        current = self._current
        if current is None or current.then is None or current.number != message.job:
            self._settled(message)
        else:
            self._end_job()
            await self._follow_up(current.then(message.result))

    async def _on_job_failed(self, message: JobFailed) -> None:
        current = self._current
        if current is None or current.then is None or current.number != message.job:
            self._settled(message)
        else:
            self._end_job()
            await self._follow_up(current.failed(message.error))

    @staticmethod
    async def _follow_up(called: object) -> None:
        if iscoroutine(called):
            await called
        collector.keep_all()

    def _settled(self, message: JobMessage) -> None:
        collector.keep_all()
        # A handler of the screen ran before this one and may have started the next job.
        if self._current is not None and self._current.number == message.job:
            self._end_job()
