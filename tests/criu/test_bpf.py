"""Filters in words."""

from __future__ import annotations

from typing import Any

import pytest
from criu_images import real
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.criu.bpf import (
    Instruction,
    disassemble,
    instructions_of,
    instructions_of_words,
)
from ckpt_tui.criu.names import table_of
from ckpt_tui.criu.verdicts import verdicts

X86, I386 = 0xC000003E, 0x40000003


def lines(*steps: tuple[int, int, int, int], arch: str = "", seccomp: bool = True) -> list[str]:
    program = [Instruction(*step) for step in steps]
    return [line.text for line in disassemble(program, arch, seccomp=seccomp)]


def test_a_real_filter_names_the_calls_it_refuses() -> None:
    message: Any = real("counter/seccomp.img").first
    program = instructions_of(message.seccomp_filters[0].filter)
    found = [line.text for line in disassemble(program, "x86_64")]
    assert len(found) == len(message.seccomp_filters[0].filter) // 8
    assert found[0] == "A = architecture"
    assert found[1].startswith("if architecture == i386: go ")
    assert "if system call == read: go to 149" in found
    assert "fail with EPERM" in found
    assert found[-2:] == ["allow", "kill the thread"]
    assert not any("unknown" in line or "?" in line for line in found)


def test_halves_of_arguments_lie_as_in_the_memory_of_the_host() -> None:
    program = [Instruction(0x20, 0, 0, offset) for offset in (8, 12, 16, 20, 56, 60, 64, 18)]
    for order, first, second in (("little", "low", "high"), ("big", "high", "low")):
        found = [line.text for line in disassemble(program, order=order)]  # type: ignore[arg-type]
        assert found == [
            f"A = instruction pointer, {first}",
            f"A = instruction pointer, {second}",
            f"A = argument 0, {first}",
            f"A = argument 0, {second}",
            f"A = argument 5, {first}",
            f"A = argument 5, {second}",
            "A = word at 64",
            "A = word at 18",
        ]


@pytest.mark.parametrize(
    ("arch", "number", "name"),
    [
        ("x86_64", 1, "EPERM"),
        ("x86_64", 35, "EDEADLK"),
        ("x86_64", 95, "EOPNOTSUPP"),
        ("ppc64", 35, "EDEADLK"),
        ("ppc64", 58, "EDEADLOCK"),
        ("mips", 34, "ERANGE"),
        ("mips", 35, "ENOMSG"),
        ("mips", 61, "ENODATA"),
        ("mips", 72, "error 72"),
        ("mips", 89, "ENOSYS"),
        ("mips", 95, "ENOTSOCK"),
        ("mips", 145, "ETIMEDOUT"),
        ("mips", 1133, "EDQUOT"),
        ("aarch64", 145, "error 145"),
    ],
)
def test_errors_are_named_for_the_architecture_of_the_dump(
    arch: str, number: int, name: str
) -> None:
    assert lines((0x06, 0, 0, 0x50000 | number), arch=arch) == [f"fail with {name}"]
    found = verdicts([Instruction(0x06, 0, 0, 0x50000 | number)], arch)
    assert list(found) == [f"fail with {name}"]


def test_every_error_has_one_number_on_mips() -> None:
    numbers = [entry.value for entry in table_of("errno", "mips")]
    assert len(numbers) == len(set(numbers))


def test_calls_are_named_for_the_architecture_the_filter_found() -> None:
    assert lines(
        (0x20, 0, 0, 4),
        (0x15, 0, 2, X86),
        (0x20, 0, 0, 0),
        (0x15, 0, 0, 1),
        (0x20, 0, 0, 0),
        (0x15, 1, 0, 1),
        (0x06, 0, 0, 0x7FFF0000),
        (0x06, 0, 0, 0x50001),
    ) == [
        "A = architecture",
        "if architecture == x86_64: go on, else go to 4",
        "A = system call",
        "if system call == write: go to 4",
        "A = system call",
        "if system call == 1: go to 7",
        "allow",
        "fail with EPERM",
    ]


def test_the_architecture_of_the_host_holds_until_the_filter_asks() -> None:
    assert lines((0x20, 0, 0, 0), (0x15, 0, 0, 0), arch="x86_64")[1] == (
        "if system call == read: go to 2"
    )


def test_arguments_and_arithmetic_are_shown() -> None:
    assert lines((0x20, 0, 0, 20), (0x54, 0, 0, 0x7F), (0x45, 0, 1, 0x40), (0x05, 0, 0, 3)) == [
        "A = argument 0, high",
        "A &= 0x7f",
        "if A & 0x40: go on, else go to 4",
        "go to 7",
    ]


def test_a_socket_filter_reads_packets() -> None:
    words = [0x28 | 12 << 32, 0x15 | 1 << 24 | 0x800 << 32, 0x06 | 65535 << 32, 0x06]
    found = disassemble(instructions_of_words(words), seccomp=False)
    assert [line.text for line in found] == [
        "A = half-word at 12",
        "if half-word at 12 == 0x800: go on, else go to 3",
        "take 65535 bytes",
        "drop",
    ]


def test_words_of_the_other_byte_order_are_read() -> None:
    assert instructions_of(b"\0\6\0\0\x7f\xff\0\0", "big") == (Instruction(6, 0, 0, 0x7FFF0000),)


@given(st.binary(max_size=400), st.booleans())
def test_any_bytes_give_a_line_per_instruction(program: bytes, seccomp: bool) -> None:
    found = list(disassemble(instructions_of(program), "aarch64", seccomp=seccomp))
    assert [line.index for line in found] == list(range(len(program) // 8))
    assert all(line.text for line in found)
