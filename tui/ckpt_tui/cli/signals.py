"""Signals that end a command which runs until then."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stopped_by_signals(ended: threading.Event) -> Iterator[None]:
    """Let Ctrl+C, TERM and HUP set an event while the context lasts."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        ended.set()

    before: dict[signal.Signals, Any] = {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before[number] = signal.signal(number, stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
