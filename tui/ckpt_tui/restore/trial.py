"""A restore that is only tried: in namespaces of its own, for some seconds, and thrown away.

It is no security boundary: what runs has the kernel of this host, and may be root there.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import IO

from ckpt_tui.core.progress import Progress
from ckpt_tui.diagnose.doctor import LogDiagnosis
from ckpt_tui.diagnose.fix_commands import diagnose_with_commands
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.logs import open_log
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore.restoring import Request, Restoring
from ckpt_tui.restore.runtime import memory_was_short

MOST_OUTPUT = 64 << 10
"""Bytes kept of what the container prints."""

SIGNALLED = 128
"""Exit codes above are signals, as in a shell."""

_NETWORK = "The box has no network but loopback."

OF_THE_BOX = {
    "tcp-connect-back-failed": _NETWORK,
    "inet-bind-addr-missing": _NETWORK,
    "inet-bind-link-local": _NETWORK,
    "inet-bind-device-missing": _NETWORK,
    "net-link-restore": _NETWORK,
    "net-macvlan-parent": _NETWORK,
    "errno-enetunreach": _NETWORK,
    "errno-eaddrnotavail": _NETWORK,
    "pid-in-use": "The box has processes of its own, which have some pids.",
    "pids-limit": "The box has a limit of processes.",
}
"""Cause in a log to why it is the box's own: the same restore in place may succeed."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial."""

    restored: bool
    seconds: float
    """That the runtime took to restore, or to fail."""
    ran_s: float
    """Seconds that the container ran, at most as many as it was given."""
    alive: bool
    exit_code: int | None
    """Of the container, if it ended by itself."""
    signal: str
    """That ended it, if one did."""
    output: bytes
    """The last of what it printed."""
    errors: str
    """What the runtime complained of."""
    log: LogDiagnosis | None
    """CRIU's log, if there is one."""
    box: str
    """Why the box may be to blame, a sentence."""
    memory_limit: int
    """Bytes; 0: this host has no controller."""
    pids_limit: int
    notes: tuple[str, ...]
    """What differs from the dump, a sentence each."""


def try_restore(
    opened: OpenCheckpoint,
    request: Request,
    seconds: float,
    progress: Progress,
    ended: threading.Event | None = None,
) -> Outcome:
    """Restore a checkpoint in a box, let it run for some seconds, and undo everything. `ended` ends
    it earlier.

    Raises:
        CkptError: it cannot be tried.
    """
    ended = ended or threading.Event()
    choices = replace(request.choices, is_trial=True, network="none")
    request = replace(request, choices=choices, detach=False)
    with Restoring(opened, request, progress) as restoring:
        restoring.prepare()
        output = _Output()
        restored = restoring.restore(output.into, ended)
        output.close()
        start = time.monotonic()
        code = restoring.wait(ended, seconds) if restored else restoring.poll()
        ran = time.monotonic() - start if restored else 0.0
        log = _log(restoring, progress)
        short = memory_was_short(restoring.kept.record.name)
        ended_by_itself = restored and code is not None
        by_signal = ended_by_itself and code is not None and code > SIGNALLED
        return Outcome(
            restored=restored,
            seconds=restoring.seconds,
            ran_s=ran,
            alive=restored and code is None,
            exit_code=code if ended_by_itself and not by_signal else None,
            signal=_signal_name(code - SIGNALLED) if by_signal and code else "",
            output=output.kept(),
            errors="" if restored else restoring.errors.strip(),
            log=log,
            box=_of_the_box(log, short),
            memory_limit=restoring.bounds.memory,
            pids_limit=restoring.bounds.pids,
            notes=tuple(restoring.notes),
        )


def _log(restoring: Restoring, progress: Progress) -> LogDiagnosis | None:
    if not restoring.log.exists():
        return None
    window = open_log(restoring.log)
    try:
        return diagnose_with_commands(read_log(window, progress))
    finally:
        window.close()


def _of_the_box(log: LogDiagnosis | None, memory_was_short: bool) -> str:
    if memory_was_short:
        return "The box has too little memory: the kernel killed a process."
    cause = log.root_cause if log else None
    return OF_THE_BOX.get(cause.id, "") if cause else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class _Output:
    """The last of what a container prints, read all the time so that it is never held up."""

    def __init__(self) -> None:
        read, write = os.pipe()
        self.into: IO[bytes] = os.fdopen(write, "wb")
        self._from = os.fdopen(read, "rb", buffering=0)
        self._pieces: deque[bytes] = deque()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        size = 0
        with self._from:
            while piece := self._from.read(MOST_OUTPUT):
                self._pieces.append(piece)
                size += len(piece)
                while size - len(self._pieces[0]) > MOST_OUTPUT:
                    size -= len(self._pieces.popleft())

    def close(self) -> None:
        """Let go of this side; the container has its own."""
        self.into.close()

    def kept(self) -> bytes:
        return b"".join(list(self._pieces))[-MOST_OUTPUT:]
