"""Classic BPF as readable lines: seccomp filters and socket filters.

Instructions are those of the kernel's linux/filter.h, actions those of linux/seccomp.h.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.criu.names import by_value
from ckpt_tui.criu.reader import ByteOrder
from ckpt_tui.criu.syscalls import syscall_of

MAX_INSTRUCTIONS = 4096
"""The kernel takes no longer programs."""

_ACTIONS = {
    0x80000000: "kill the process",
    0x00000000: "kill the thread",
    0x00030000: "send SIGSYS",
    0x00050000: "fail with",
    0x7FC00000: "ask the supervisor",
    0x7FF00000: "tell the tracer",
    0x7FFC0000: "allow and log",
    0x7FFF0000: "allow",
}

ARCHS = {
    0xC000003E: "x86_64",
    0x40000003: "i386",
    0xC00000B7: "aarch64",
    0x40000028: "arm",
    0xC00000F3: "riscv64",
    0xC0000102: "loongarch64",
    0xC0000015: "ppc64le",
    0x80000015: "ppc64",
    0x80000016: "s390x",
    0x00000016: "s390, 31 bit",
    0xC0000008: "mips64el",
    0x80000008: "mips64",
}
"""AUDIT_ARCH_ constants."""

_OPERATIONS = ("+", "-", "*", "/", "|", "&", "<<", ">>", None, "%", "^")
_JUMPS = {0x10: "==", 0x20: ">", 0x30: ">=", 0x40: "&"}

NUMBER = "system call"
ARCH = "architecture"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction."""

    code: int
    jump_true: int
    jump_false: int
    k: int


@dataclass(frozen=True, slots=True)
class InstructionText:
    """One instruction in words."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a filter is from."""

    arch: str = ""
    seccomp: bool = True
    order: ByteOrder = "little"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known on arrival at an instruction, whichever way it was reached."""

    loaded: str = ""
    """What A holds."""
    arch: str = ""


def instructions_of(program: bytes, order: ByteOrder = "little") -> tuple[Instruction, ...]:
    """Cut a filter of seccomp.img into instructions; an incomplete last one is left out."""
    return tuple(
        Instruction(
            int.from_bytes(program[at : at + 2], order),
            program[at + 2],
            program[at + 3],
            int.from_bytes(program[at + 4 : at + 8], order),
        )
        for at in range(0, min(len(program) // 8, MAX_INSTRUCTIONS) * 8, 8)
    )


def instructions_of_words(words: Sequence[int]) -> tuple[Instruction, ...]:
    """Take apart the words of sk_opts_entry.so_filter."""
    return tuple(
        Instruction(word & 0xFFFF, word >> 16 & 0xFF, word >> 24 & 0xFF, word >> 32)
        for word in words[:MAX_INSTRUCTIONS]
    )


def disassemble(
    program: Sequence[Instruction],
    arch: str = "",
    *,
    seccomp: bool = True,
    order: ByteOrder = "little",
) -> Iterator[InstructionText]:
    """Yield a line per instruction.

    `arch` is that of the dump: it names errors, and the system calls until the filter itself looks
    at the architecture. A filter that is not for seccomp reads packets, not system calls.
    """
    source = _Source(arch, seccomp, order)
    known: dict[int, _Known] = {0: _Known(arch=arch)}
    for index, step in enumerate(program):
        here = known.pop(index, _Known())
        yield InstructionText(index, _text(index, step, here, source))
        for target, state in _flow(index, step, here, source):
            before = known.get(target)
            known[target] = state if before is None else _merge(before, state)


def _merge(one: _Known, other: _Known) -> _Known:
    return _Known(
        one.loaded if one.loaded == other.loaded else "",
        one.arch if one.arch == other.arch else "",
    )


def _flow(
    index: int, step: Instruction, here: _Known, source: _Source
) -> Iterator[tuple[int, _Known]]:
    """Yield the instructions that may follow, and what is known there."""
    kind = step.code & 7
    if kind == 6:
        return
    if kind != 5:
        held = _loaded(step, source) if kind == 0 else here.loaded if kind < 4 else ""
        yield index + 1, _Known(held, here.arch)
    elif step.code & 0xF0 == 0:
        yield index + 1 + step.k, here
    else:
        there, otherwise = here, here
        if here.loaded == ARCH and step.code == 0x15:
            compared = ARCHS.get(step.k, "other")
            there = _Known(ARCH, compared)
            otherwise = _Known(ARCH, "" if here.arch == compared else here.arch)
        yield index + 1 + step.jump_true, there
        yield index + 1 + step.jump_false, otherwise


def _text(index: int, step: Instruction, here: _Known, source: _Source) -> str:
    match step.code & 7:
        case 0:
            return f"A = {_loaded(step, source)}"
        case 1:
            return f"X = {_loaded(step, source)}"
        case 2:
            return f"M[{step.k}] = A"
        case 3:
            return f"M[{step.k}] = X"
        case 4:
            return _arithmetic(step)
        case 5:
            return _jump(index, step, here)
        case 6:
            return _return(step, source)
    return "X = A" if step.code & 0xF8 == 0 else "A = X"


def loaded(step: Instruction) -> str:
    """Return what a load of a filter for seccomp loads, on a little-endian host."""
    return _loaded(step, _Source())


def _loaded(step: Instruction, source: _Source) -> str:
    width = {0x00: "word", 0x08: "half-word", 0x10: "byte"}.get(step.code & 0x18, "?")
    match step.code & 0xE0:
        case 0x00:
            return f"{step.k:#x}"
        case 0x20:
            return _field(step.k, source.order) if source.seccomp else f"{width} at {step.k}"
        case 0x40:
            return f"{width} at X + {step.k}"
        case 0x60:
            return f"M[{step.k}]"
        case 0x80:
            return "length"
        case 0xA0:
            return f"4 * (byte at {step.k} & 15)"
    return f"? ({step.code:#06x})"


def _field(offset: int, order: ByteOrder) -> str:
    """Return what lies at an offset of struct seccomp_data: two words, then numbers of two."""
    if offset in (0, 4):
        return ARCH if offset else NUMBER
    place, rest = divmod(offset - 8, 8)
    if place not in range(7) or rest % 4:
        return f"word at {offset}"
    half = "low" if bool(rest) == (order == "big") else "high"
    return f"argument {place - 1}, {half}" if place else f"instruction pointer, {half}"


def _arithmetic(step: Instruction) -> str:
    operation = step.code >> 4 & 15
    if operation == 8:
        return "A = -A"
    sign = _OPERATIONS[operation] if operation < len(_OPERATIONS) else None
    operand = "X" if step.code & 8 else f"{step.k:#x}"
    return f"A {sign}= {operand}" if sign else f"unknown instruction {step.code:#06x}"


def _jump(index: int, step: Instruction, here: _Known) -> str:
    if step.code & 0xF0 == 0:
        return f"go to {index + 1 + step.k}"
    sign = _JUMPS.get(step.code & 0xF0)
    if sign is None:
        return f"unknown instruction {step.code:#06x}"
    operand = "X" if step.code & 8 else _operand(step.k, here)
    yes, no = index + 1 + step.jump_true, index + 1 + step.jump_false
    ways = f"go to {yes}" if yes == no else _ways(index, yes, no)
    return f"if {here.loaded or 'A'} {sign} {operand}: {ways}"


def _ways(index: int, yes: int, no: int) -> str:
    if no == index + 1:
        return f"go to {yes}"
    return f"go on, else go to {no}" if yes == index + 1 else f"go to {yes}, else {no}"


def _operand(k: int, here: _Known) -> str:
    if here.loaded == NUMBER:
        syscall = syscall_of(here.arch, k)
        return syscall.name if syscall else f"{k:#x}" if k >= 0x40000000 else str(k)
    if here.loaded == ARCH:
        return ARCHS.get(k, f"{k:#x}")
    return f"{k:#x}"


def _return(step: Instruction, source: _Source) -> str:
    if source.seccomp or step.code & 0x18:
        return action_text(step, source.arch)
    return f"take {step.k} bytes" if step.k else "drop"


def action_text(step: Instruction, arch: str = "") -> str:
    """Return what a seccomp filter does when it returns: `allow`, `fail with EPERM`."""
    source = step.code & 0x18
    if source == 0x10:
        return "return A"
    if source == 0x08:
        return "return X"
    data = step.k & 0xFFFF
    action = _ACTIONS.get(step.k & 0xFFFF0000)
    if action is None:
        return f"return {step.k:#x}"
    if action == "fail with":
        return f"fail with {by_value('errno', arch).get(data, f'error {data}')}"
    return f"{action} ({data})" if data else action
