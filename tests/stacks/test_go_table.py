"""Go's table of functions: names and stack depths, and what damaged ones cannot do."""

from __future__ import annotations

import random
import struct

import pytest
from small_elf import CODE, opened, small_elf

from ckpt_tui.stacks.cfi import Row
from ckpt_tui.stacks.go_table import GoTable, go_table

FUNCTIONS = (
    # start, name, flags, stack depth from each place on
    (0x00, b"main.deep", 0, ((0, 0), (4, 8), (9, 0x40), (0x1C, 0))),
    (0x20, b"runtime.goexit", 1, ((0, 0),)),
    (0x30, b"runtime.mcall", 2, ((0, 0), (2, 8))),
    (0x40, b"runtime.systemstack", 2, ((0, 0), (2, 8))),
)
END = 0x60


def varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found, number = found + bytes([number & 0x7F | 0x80]), number >> 7
    return found + bytes([number])


def steps(depths: tuple[tuple[int, int], ...], size: int) -> bytes:
    """Return a table of values as cmd/link writes it: how the value changes, and for how long."""
    found, before = b"", -1
    ends = [*(place for place, _ in depths[1:]), size]
    for (place, depth), end in zip(depths, ends, strict=True):
        change = depth - before
        found += varint(change << 1 if change >= 0 else (-change << 1) - 1) + varint(end - place)
        before = depth
    return found + b"\0"


def table(magic: int = 0xFFFFFFF1, text: int = CODE) -> bytes:
    names, pcsp, entries, functions = b"", b"\0", b"", b""
    ends = [*(start for start, *_ in FUNCTIONS[1:]), END]
    size = 8 * len(FUNCTIONS) + 4
    for (start, name, flags, depths), end in zip(FUNCTIONS, ends, strict=True):
        entries += struct.pack("<II", start, size + len(functions))
        head = struct.pack("<IiiIIIIII", start, len(names), 0, 0, len(pcsp), 0, 0, 0, 0)
        tail = bytes([0, flags, 0, 0])
        functions += head + (struct.pack("<i", 1) if magic == 0xFFFFFFF1 else b"") + tail
        functions += bytes(4)
        names += name + b"\0"
        pcsp += steps(depths, end - start)
    entries += struct.pack("<I", END)
    places = [72, 72 + len(names), 72 + len(names), 72 + len(names)]
    places.append(places[-1] + len(pcsp))
    head = struct.pack("<IHBB8Q", magic, 0, 1, 8, len(FUNCTIONS), 0, text, *places)
    return head + names + pcsp + entries + functions


def of(data: bytes, name: str = ".gopclntab", **more: bytes) -> GoTable:
    found = go_table(opened(small_elf(more={name: data, **{f".{k}": v for k, v in more.items()}})))
    assert found is not None
    return found


def row(found: GoTable, place: int, *, is_innermost: bool = False) -> Row:
    one = found.row(CODE + place, is_innermost=is_innermost)
    assert one is not None
    assert one.how == "Go"
    return one


@pytest.mark.parametrize("magic", [0xFFFFFFF0, 0xFFFFFFF1])
def test_functions_and_depths_are_found(magic: int) -> None:
    found = of(table(magic))
    names = [getattr(found.function_at(CODE + n), "name", None) for n in (0, 0x1F, 0x20, 0x5F, END)]
    assert names == [
        "main.deep", "main.deep", "runtime.goexit", "runtime.systemstack", None,
    ]  # fmt: skip
    assert found.function_at(CODE - 1) is None
    assert row(found, 3).cfa == (7, 8)
    assert row(found, 3).rules == {16: ("offset", -8)}
    assert row(found, 4).cfa == (7, 16)
    assert row(found, 0x1B).cfa == (7, 0x48)
    assert row(found, 0x1B).rules == {16: ("offset", -8), 6: ("offset", -16)}
    assert row(found, 0x1C).cfa == (7, 8)
    assert found.row(CODE + END, is_innermost=True) is None


def test_a_stack_ends_where_nothing_called() -> None:
    found = of(table())
    assert row(found, 0x21).rules == {16: ("undefined", 0)}
    assert row(found, 0x35).rules == {16: ("undefined", 0)}
    assert row(found, 0x35, is_innermost=True).cfa == (7, 16)


def test_the_thread_s_own_stack_leads_back_to_the_goroutine_s() -> None:
    assert row(of(table()), 0x45).cfa == (6, 16)


def test_a_program_that_can_be_moved_says_in_its_relocations_where_its_code_is() -> None:
    place = CODE + 0x8000 + 24
    moved = struct.pack("<QQQQQQ", 1, 2, 3, place, 8, CODE)
    found = of(table(text=0), ".data.rel.ro.gopclntab", **{"rela.dyn": moved})
    assert found.function_at(CODE + 1) is not None


def test_other_programs_have_no_table() -> None:
    assert go_table(opened(small_elf())) is None
    for data in (b"", table()[:40], b"\xfb" + table()[1:], b"\0" * 100):
        assert go_table(opened(small_elf(more={".gopclntab": data}))) is None


def test_any_damage_is_bounded() -> None:
    chance, good = random.Random(17), table()
    for _ in range(500):
        data = bytearray(good)
        for _ in range(4):
            data[chance.randrange(8, len(data))] = chance.choice((0, 0x7F, 0x80, 0xFF))
        found = go_table(opened(small_elf(more={".gopclntab": bytes(data)})))
        for place in (0, 4, 0x1F, 0x21, 0x35, 0x45):
            if found is not None:
                found.row(CODE + place, is_innermost=True)
                name = found.function_at(CODE + place)
                assert len(name.name if name else "") <= 4096
