"""What a filter says to each system call, against running it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from criu_images import real

from ckpt_tui.criu.bpf import Instruction, action_text, instructions_of
from ckpt_tui.criu.syscalls import syscalls_of
from ckpt_tui.criu.verdicts import OR, verdicts

X86, ARM = 0xC000003E, 0xC00000B7
ALLOW, EPERM = (0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x50001)
LOAD_NUMBER, LOAD_ARCH, LOAD_ARGUMENT = (0x20, 0, 0, 0), (0x20, 0, 0, 4), (0x20, 0, 0, 16)


def program(*steps: tuple[int, int, int, int]) -> list[Instruction]:
    return [Instruction(*step) for step in steps]


def run(steps: Sequence[Instruction], number: int, arch: int, words: Sequence[int]) -> str:
    """Run a filter as the kernel does; `words` are the 32-bit halves behind the architecture."""
    data = (number, arch, *words)
    at, a = 0, 0
    while True:
        step = steps[at]
        at += 1
        match step.code:
            case 0x20:
                a = data[step.k // 4]
            case 0x54:
                a &= step.k
            case 0x05:
                at += step.k
            case 0x15 | 0x25 | 0x35 | 0x45:
                holds = {0x15: a == step.k, 0x25: a > step.k, 0x35: a >= step.k}
                found = holds.get(step.code, bool(a & step.k))
                at += step.jump_true if found else step.jump_false
            case 0x06:
                return action_text(step)
            case _:
                raise AssertionError(hex(step.code))


@pytest.mark.parametrize(("arch", "audit"), [("x86_64", X86), ("aarch64", ARM)])
def test_a_real_filter_does_what_is_said(arch: str, audit: int) -> None:
    message: Any = real("counter/seccomp.img").first
    steps = instructions_of(message.seccomp_filters[0].filter)
    said = {call: action for action, calls in verdicts(steps, arch).items() for call in calls}
    chance = random.Random(1)
    for number, name in syscalls_of(arch).items():
        seen = set()
        for _ in range(40):
            words = [chance.choice((0, 1, 2, 9, 16, 40, 0xFFFFFFFF)) for _ in range(14)]
            seen.add(run(steps, number, audit, words))
        assert seen <= set(said[name].split(OR)), name
        assert len(seen) > 1 or OR not in said[name] or name == "socket"


def test_arguments_decide_for_some_calls() -> None:
    steps = program(
        LOAD_NUMBER, (0x15, 0, 3, 1), LOAD_ARGUMENT, (0x15, 0, 1, 2), EPERM, ALLOW
    )  # fmt: skip
    found = verdicts(steps, "x86_64")
    assert found["allow or fail with EPERM"] == ("write",)
    assert "read" in found["allow"]
    assert set(found) == {"allow", "allow or fail with EPERM"}


def test_ranges_of_numbers_are_told_apart() -> None:
    above = verdicts(program(LOAD_NUMBER, (0x25, 0, 1, 0), EPERM, ALLOW), "x86_64")
    assert above["allow"] == ("read",)
    huge = verdicts(program(LOAD_NUMBER, (0x35, 0, 1, 0x40000000), EPERM, ALLOW), "x86_64")
    assert set(huge) == {"allow"}


def test_the_architecture_is_that_of_the_dump() -> None:
    steps = program(LOAD_ARCH, (0x15, 1, 0, ARM), EPERM, ALLOW)
    assert set(verdicts(steps, "aarch64")) == {"allow"}
    assert set(verdicts(steps, "x86_64")) == {"fail with EPERM"}
    assert set(verdicts(steps, "s390")) == {"fail with EPERM"}
    assert verdicts(steps, "sparc64") == {}


@pytest.mark.parametrize(
    ("arch", "audit"),
    [("ppc64", 0xC0000015), ("ppc64", 0x80000015), ("s390", 0x80000016), ("mips", 0xC0000008)],
)
def test_seccomp_knows_more_names_for_one_architecture(arch: str, audit: int) -> None:
    found = verdicts(program(LOAD_ARCH, (0x15, 1, 0, audit), EPERM, ALLOW), arch)
    assert set(found) == {"allow"}
    assert {"read", "clone"} <= set(found["allow"])


def test_a_jump_out_of_the_program_says_nothing() -> None:
    assert verdicts(program((0x05, 0, 0, 1 << 31)), "x86_64") == {}
    assert verdicts([], "x86_64") == {}
