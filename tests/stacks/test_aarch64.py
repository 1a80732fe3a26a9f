"""Stacks of a real aarch64 program: its registers and stacks, as tests/data/README.md says."""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Container
from functools import cache
from typing import Any

import pytest
from small_elf import FakeMemory, opened

from ckpt_tui.stacks.cfi import Row
from ckpt_tui.stacks.machine import AARCH64
from ckpt_tui.stacks.modules import Module
from ckpt_tui.stacks.unwind import RawFrame, Unwinder
from crafted import DATA

CALLS = [
    ["pause", "stand_still", "main", "__libc_start_call_main", "__libc_start_main", "_start"],
    [
        *["pause", "stand_still", *["odd", "even"] * 6],
        *["recurse", "start_thread", "thread_start"],
    ],
    [
        *["pause", "stand_still", "compare", "msort_with_tmp.part.0", "msort_with_tmp.part.0"],
        *["qsort_r", "sort", "start_thread", "thread_start"],
    ],
    [
        *[
            "pause",
            "stand_still",
            "handler",
            "",
            "__pthread_kill_implementation.constprop.0",
            "raise",
        ],
        *["interrupted", "signalled", "start_thread", "thread_start"],
    ],
]
"""Functions by thread, as the source and glibc's have them."""


@cache
def document() -> Any:
    return json.loads(lzma.decompress((DATA / "aarch64/threads.json.xz").read_bytes()))


@cache
def program() -> Module:
    data = lzma.decompress((DATA / "aarch64/calls.xz").read_bytes())
    return Module("/usr/bin/calls", opened(data), 0)


class WithoutTables(Module):
    """A program that was built without unwinding tables."""

    def row(self, place: int, *, is_innermost: bool) -> Row | None:
        return None


class Code:
    """Addresses of the program's code, and of the page that the kernel returns to after signals."""

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and (address < 1 << 32 or address in self.trampoline)

    trampoline = range(
        document()["trampoline"]["address"], document()["trampoline"]["address"] + 64
    )


class OneModule:
    def __init__(self, module: Module) -> None:
        self._module = module

    def at(self, address: int) -> Module | None:
        return self._module if address < 1 << 32 else None


def walked(thread: Any, module: Module) -> tuple[list[RawFrame], str]:
    elf = module.elf
    assert elf is not None
    text = next(one for one in elf.segments if one.kind == 1)
    trampoline = document()["trampoline"]
    code: Container[int] = Code()
    memory = FakeMemory(
        {
            text.address: elf.window.read(text.offset, text.file_size),
            thread["registers"]["sp"]: base64.b64decode(thread["stack"]),
            trampoline["address"]: bytes.fromhex(trampoline["code"]),
        },
        code,  # type: ignore[arg-type]
    )
    unwinder = Unwinder(memory, OneModule(module), AARCH64)  # type: ignore[arg-type]
    return list(unwinder.walk(thread["registers"])), unwinder.note


def named(frames: list[RawFrame]) -> list[str]:
    found = []
    for frame in frames:
        place = frame.pc - (0 if frame.is_exact or frame.is_signal else 1)
        symbol = program().function_at(place) if place < 1 << 32 else None
        found.append(symbol.name if symbol else "")
    return found


@pytest.mark.parametrize("number", range(4))
def test_frames_are_those_of_the_source(number: int) -> None:
    frames, note = walked(document()["threads"][number], program())
    assert named(frames) == CALLS[number]
    assert note == ""
    assert [frame.is_signal for frame in frames].count(True) == (number == 3)


@pytest.mark.parametrize("number", range(3))
def test_without_tables_frame_pointers_lead_on(number: int) -> None:
    bare = WithoutTables("/usr/bin/calls", program().elf, 0)
    frames, _ = walked(document()["threads"][number], bare)
    assert {frame.how for frame in frames[:-1]} <= {"frame pointer", "prologue"}
    assert named(frames) == CALLS[number]
