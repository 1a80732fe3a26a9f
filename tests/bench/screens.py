"""Measures how the screens keep up with many descriptors, and prints lines of a table.

    PYTHONPATH=tui:tests .venv/bin/python tests/bench/screens.py [PROCESSES] [DESCRIPTORS]

What counts is the wall time until the first tab is drawn, imports included, and the longest time
that the event loop was held in each step: that is the longest frame. No terminal is drawn to.
"""

from __future__ import annotations

import time

BEGUN = time.perf_counter()

import asyncio  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Awaitable, Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

BEAT_S = 0.002
FILES_TAB, SOCKETS_TAB = 3, 4
PATIENCE_S = 300


class Beat:
    """Wakes every few milliseconds and keeps the longest delay, and how much of the processor the
    thread of the screen had at most between two."""

    def __init__(self) -> None:
        self.longest = self.busiest = 0.0

    def reset(self) -> None:
        self.longest = self.busiest = 0.0

    async def run(self) -> None:
        while True:
            before, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(BEAT_S)
            self.busiest = max(self.busiest, time.thread_time() - used)
            self.longest = max(self.longest, time.perf_counter() - before - BEAT_S)


async def until(wanted: Callable[[], object]) -> None:
    """Wait for something to become true."""
    for _ in range(int(PATIENCE_S / BEAT_S)):
        if wanted():
            return
        await asyncio.sleep(BEAT_S)
    raise TimeoutError


async def measure(folder: Path) -> None:
    """Drive the app through its tabs."""
    from ckpt_tui.ui.app import CkptApp
    from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
    from ckpt_tui.ui.widgets.virtual_table import VirtualTable

    app = CkptApp((str(folder),), folder.parent)
    beat = Beat()

    def line(step: str, begun: float) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        took, held, busy = time.perf_counter() - begun, beat.longest * 1000, beat.busiest * 1000
        print(f"| {step} | {took:.2f} s | {held:.0f} ms | {busy:.0f} ms | {peak} MiB |", flush=True)

    async with app.run_test(size=(120, 40)) as pilot:
        ticking = asyncio.create_task(beat.run())
        screen: Any = app.screen

        def idle() -> bool:
            pane = screen.pane
            return not screen.job_running and (pane is None or not pane.list_view.job_running)

        async def step(name: str, act: Callable[[], Awaitable[object] | object], done: Any) -> None:
            begun = time.perf_counter()
            beat.reset()
            result = act()
            if isinstance(result, Awaitable):
                await result
            await until(done)
            await asyncio.sleep(BEAT_S)
            line(name, begun)

        assert isinstance(screen, CheckpointScreen)
        await until(lambda: screen.pane is not None and screen.pane.query(VirtualTable))
        await asyncio.sleep(BEAT_S)
        line("first screen", BEGUN)
        await step("all read", lambda: None, lambda: screen.checkpoint.is_loaded)
        await step("checked", lambda: None, idle)
        for title, tab in (("files", FILES_TAB), ("sockets", SOCKETS_TAB)):
            shown = f"pane-{tab}"
            await step(
                f"open {title}",
                lambda tab=tab: screen.action_show_tab(tab),
                lambda shown=shown: (
                    screen.pane is not None
                    and screen.pane.id == shown
                    and screen.pane.query("#rows")
                ),
            )
            table = screen.pane.list_view.table

            async def scroll(table: VirtualTable = table) -> None:
                for _ in range(100):
                    table.action_page(1)
                    await asyncio.sleep(0)
                table.action_last()
                await asyncio.sleep(0.05)

            await step("scroll 100 pages and to the end", scroll, idle)
            screen.pane.list_view.action_filter()

            async def typed(text: str) -> None:
                for letter in text:
                    await pilot.press(letter)

            await step("type a filter", lambda: typed("777"), idle)
            await step("and close it", lambda: pilot.press("escape"), idle)
            await step("sort", screen.pane.list_view.action_sort, idle)
            await step("sort by another column", screen.pane.list_view.action_sort, idle)
        ticking.cancel()


def main() -> None:
    processes, descriptors = (int(n) for n in (sys.argv[1:3] or ("5000", "1000000")))
    global BEGUN
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "many"
        counts = (str(processes), str(descriptors))
        subprocess.run(
            [sys.executable, Path(__file__).parent / "many.py", place, *counts], check=True
        )
        BEGUN = time.perf_counter()
        print("| step | took | longest frame | of it computing | peak so far |")
        print("| --- | ---: | ---: | ---: | ---: |")
        asyncio.run(measure(place))


if __name__ == "__main__":
    main()
