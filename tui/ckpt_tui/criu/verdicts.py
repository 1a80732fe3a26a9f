"""What a seccomp filter says to each system call, without running it.

One pass over the program: BPF jumps forward only, so when an instruction comes up all ways to it
are known. A set of system calls is the bits of one number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ckpt_tui.criu.bpf import ARCH, ARCHS, NUMBER, Instruction, action_text, loaded
from ckpt_tui.criu.syscalls import same_numbers, syscalls_of

OR = " or "
"""Between the actions of a call for which the arguments decide."""


def verdicts(program: Sequence[Instruction], arch: str) -> dict[str, tuple[str, ...]]:
    """Return each action with the names of the calls it is for, by number.

    A call whose arguments decide is under `allow or fail with EPERM`. Empty for an architecture
    whose calls are not known.
    """
    names = syscalls_of(arch)
    actions: dict[str, int] = defaultdict(int)
    arriving: dict[int, dict[str, int]] = {0: {"": sum(1 << number for number in names)}}
    for index, step in enumerate(program):
        for held, calls in arriving.pop(index, {}).items():
            if step.code & 7 == 6:
                actions[action_text(step, arch)] |= calls
                continue
            for target, now_held, some in _next(index, step, held, calls, arch):
                if some:
                    there = arriving.setdefault(target, {})
                    there[now_held] = there.get(now_held, 0) | some
    found: dict[str, list[str]] = defaultdict(list)
    for number, name in sorted(names.items()):
        said = OR.join(sorted(action for action, calls in actions.items() if calls >> number & 1))
        if said:
            found[said].append(name)
    return {action: tuple(some) for action, some in found.items()}


def _next(
    index: int, step: Instruction, held: str, calls: int, arch: str
) -> Iterator[tuple[int, str, int]]:
    """Yield where the program goes on, what A holds there, and for which calls."""
    kind = step.code & 7
    if kind != 5:
        now = loaded(step) if kind == 0 else held if kind in (1, 2, 3) else ""
        yield index + 1, now if now in (NUMBER, ARCH) else "", calls
        return
    if step.code & 0xF0 == 0:
        yield index + 1 + step.k, held, calls
        return
    there = otherwise = calls
    if not step.code & 8:
        there, otherwise = _split(step, held, calls, arch)
    yield index + 1 + step.jump_true, held, there
    yield index + 1 + step.jump_false, held, otherwise


def _split(step: Instruction, held: str, calls: int, arch: str) -> tuple[int, int]:
    """Return the calls for which a comparison holds, and those for which it may not."""
    operation = step.code & 0xF0
    if held == ARCH and operation == 0x10:
        return (calls, 0) if same_numbers(ARCHS.get(step.k, ""), arch) else (0, calls)
    if held != NUMBER or operation not in (0x10, 0x20, 0x30):
        return calls, calls
    if operation == 0x10:
        matching = calls & 1 << min(step.k, calls.bit_length())
    else:
        lowest = min(step.k + (operation == 0x20), calls.bit_length())
        matching = calls >> lowest << lowest
    return matching, calls & ~matching
