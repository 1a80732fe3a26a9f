"""ELF files: what they say of themselves, and headers that lie."""

from __future__ import annotations

import random
import struct

import pytest
from small_elf import BASE, CODE, opened, small_elf

from ckpt_tui.core.window import BytesWindow
from ckpt_tui.stacks.elf import ElfFile, NotElf
from ckpt_tui.stacks.modules import Module

NOTE = struct.pack("<III", 4, 4, 3) + b"GNU\0"


def test_a_build_id_that_only_a_section_has_is_found() -> None:
    other = {0x7008: struct.pack("<I", 4)}
    assert opened(small_elf(build_id=b"abcd")).build_id == b"abcd"
    assert opened(small_elf(build_id=b"abcd", change=other)).build_id == b""
    more = {".note.gnu.build-id": NOTE + b"efgh"}
    assert opened(small_elf(build_id=b"abcd", change=other, more=more)).build_id == b"efgh"


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\1\1" + bytes(64), bytes(4096)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(NotElf):
        ElfFile(BytesWindow(data))


@pytest.mark.parametrize(
    ("place", "form", "value"),
    [
        (32, "<Q", (1 << 64) - 1),  # e_phoff
        (40, "<Q", (1 << 64) - 1),  # e_shoff
        (54, "<H", 0),  # e_phentsize
        (54, "<H", 0xFFFF),
        (56, "<H", 0xFFFF),  # e_phnum
        (58, "<H", 1),  # e_shentsize
        (60, "<H", 0xFFFF),  # e_shnum
        (62, "<H", 0xFFFF),  # e_shstrndx
        (64 + 8, "<Q", (1 << 64) - 1),  # p_offset
        (64 + 32, "<Q", (1 << 64) - 1),  # p_filesz
        (120 + 8, "<Q", 1 << 62),
        (120 + 32, "<Q", 1 << 62),
        (0x8000 + 64 + 32, "<Q", 1 << 62),  # sh_size of .eh_frame
        (0x8000 + 64 + 24, "<Q", 1 << 62),
        (0x8000 + 128 + 40, "<I", 0xFFFFFFFF),  # sh_link of .symtab
        (0x8000 + 128, "<I", 0xFFFFFFFF),
    ],
)
def test_headers_that_lie_are_bounded(place: int, form: str, value: int) -> None:
    change = {place: struct.pack(form, value)}
    module = Module("/a", opened(small_elf(symbols={"f": (CODE, 8)}, change=change)), 0)
    look(module)
    assert module.elf is not None
    assert len(module.elf.segments) <= 256
    assert len(module.elf.sections) <= 4096


def look(module: Module) -> None:
    """Ask a file all that stacks ask it."""
    assert module.elf is not None
    assert len(module.elf.build_id) <= 64
    for address in (0, BASE, CODE, CODE + 7, (1 << 64) - 1):
        name = module.function_at(address)
        assert len(name.name if name else "") <= 4096
        module.row(address, is_innermost=True)
        assert len(module.elf.read_at(address, 4096)) <= 4096


def test_any_damage_to_the_headers_is_bounded() -> None:
    chance = random.Random(17)
    for _ in range(300):
        places = [*(chance.randrange(16, 176) for _ in range(3)), 0x8000 + chance.randrange(320)]
        change = {place: bytes([chance.choice((0, 1, 0x7F, 0xFF))]) for place in places}
        look(Module("/a", opened(small_elf(symbols={"f": (CODE, 8)}, change=change)), 0))
