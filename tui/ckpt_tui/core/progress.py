"""Telling a long job's progress, and hearing that it was cancelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

from ckpt_tui.core.errors import Cancelled

YIELD_S = 0.001
"""Seconds between giving the interpreter to the screen: a pure-Python loop that does not makes
paging three times slower."""

REPORT_S = 0.05
"""Seconds between looking for cancellation and reporting."""


def _silent(step: str, done: int, total: int | None) -> None:
    del step, done, total


def _wanted() -> bool:
    return False


class Progress:
    """Counts units (bytes, unless a step says otherwise) of one step after another.

    `report(step, done, total)` is called at most every `REPORT_S` seconds and at each new step;
    `total` is None where it is not known. `cancelled()` is asked as often.
    """

    _next_yield: ClassVar[float] = 0.0
    """When the interpreter is given away next, by whichever of them: there may be one for each of
    ten thousands of images."""

    def __init__(
        self,
        report: Callable[[str, int, int | None], None] = _silent,
        cancelled: Callable[[], bool] = _wanted,
    ) -> None:
        self._report = report
        self._cancelled = cancelled
        self._next_look = 0.0
        self._next_report = 0.0
        self.step = ""
        self.done = 0
        self.total: int | None = None

    def start(self, step: str, total: int | None = None) -> None:
        """Begin a step, named for a person ("reading layers"), of `total` units.

        Raises:
            Cancelled: the job was cancelled.
        """
        self.step, self.done, self.total = step, 0, total
        self.ask()

    def ask(self) -> None:
        """Look for cancellation, and report, however little time has passed: before a step that
        cannot be taken back.

        Raises:
            Cancelled: the job was cancelled.
        """
        self._next_look = self._next_report = 0.0
        self.tick(0)

    def tick(self, amount: int = 1) -> None:
        """Count `amount` more units; cheap enough to call per record.

        Raises:
            Cancelled: the job was cancelled.
        """
        if amount:  # one thread counts while another only asks
            self.done += amount
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + YIELD_S
        if now >= Progress._next_yield:
            Progress._next_yield = now + YIELD_S
            if threading.current_thread() is not threading.main_thread():  # which has the screen
                time.sleep(0)
        if now < self._next_report:
            return
        self._next_report = now + REPORT_S
        if self._cancelled():
            raise Cancelled
        self._report(self.step, self.done, self.total)


class Uncounted(Progress):
    """Asks another progress for cancellation and counts nothing: for bytes that are read on the
    way to a place where they are counted."""

    def __init__(self, counting: Progress) -> None:
        super().__init__()
        self.counting = counting

    def tick(self, amount: int = 1) -> None:
        del amount
        self.counting.tick(0)


def counted(pieces: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Pass bytes on, and count them."""
    for piece in pieces:
        progress.tick(len(piece))
        yield piece


def quiet() -> Progress:
    """Return a progress that reports nothing and is never cancelled."""
    return Progress()
