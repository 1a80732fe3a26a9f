"""Programs in which no thread can go on, and where a thread stood that a signal ended."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose import stood
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.stood import OWNER, waiting
from ckpt_tui.diagnose.target import TargetDiagnosis, diagnose_opened
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from crafted import ARCHIVES, IMAGES

KINDS = IMAGES / "kinds"
"""Process 1 has the threads 1, 6, 7 and 8."""

IDLE = "futex(uaddr 0x1000, op WAIT_BITSET|PRIVATE_FLAG, val 0, timeout 0, uaddr2 0, val3 -1)"


def blocked(checkpoint: Checkpoint, calls: Mapping[int, str]) -> Checkpoint:
    """Return the checkpoint with threads of process 1 in other system calls."""
    first, *rest = checkpoint.processes
    threads = tuple(replace(t, blocked_in=calls.get(t.tid, t.blocked_in)) for t in first.threads)
    return replace(checkpoint, processes=(replace(first, threads=threads), *rest))


def found(opened: OpenCheckpoint, calls: Mapping[int, str]) -> list[Finding]:
    checkpoint = blocked(opened.load(quiet()), calls)
    return [*waiting(Facts.of(opened, checkpoint))]


class Owners:
    """Memory in which the mutex at 0x60 belongs to thread 6, and so on."""

    def __init__(self, *_: object) -> None:
        pass

    def read(self, address: int, length: int) -> bytes:
        return ((address - OWNER) >> 4).to_bytes(length, "little")


def test_a_process_with_a_thread_outside_of_a_futex_is_not_stuck() -> None:
    with closing(open_checkpoint(str(KINDS), quiet())) as opened:
        assert found(opened, {1: IDLE, 6: IDLE, 7: IDLE}) == []


def test_a_timeout_or_another_process_can_wake_a_thread() -> None:
    timed, shared = IDLE.replace("timeout 0", "timeout 0x7f00"), IDLE.replace("|PRIVATE_FLAG", "")
    with closing(open_checkpoint(str(KINDS), quiet())) as opened:
        for other in (timed, shared):
            assert found(opened, {1: IDLE, 6: IDLE, 7: IDLE, 8: other}) == []


def test_a_process_that_only_waits_says_where_each_thread_stood() -> None:
    with closing(open_checkpoint(str(KINDS), quiet())) as opened:
        (finding,) = found(opened, dict.fromkeys((1, 6, 7, 8), IDLE))
    assert (finding.severity, finding.certainty) == ("advice", "possible")
    assert [one.link for one in finding.evidence] == [Ref.thread(1, n) for n in (1, 6, 7, 8)]
    assert finding.evidence[1].text == "thread 6 python3 was in futex in libc.so.6"
    assert finding.cure == f"Look at the stacks: `ckpt-tui stacks {KINDS} --pid 1`"


def test_threads_that_have_each_others_mutexes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stood, "AddressSpace", Owners)
    mutex = IDLE.replace("val 0", "val 2", 1)
    wants = {6: mutex.replace("0x1000", "0x70"), 7: mutex.replace("0x1000", "0x60")}
    with closing(open_checkpoint(str(KINDS), quiet())) as opened:
        (finding,) = found(opened, {1: IDLE, 8: mutex.replace("0x1000", "0x60"), **wants})
    assert finding.certainty == "certain"
    assert finding.title == "Threads of process 1 wait for each other"
    assert [one.text for one in finding.evidence[:2]] == [
        "thread 6 waits for a mutex that thread 7 has",
        "thread 7 waits for a mutex that thread 6 has",
    ]


def diagnosed(target: Path, log: bytes) -> TargetDiagnosis:
    with closing(open_checkpoint(str(target), quiet())) as opened:
        checkpoint = opened.load(quiet())
        given = "restore.log", BytesWindow(log)
        return diagnose_opened(opened, checkpoint, quiet(), log=given)


def test_a_restore_that_a_signal_ended_says_where_the_thread_stood() -> None:
    log = (
        b"(00.000001) Version: 4.2 (gitid 0)\n"
        b"(00.000002) Running on h Linux 6.1 #1 x86_64\n"
        b"(00.200000) pie: 8: seccomp: mode 0 on tid 8\n"
        b"(00.300000) Error (criu/cr-restore.c:1228): 8 killed by signal 11: Segmentation fault\n"
        b"(00.400000) Error (criu/cr-restore.c:2572): Restoring FAILED.\n"
    )
    found = diagnosed(ARCHIVES / "counter.tar.zst", log)
    assert found.log is not None
    assert found.log.root_cause is not None
    assert found.log.root_cause.id == "restore-segv"
    texts = {one.link: one.text for one in found.proof}
    assert texts[Ref.thread(8, 8)] == "thread 8 sleep was in clock_nanosleep in busybox"
