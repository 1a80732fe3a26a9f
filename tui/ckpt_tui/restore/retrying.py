"""Reading what may be out of reach for a while: a registry that restarts, a network that is cut."""

from __future__ import annotations

import threading
import time

from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.window import ByteWindow

PATIENCE_S = 60.0
"""Seconds until bytes that cannot be reached are given up, by default."""

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0


class Retrying:
    """Reads windows, and again where their source does not answer, for `patience_s` seconds."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.failures = 0
        """Reads that failed so far, and were tried again."""
        self.problem = ""
        """What the last failure was, while it lasts."""
        self._given_up = threading.Event()

    def read(self, window: ByteWindow, offset: int, length: int) -> bytes:
        """Return bytes of a window.

        Raises:
            SourceUnreachable: it was out of reach all the time, or `give_up` was called.
            CkptError: the bytes are damaged; that is not tried again.
        """
        start, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                contents = window.read(offset, length)
            except SourceUnreachable as error:
                self.failures += 1
                self.problem = str(error)
                if time.monotonic() - start + pause > self.patience_s:
                    raise
                if self._given_up.wait(pause):
                    raise
                pause = min(pause * 2, LONGEST_PAUSE_S)
            else:
                self.problem = ""
                return contents

    def give_up(self) -> None:
        """End all waiting."""
        self._given_up.set()
