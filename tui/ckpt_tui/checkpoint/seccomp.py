"""Seccomp filters of seccomp.img, and which of them a thread has.

`thread_core_entry.seccomp_filter` is the number of its oldest filter, `seccomp_filter.prev` that of
the one installed after it (criu/seccomp.c). Before v3.10 a process had one for all threads.
"""

from __future__ import annotations

from typing import Any

from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import SeccompFilter
from ckpt_tui.criu.bpf import instructions_of
from ckpt_tui.criu.values import flag_names
from ckpt_tui.criu.verdicts import verdicts

MODES = {1: "strict", 2: "filter"}

FILTER = 2

MAX_FILTERS = 1000
"""Different filters that are listed; a container has one."""


def seccomp_mode(core: Any) -> str:
    """Return strict, filter, or "" for none."""
    return MODES.get(_mode(core), "")


def _mode(core: Any) -> int:
    thread = core.thread_core
    return int(thread.seccomp_mode if thread.HasField("seccomp_mode") else core.tc.old_seccomp_mode)


def filters_of(core: Any, known: Any | None) -> tuple[int, ...]:
    """Return the numbers of the filters of a thread, in the order in which it installed them;
    `known` is the message of seccomp.img."""
    if _mode(core) != FILTER or known is None:
        return ()
    thread = core.thread_core
    has = thread.HasField("seccomp_filter")
    number = int(thread.seccomp_filter if has else core.tc.old_seccomp_filter)
    found: dict[int, None] = {}
    while number < len(known.seccomp_filters) and number not in found:
        found[number] = None
        entry = known.seccomp_filters[number]
        if not entry.HasField("prev"):
            break
        number = entry.prev
    return tuple(found)


def build_seccomp(images: ImageDirectory) -> tuple[SeccompFilter, ...]:
    """Return the different filters, each with all its numbers and what it says to each call."""
    known = images.message("seccomp.img")
    numbers: dict[tuple[bytes, int], list[int]] = {}
    for number, entry in enumerate(known.seccomp_filters if known else ()):
        numbers.setdefault((entry.filter, entry.flags), []).append(number)
    if len(numbers) > MAX_FILTERS:
        images.note("seccomp.img", f"Only {MAX_FILTERS:,} of {len(numbers):,} filters are listed.")
    host = images.host
    return tuple(
        SeccompFilter(
            numbers=tuple(some),
            instructions=len(program) // 8,
            flags=flag_names("seccomp.flags", flags),
            verdicts=verdicts(instructions_of(program, host.byte_order), host.arch),
        )
        for (program, flags), some in list(numbers.items())[:MAX_FILTERS]
    )
