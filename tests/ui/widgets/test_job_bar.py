"""The line of a running job."""

from __future__ import annotations

from typing import Any

import pytest
from demo import HOSTILE, Demo, assert_harmless

from ckpt_tui.ui.widgets.job_bar import JobBar, Rate, job_line


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_is_that_of_the_last_moments() -> None:
    clock = Clock()
    rate = Rate(clock)
    assert rate.per_second is None
    for second in range(10):
        clock.now = float(second)
        rate.note(second * 100 if second < 5 else 500 + (second - 5) * 1000)
    assert rate.per_second == pytest.approx(1000)
    rate.restart()
    assert rate.per_second is None


def test_a_known_total_has_a_bar_and_both_amounts() -> None:
    line = job_line("reading layers", 412 << 20, 1229 << 20, 250e6, 100).plain
    assert "412 MiB of 1.20 GiB  238 MiB/s" in line
    assert (line.count("━"), line.count("─")) == (6, 13)
    assert line.endswith("esc cancels")


def test_an_unknown_total_has_no_bar_and_no_share() -> None:
    line = job_line("copying", 5 << 20, None, None, 100).plain
    assert "5.00 MiB" in line
    assert " of " not in line
    assert "━" not in line


@pytest.mark.parametrize("width", range(30, 121, 7))
def test_the_line_fits_and_keeps_the_key(width: int) -> None:
    line = job_line("unpacking /a/very/long/path/" + "x" * 80, 1 << 30, 2 << 30, 1e9, width)
    assert line.width <= width
    assert line.plain.endswith("esc cancels")
    assert "unpack" in line.plain


class Shown(Demo):
    def __init__(self, step: str, total: int | None) -> None:
        self.clock = Clock()
        super().__init__(lambda: JobBar(clock=self.clock))
        self.step, self.total = step, total

    def on_mount(self) -> None:
        bar = self.query_one(JobBar)
        bar.begin("Opening web-0.tar")
        for second in (0.0, 1.0):
            self.clock.now = second
            bar.advance(self.step, int(412 * second) << 20, self.total)


async def test_a_hostile_step_is_only_letters() -> None:
    app = Shown(HOSTILE.replace("\\x1b", "\x1b"), None)
    async with app.run_test(size=(140, 24)):
        assert_harmless(app)


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(Shown("reading layers", 1229 << 20), terminal_size=(80, 24))


def test_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(Shown("reading layers", None), terminal_size=(120, 40))
