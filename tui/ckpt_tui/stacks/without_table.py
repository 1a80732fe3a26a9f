"""Finding the caller of a function that has no unwinding table."""

from __future__ import annotations

from collections.abc import Mapping

from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.machine import X86_64, Machine
from ckpt_tui.stacks.modules import Module
from ckpt_tui.stacks.prologue import MAX_CODE, pushed_by

MAX_SCAN = 512
"""Words of the stack looked at for a return address."""

MAX_PROLOGUE = 64
"""Bytes of an aarch64 function that are looked at."""

MAX_NEAR = 64
"""Words of the stack looked at for the return to a call of this very function."""

Found = tuple[Mapping[str, int], str]
"""The registers of the caller, and how they were found."""


def caller_without_table(
    memory: AddressSpace,
    module: Module | None,
    machine: Machine,
    registers: Mapping[str, int],
    *,
    is_exact: bool,
) -> Found | None:
    """Return the caller by the prologue of the function, by its frame pointer, or by the first word
    on the stack that follows a call; None where nothing is found."""
    pc = registers.get(machine.program_counter, 0)
    start = _function_start(module, pc if is_exact else pc - 1)
    if machine is X86_64 and start is not None:
        return _by_prologue(memory, registers, start, pc) or _by_scan(
            memory, machine, registers, start
        )
    link = machine.plain(registers.get(machine.link, 0)) if machine.link and is_exact else 0
    if memory.is_code(link) and (start is None or not _saves_link(memory, start, pc)):
        return {**registers, machine.program_counter: link}, "prologue"
    return _by_frame_pointer(memory, machine, registers) or _by_scan(
        memory, machine, registers, start
    )


def _function_start(module: Module | None, pc: int) -> int | None:
    symbol = module.function_at(pc - module.bias) if module else None
    return symbol.address + module.bias if symbol and module else None


def _by_prologue(
    memory: AddressSpace, registers: Mapping[str, int], start: int, pc: int
) -> Found | None:
    """Count what the function pushed; only a word that follows a call is taken as its caller."""
    code = memory.read(start, min(max(pc - start, 0), MAX_CODE))
    if code is None:
        return None
    pushed = pushed_by(code)
    if pushed.has_frame:
        place = registers.get("bp", 0) + 8
    else:
        place = registers.get("sp", 0) + pushed.depth
    target = memory.word(place)
    if target is None or not follows_call(memory, target):
        return None
    found = {**registers, "ip": target, "sp": place + 8}
    for name, distance in pushed.saved.items():
        value = memory.word(place - distance)
        if value is not None:
            found[name] = value
    return found, "frame pointer" if pushed.has_frame else "prologue"


def _saves_link(memory: AddressSpace, start: int, pc: int) -> bool:
    """Tell whether an aarch64 function has stored x29 and x30 before `pc`."""
    code = memory.read(start, min(max(pc - start, 0), MAX_PROLOGUE)) or b""
    words = (int.from_bytes(code[at : at + 4], "little") for at in range(0, len(code) - 3, 4))
    return any(word & 0xFE407FFF == 0xA8007BFD for word in words)


def follows_call(memory: AddressSpace, address: int) -> bool:
    """Tell whether an address of x86-64 code is behind a call instruction."""
    if not memory.is_code(address):
        return False
    code = memory.read(address - 7, 7)
    if code is None:
        return False
    # call of a place; call through a register or memory has ff and 2 in the middle of the next
    return code[2] == 0xE8 or any(
        code[at] == 0xFF and code[at + 1] >> 3 & 7 == 2 for at in range(6)
    )


def _by_frame_pointer(
    memory: AddressSpace, machine: Machine, registers: Mapping[str, int]
) -> Found | None:
    frame = registers.get(machine.frame_pointer, 0)
    sp = registers.get(machine.stack_pointer, 0)
    stack = memory.region_at(sp)
    if frame % 8 or frame < sp or stack is None or not stack.start <= frame < stack.end:
        return None
    pair = memory.words(frame, 2)
    if pair is None:
        return None
    before, target = pair[0], machine.plain(pair[1])
    is_caller = memory.is_code(target) if machine.link else follows_call(memory, target)
    if not is_caller:
        return None
    found = {
        **registers,
        machine.program_counter: target,
        machine.stack_pointer: frame + 16,
        machine.frame_pointer: before,
    }
    return found, "frame pointer"


def _by_scan(
    memory: AddressSpace, machine: Machine, registers: Mapping[str, int], start: int | None
) -> Found | None:
    """Take a word on the stack that follows a call: of the function at `start`, else the first."""
    if machine.link:
        return None
    sp, first = registers.get(machine.stack_pointer, 0), None
    for number in range(MAX_SCAN):
        place = sp + 8 * number
        target = memory.word(place)
        if target is None or (first is not None and number >= MAX_NEAR):
            break
        if not follows_call(memory, target):
            continue
        found = {**registers, machine.program_counter: target, "sp": place + 8}, "scan"
        if start is not None and _called(memory, target) == start:
            return found
        first = first or found
    return first


def _called(memory: AddressSpace, address: int) -> int | None:
    """Return the function that the call before an address is of, where the call says so."""
    code = memory.read(address - 5, 5)
    if code is None or code[0] != 0xE8:
        return None
    return address + int.from_bytes(code[1:], "little", signed=True)
