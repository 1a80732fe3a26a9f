"""Walking stacks: what ends a walk, and that nothing keeps it from ending."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
from small_elf import BASE, CODE, FakeMemory, eh_frame, opened, small_elf

from ckpt_tui.stacks.machine import AARCH64, X86_64
from ckpt_tui.stacks.modules import Module
from ckpt_tui.stacks.prologue import pushed_by
from ckpt_tui.stacks.unwind import MAX_FRAMES, RawFrame, Unwinder

STACK = 0x7000_0000

CALL = bytes(16) + b"\xe8" + struct.pack("<i", -21) + bytes(43)
"""Code whose byte 21 follows a call of byte 0."""


class OneModule:
    """The modules of a process that has one."""

    def __init__(self, module: Module | None) -> None:
        self._module = module

    def at(self, address: int) -> Module | None:
        return self._module if self._module and BASE <= address < BASE + 0x9000 else None


def walked(
    frames: bytes,
    stack: bytes,
    registers: Mapping[str, int],
    symbols: Mapping[str, tuple[int, int]] | None = None,
    code: bytes = bytes(64),
) -> tuple[list[RawFrame], str]:
    elf = opened(small_elf(frames, symbols, change={0x1000: code}))
    memory = FakeMemory({CODE: code, STACK: stack}, range(CODE, CODE + len(code)))
    modules = OneModule(Module("/bin/a", elf, 0))
    unwinder = Unwinder(memory, modules, X86_64)  # type: ignore[arg-type]
    found = list(unwinder.walk(registers))
    return found, unwinder.note


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def test_a_stack_ends_where_the_table_says() -> None:
    functions = {CODE: (0x10, b""), CODE + 0x10: (0x10, b"\x07\x10")}
    found, note = walked(eh_frame(functions), words(CODE + 0x14), {"ip": CODE + 2, "sp": STACK})
    assert [frame.pc for frame in found] == [CODE + 2, CODE + 0x14]
    assert note == ""


def test_a_frame_that_is_its_own_caller_ends_the_stack() -> None:
    same = eh_frame({CODE: (0x10, b"\x0c\x06\x00\x90\x00")})  # the CFA is bp, which stays
    stack = words(CODE + 4) * 8
    registers = {"ip": CODE + 2, "sp": STACK, "bp": STACK + 8}
    found, note = walked(same, stack, registers)
    assert len(found) == 2
    assert note == "The stack goes back to 0x70000008."


def test_a_stack_of_a_million_frames_is_cut() -> None:
    functions = eh_frame({CODE: (0x10, b"")})
    stack = words(CODE + 4) * 1_000_000
    found, note = walked(functions, stack, {"ip": CODE + 2, "sp": STACK})
    assert len(found) == MAX_FRAMES + 1
    assert note == "There are more than 10,000 frames; the rest is left out."


def test_a_cfa_that_runs_away_ends_the_stack() -> None:
    away = eh_frame({CODE: (0x10, b"\x0c\x07\xff\xff\xff\xff\x7f")})
    found, note = walked(away, words(CODE + 4), {"ip": CODE + 2, "sp": STACK})
    assert len(found) == 1
    assert "the return address is not at hand" in note


def test_without_a_table_the_prologue_tells_the_caller() -> None:
    code = b"\x53\x48\x83\xec\x10".ljust(16, b"\x90") + CALL[16:]
    symbols = {"inner": (CODE, 16), "outer": (CODE + 16, 32)}
    # 16 bytes of room, the saved bx, the return address; a stale one in the room
    stack = words(CODE + 21, 0, 77, CODE + 21) + bytes(64)
    found, _ = walked(b"", stack, {"ip": CODE + 10, "sp": STACK, "bx": 1}, symbols, code)
    assert [(frame.pc, frame.how) for frame in found[:1]] == [(CODE + 10, "prologue")]
    assert found[1].pc == CODE + 21
    assert found[1].registers["bx"] == 77
    assert found[1].registers["sp"] == STACK + 32


def test_a_guess_prefers_the_call_of_this_function() -> None:
    # an instruction that is not followed, so that the depth is not known
    code = b"\xc5\xf8\x77".ljust(16, b"\x90") + b"\xe8" + struct.pack("<i", 0) + CALL[16:]
    symbols = {"inner": (CODE, 16)}
    to_other, to_inner = CODE + 21, CODE + 26
    code = code[:21] + b"\xe8" + struct.pack("<i", CODE - to_inner) + bytes(38)
    found, _ = walked(
        b"", words(5, to_other, to_inner, 0), {"ip": CODE + 8, "sp": STACK}, symbols, code
    )
    assert [(frame.pc, frame.how) for frame in found[:1]] == [(CODE + 8, "scan")]
    assert found[1].pc == to_inner


def test_what_is_not_code_was_called_by_what_the_stack_says() -> None:
    functions = eh_frame({CODE: (0x40, b"\x07\x10")})
    found, _ = walked(functions, words(CODE + 8), {"ip": 0, "sp": STACK})
    assert [frame.pc for frame in found] == [0, CODE + 8]


def test_a_return_address_of_aarch64_is_stripped_of_its_signature() -> None:
    memory = FakeMemory(
        {CODE: bytes(64), STACK: words(STACK + 32, CODE + 8 | 0x55 << 48, 0, 0) + bytes(32)},
        range(CODE, CODE + 64),
    )
    unwinder = Unwinder(memory, OneModule(None), AARCH64)  # type: ignore[arg-type]
    registers = {"pc": CODE, "sp": STACK, "x29": STACK, "x30": 0}
    assert [frame.pc for frame in unwinder.walk(registers)][:2] == [CODE, CODE + 8]


@pytest.mark.parametrize(
    ("code", "depth", "saved"),
    [
        ("f30f1efa 55 53 4881ec98000000", 8 + 8 + 0x98, {"bp": 8, "bx": 16}),
        ("4883ec10 4531c9 31c9 6a00 bf22000000 e800000000", 24, {}),
        ("4157 480faff2 4156 4881ec58030000 64488b042528000000 4889842448030000", 0x368, None),
        ("53 660fefc0 0f114710 7402 5b c3 4889df e800000000", 8, {"bx": 8}),
        ("50 c5f877 50", 8, {"ax": 8}),
        ("", 0, {}),
        ("48", 0, {}),
    ],
)
def test_what_a_function_pushed_is_counted(
    code: str, depth: int, saved: dict[str, int] | None
) -> None:
    found = pushed_by(bytes.fromhex(code))
    assert found.depth == depth
    assert saved is None or found.saved == saved
    assert not found.has_frame


def test_a_frame_pointer_is_seen() -> None:
    assert pushed_by(bytes.fromhex("55 4889e5 4883ec20")).has_frame
    assert not pushed_by(bytes.fromhex("53 55 4889e5")).has_frame
