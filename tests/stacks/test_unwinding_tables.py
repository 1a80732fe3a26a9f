"""Unwinding tables and expressions: what they say, and what damaged ones cannot do."""

from __future__ import annotations

import random
import struct

import pytest
from small_elf import CODE, common, eh_frame, entry, opened, small_elf

from ckpt_tui.stacks.cfi import BadTable, FrameTable, Row
from ckpt_tui.stacks.expression import BadExpression, evaluate

FUNCTIONS = {
    # push bp; mov bp, sp; the CFA moves with each
    CODE: (0x40, b"\x41\x0e\x10\x86\x02\x43\x0d\x06\x02\x20\x0c\x07\x08"),
    CODE + 0x40: (0x10, b"\x07\x10"),
}


def table(frames: bytes, **more: object) -> FrameTable:
    return FrameTable(opened(small_elf(frames, **more)))  # type: ignore[arg-type]


def row(address: int) -> Row:
    found = table(eh_frame(FUNCTIONS)).row(address)
    assert found is not None
    return found


def test_the_row_of_an_address_is_found() -> None:
    assert row(CODE).cfa == (7, 8)
    assert row(CODE).rules == {16: ("offset", -8)}
    assert row(CODE + 1).cfa == (7, 16)
    assert row(CODE + 1).rules == {16: ("offset", -8), 6: ("offset", -16)}
    assert row(CODE + 4).cfa == (6, 16)
    assert row(CODE + 0x24).cfa == (7, 8)
    assert row(CODE + 0x40).rules[16] == ("undefined", 0)


def test_code_without_an_entry_has_no_row() -> None:
    frames = table(eh_frame(FUNCTIONS))
    assert frames.row(CODE - 1) is None
    assert frames.row(CODE + 0x50) is None
    assert table(b"").row(CODE) is None


def test_states_are_remembered_and_restored() -> None:
    remembered = b"\x0a\x0e\x20\x41\x0b\x41\x0e\x30"
    frames = table(eh_frame({CODE: (0x10, remembered)}))
    assert [frames.row(CODE + n).cfa for n in range(3)] == [(7, 32), (7, 8), (7, 48)]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("instructions", "problem"),
    [
        (b"\x0b", "goes back to a state"),
        (b"\x0a" * 1000, "too many states"),
        (b"\x3f", "instruction 0x3f is not known"),
        (b"\x0f\xff\xff\x7f", "ends too early"),
        (b"\x0e" + b"\xff" * 12, "over ten bytes"),
    ],
)
def test_instructions_that_make_no_sense_are_refused(instructions: bytes, problem: str) -> None:
    with pytest.raises(BadTable, match=problem):
        table(eh_frame({CODE: (0x10, instructions)})).row(CODE + 8)


def test_entries_that_lead_in_circles_are_left_out() -> None:
    # an entry whose common entry is itself, and one whose length is 4 GiB
    circle = entry(struct.pack("<IiI", 4, 0, 16) + b"\0")
    assert table(circle).row(CODE) is None
    assert table(struct.pack("<II", 0xFFFFFF00, 1) + bytes(64)).row(CODE) is None
    assert table(common(augmentation=b"eh")).row(CODE) is None


def test_any_damage_is_bounded() -> None:
    chance = random.Random(17)
    data = small_elf(eh_frame(FUNCTIONS), {"main": (CODE, 0x40)})
    for _ in range(400):
        places = [chance.randrange(0x2000, 0x2080) for _ in range(4)]
        change = {place: bytes([chance.randrange(256)]) for place in places}
        frames = FrameTable(opened(small_elf(eh_frame(FUNCTIONS), change=change)))
        for address in (CODE, CODE + 0x10, CODE + 0x40):
            try:
                found = frames.row(address)
            except BadTable:
                continue
            assert found is None or len(found.rules) < 64
    assert len(data) == 0x9000


def value(code: bytes, start: int | None = None, **registers: int) -> int:
    known = {int(name[1:]): number for name, number in registers.items()}
    memory = {0x1000: b"\x11\x22\x33\x44\x55\x66\x77\x88"}
    return evaluate(code, known.get, lambda a, n: memory[a][:n] if a in memory else None, start)


def test_expressions_are_evaluated() -> None:
    plt = b"\x77\x08\x80\x00\x3f\x1a\x3b\x2a\x33\x24\x22"  # the PLT's: sp+8, 8 more behind a push
    assert value(plt, r7=0x1000, r16=0x400005) == 0x1008
    assert value(plt, r7=0x1000, r16=0x40000B) == 0x1010
    assert value(b"\x0a\x00\x10\x06") == 0x8877665544332211
    assert value(b"\x0a\x00\x10\x94\x02") == 0x2211
    assert value(b"\x23\x08", start=0x10) == 0x18
    assert value(b"\x09\xff\x08\x02\x1e") == (1 << 64) - 2
    assert value(b"\x31\x28\x01\x00\x30\x35") == 5


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        (b"\x2f\xfd\xff", "does not end"),
        (b"\x31" * 5000, "fills the stack"),
        (b"\x22", "more from the stack"),
        (b"\x31\x30\x1b", "division by zero"),
        (b"\x31\x30\x1d", "division by zero"),
        (b"\x77\x00", "register 7 is not known"),
        (b"\x30\x06", "is not at hand"),
        (b"\xe0", "operation 0xe0 is not known"),
        (b"\x2f\x00\x80", "jumps out"),
        (b"\x10" + b"\x80" * 20, "over ten bytes"),
    ],
)
def test_expressions_that_make_no_sense_are_refused(code: bytes, problem: str) -> None:
    with pytest.raises(BadExpression, match=problem):
        value(code)
