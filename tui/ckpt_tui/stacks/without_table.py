"""Finding the caller of a function that has no unwinding table."""

from __future__ import annotations

from collections.abc import Mapping

from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.machine import X86_64, Machine
from ckpt_tui.stacks.modules import Module

MAX_SCAN = 512
"""Words of the stack looked at for a return address."""

MAX_PROLOGUE = 64
"""Bytes of a function that are looked at."""

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
        found = _by_prologue(memory, registers, start, pc)
        if found is not None:
            return found
    link = registers.get(machine.link, 0) if machine.link and is_exact else 0
    if memory.is_code(link) and (start is None or not _saves_link(memory, start, pc)):
        return {**registers, machine.program_counter: link}, "prologue"
    return _by_frame_pointer(memory, machine, registers) or _by_scan(memory, machine, registers)


def _function_start(module: Module | None, pc: int) -> int | None:
    symbols = module.symbols if module else None
    symbol = symbols.at(pc - module.bias) if symbols and module else None
    return symbol.address + module.bias if symbol and module else None


def _by_prologue(
    memory: AddressSpace, registers: Mapping[str, int], start: int, pc: int
) -> Found | None:
    """Count what the function pushed; only a word that follows a call is taken as its caller."""
    code = memory.read(start, min(max(pc - start, 0), MAX_PROLOGUE))
    if code is None:
        return None
    depth, saved, has_frame = _pushed(code)
    sp, bp = registers.get("sp", 0), registers.get("bp", 0)
    place = bp + 8 if has_frame else sp + depth
    target = memory.word(place)
    if target is None or not follows_call(memory, target):
        return None
    found = {**registers, "ip": target, "sp": place + 8}
    for name, distance in saved.items():
        value = memory.word(place - distance)
        if value is not None:
            found[name] = value
    return found, "frame pointer" if has_frame else "prologue"


_PUSHED = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")

_HARMLESS = (
    # first bytes of instructions that leave the stack pointer alone, and how long they are
    (b"\xf3\x0f\x1e\xfa", 4),  # endbr64
    (b"\x31", 2),  # xor
    (b"\x45\x31", 3),
    (b"\x89", 2),  # mov between registers; those with memory are longer and end the count
    (b"\x41\x89", 3),
    (b"\x48\x89", 3),
    (b"\x49\x89", 3),
    (b"\x4c\x89", 3),
    (b"\x85", 2),  # test
    (b"\x48\x85", 3),
    (b"\xb8", 5),  # mov of a constant
    (b"\xbf", 5),
    (b"\xbe", 5),
    (b"\xba", 5),
)


def _pushed(code: bytes) -> tuple[int, dict[str, int], bool]:
    """Return how many bytes the start of a function put on the stack, which registers lie how far
    below the return address, and whether it set up a frame pointer."""
    at = depth = 0
    saved: dict[str, int] = {}
    while at < len(code):
        op = code[at:]
        if 0x50 <= op[0] <= 0x57:
            depth, at = depth + 8, at + 1
            saved.setdefault(_PUSHED[op[0] - 0x50], depth)
        elif op[0] == 0x41 and len(op) > 1 and 0x50 <= op[1] <= 0x57:
            depth, at = depth + 8, at + 2
            saved.setdefault(f"r{op[1] - 0x50 + 8}", depth)
        elif op[:3] in (b"\x48\x89\xe5", b"\x48\x8b\xec"):
            return depth, saved, depth == 8 and "bp" in saved
        elif op[:3] == b"\x48\x83\xec" and len(op) > 3:
            depth, at = depth + op[3], at + 4
        elif op[:3] == b"\x48\x81\xec" and len(op) > 6:
            depth, at = depth + int.from_bytes(op[3:7], "little"), at + 7
        else:
            size = next((size for start, size in _HARMLESS if op.startswith(start)), 0)
            if not size or ((b"\x89" in op[:2] or b"\x85" in op[:2]) and op[size - 1] < 0xC0):
                break
            at += size
    return depth, saved, False


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
    before, target = pair
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


def _by_scan(memory: AddressSpace, machine: Machine, registers: Mapping[str, int]) -> Found | None:
    if machine.link:
        return None
    sp = registers.get(machine.stack_pointer, 0)
    for place in range(sp, sp + 8 * MAX_SCAN, 8):
        target = memory.word(place)
        if target is None:
            return None
        if follows_call(memory, target):
            return {**registers, machine.program_counter: target, "sp": place + 8}, "scan"
    return None
