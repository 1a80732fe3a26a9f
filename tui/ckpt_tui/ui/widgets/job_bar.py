"""One line that says what long work is doing, how much of how much, and how fast."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from textual.content import Content
from textual.widget import Widget

from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.ui.widgets.painting import as_content
from ckpt_tui.views.bars import progress
from ckpt_tui.views.table import fit

RATE_WINDOW_S = 3.0
"""Seconds over which the rate is taken: long enough to be calm, short enough to be true."""

_NAME = 16
"""Cells that the step keeps of its name before numbers have a place."""

_BAR = 20
"""Cells of the bar where there is room."""


class Rate:
    """Units per second over the last moments."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def restart(self) -> None:
        """Forget what was seen: another step has begun."""
        self._seen.clear()

    def note(self, done: int) -> None:
        """Take down how far the work is at this moment."""
        now = self._clock()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[0][0] > RATE_WINDOW_S:
            self._seen.popleft()

    @property
    def per_second(self) -> float | None:
        """None until there are enough measurements."""
        if len(self._seen) < 2:
            return None
        (start, first), (end, last) = self._seen[0], self._seen[-1]
        return (last - first) / (end - start) if end - start >= 0.2 else None


def job_line(
    step: str, done: int, total: int | None, per_second: float | None, width: int
) -> Styled:
    """Return the line: step, bar, amounts, rate, and the key that stops it.

    `step` is printable. Without a total there is no bar and no share, only bytes and rate.
    """
    amount = f"{human_bytes(done)} of {human_bytes(total)}" if total else human_bytes(done)
    rate = f"  {human_bytes(per_second)}/s" if per_second is not None else ""
    numbers = amount + rate if done or total else ""
    keys = styled(("esc", "heading"), (" cancels", "muted"))
    room = width - 2 - keys.width - 2
    bar_cells = _BAR if total and room >= len(numbers) + _BAR + _NAME + 4 else 0
    line = styled(" ")
    left = room - (len(numbers) + 2 if numbers else 0) - (bar_cells + 2 if bar_cells else 0)
    if left < _NAME:  # what is done matters more than how fast, and that more than how much
        numbers, left = amount if numbers else "", left + len(rate)
    if left < _NAME:
        numbers, left = "", room
    needed = min(left, len(step))
    line += (str(fit(step, max(needed, 0), shrink="middle")), "strong")
    if bar_cells and total:
        line = styled(line, "  ", progress(done, total, bar_cells))
    line += f"  {numbers}" if numbers else ""
    return styled(line, " " * max(2, width - 1 - line.width - keys.width), keys)


class JobBar(Widget):
    """Yielded last before the key line; there only while a job runs. `JobHost` drives it."""

    DEFAULT_CSS = """
    JobBar { height: 1; display: none; background: $panel; }
    JobBar.-running { display: block; }
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._rate = Rate(clock)
        self._step = ""
        self._done = 0
        self._total: int | None = None

    def begin(self, name: str) -> None:
        """Show the line; `name` is its text until a step reports."""
        self._rate.restart()
        self._set(name, 0, None)
        self.add_class("-running")

    def advance(self, step: str, done: int, total: int | None) -> None:
        """Show how far a step is, in bytes; the name of the job stays if the step has none."""
        if step and printable(step) != self._step:
            self._rate.restart()
        self._rate.note(done)
        self._set(step or self._step, done, total)

    def end(self) -> None:
        """Take the line away."""
        self.remove_class("-running")

    def _set(self, step: str, done: int, total: int | None) -> None:
        self._step, self._done, self._total = printable(step), done, total
        self.refresh()

    def render(self) -> Content:
        width = self.size.width
        return as_content(
            job_line(self._step, self._done, self._total, self._rate.per_second, width)
        )
