"""Where the threads of a process stood, for a restore that a signal ended, and for programs in
which no thread can go on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Process
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.of_checkpoint import read_stacks
from ckpt_tui.stacks.stack import ProcessStacks
from ckpt_tui.stacks.where import where_line

MOST = 8
"""Processes whose stacks are read."""

_FUTEX = re.compile(
    r"futex\(uaddr 0x([0-9a-f]{1,16}), op ([A-Z_|]{1,80}), val (-?\d{1,20}), timeout 0,", re.ASCII
)
"""A system call as `Thread.blocked_in` has it, without a timeout."""

CONTENDED = 2
"""What the word of a locked mutex has in glibc while threads wait for it (lowlevellock.h)."""

OWNER = 8
"""Bytes from that word to the thread that has the mutex (struct __pthread_mutex_s)."""


def stood(facts: Facts, pid: int) -> Iterator[Evidence]:
    """Yield where each thread of a process stood; nothing where its stacks cannot be read."""
    if facts.opened is None or facts.checkpoint.process(pid) is None:
        return
    arguments = facts.opened, facts.checkpoint, (pid,), facts.base, facts.progress
    try:
        stacks = [*read_stacks(*arguments)]
    except CkptError:  # the changes of the container: other checks say what is wrong with them
        return
    for _, found in stacks:
        for thread in found.threads if isinstance(found, ProcessStacks) else ():
            if line := where_line(thread):
                name = f"thread {thread.tid} {thread.comm}".strip()
                yield Evidence(f"{name} was in {line}", Ref.thread(pid, thread.tid))


def waiting(facts: Facts) -> Iterator[Finding]:
    """A process all of whose threads wait on a futex of its own without a timeout can only be
    woken by a signal: it hung, or waits for one."""
    stuck = [one for one in facts.each(facts.checkpoint.processes) if _is_stuck(one)]
    for process in stuck[:MOST]:
        holders = _holders(facts, process)
        circle = _circle(holders)
        yield Finding(
            "threads-wait",
            "advice",
            "certain" if circle else "possible",
            f"Threads of process {process.pid} wait for each other"
            if circle
            else f"No thread of process {process.pid} can go on unless a signal comes",
            "If the program hung before the dump, it hangs after a restore, too.",
            f"Look at the stacks: `{_command(facts, process.pid)}`",
            evidence=some(_evidence(facts, process.pid, circle or holders)),
        )


def _is_stuck(process: Process) -> bool:
    calls = [_FUTEX.match(thread.blocked_in) for thread in process.threads]
    return bool(calls) and all(
        call is not None and "WAIT" in call[2] and "PRIVATE_FLAG" in call[2] for call in calls
    )


def _holders(facts: Facts, process: Process) -> dict[int, int]:
    """Return which thread has the mutex that a thread waits for, by thread ids."""
    regions = next((one.regions for one in facts.checkpoint.memory if one.pid == process.pid), ())
    memory = AddressSpace(MemoryReader(facts.images), regions, lambda _: None)
    tids = {thread.tid for thread in process.threads}
    found = {}
    for thread in process.threads:
        call = _FUTEX.match(thread.blocked_in)
        if call is not None and int(call[3]) == CONTENDED:
            owner = int.from_bytes(memory.read(int(call[1], 16) + OWNER, 4) or b"", "little")
            if owner in tids:
                found[thread.tid] = owner
    return found


def _circle(holders: Mapping[int, int]) -> dict[int, int]:
    """Return threads each of which waits for the next, empty where there is no circle."""
    for start in holders:
        seen = {start: holders[start]}
        while (last := seen[[*seen][-1]]) in holders and last not in seen:
            seen[last] = holders[last]
        if last == start:
            return seen
    return {}


def _evidence(facts: Facts, pid: int, holders: Mapping[int, int]) -> Iterator[Evidence]:
    """Yield who waits for whom first, then where each thread stood."""
    for tid, holder in holders.items():
        text = f"thread {tid} waits for a mutex that thread {holder} has"
        yield Evidence(text, Ref.thread(pid, tid))
    yield from stood(facts, pid)


def _command(facts: Facts, pid: int) -> str:
    target = facts.opened.target if facts.opened else facts.checkpoint.source
    return f"ckpt-tui stacks {shlex.quote(printable(target))} --pid {pid}"
