"""Names of functions: out of each table that has them, and tables that lie."""

from __future__ import annotations

import lzma
import struct

from small_elf import BASE, CODE, opened, small_elf

from ckpt_tui.stacks.symbols import SymbolTable, address_of_symbol


def name_at(data: bytes, address: int) -> str:
    found = SymbolTable(opened(data)).at(address)
    return found.name if found else ""


def test_minidebuginfo_has_the_names_of_local_functions() -> None:
    """.gnu_debugdata, as Fedora packs it: an ELF file with a .symtab, in xz."""
    packed = lzma.compress(small_elf(symbols={"hidden": (CODE, 16)}))
    data = small_elf(symbols={"plain": (CODE + 16, 16)}, more={".gnu_debugdata": packed})
    assert name_at(data, CODE + 3) == "hidden"
    assert name_at(data, CODE + 19) == "plain"
    assert name_at(data, CODE + 40) == ""


def test_minidebuginfo_that_is_damaged_is_left_out() -> None:
    good = lzma.compress(small_elf(symbols={"hidden": (CODE, 16)}))
    bomb = lzma.compress(bytes(200 << 20), preset=0)
    for packed in (b"", b"xz?", good[: len(good) // 2], lzma.compress(b"no ELF file"), bomb[:4096]):
        data = small_elf(symbols={"plain": (CODE, 16)}, more={".gnu_debugdata": packed})
        assert name_at(data, CODE + 3) == "plain"


def rela(*symbols: int) -> bytes:
    return b"".join(struct.pack("<QQQ", 0, symbol << 32 | 7, 0) for symbol in symbols)


def dynamic(*names: str) -> tuple[bytes, bytes]:
    """Return .dynsym and .dynstr with functions of other files."""
    texts, table = b"\0", bytes(24)
    for name in names:
        table += struct.pack("<IBBHQQ", len(texts), 0x12, 0, 0, 0, 0)
        texts += name.encode() + b"\0"
    return table, texts


def with_plt(machine: int, relocations: bytes, slots: int, *, second: bool = False) -> bytes:
    table, texts = dynamic("read", "write")
    more = {".dynsym": table, ".dynstr": texts, ".rela.plt": relocations, ".plt": bytes(16 * slots)}
    if second:
        more[".plt.sec"] = bytes(16 * slots)
    data = bytearray(small_elf(more=more))
    struct.pack_into("<H", data, 18, machine)
    # .dynsym is section 5; its names are in section 6
    struct.pack_into("<I", data, 0x8000 + 64 * 5 + 40, 6)
    return bytes(data)


PLT, SECOND = BASE + 0xC000, BASE + 0xD000


def test_slots_of_the_plt_have_the_name_of_what_they_call() -> None:
    x86 = with_plt(62, rela(2, 1), 3)
    assert [name_at(x86, PLT + n) for n in (4, 16, 31, 32, 47)] == [
        "", "write@plt", "write@plt", "read@plt", "read@plt",
    ]  # fmt: skip
    arm = with_plt(183, rela(1, 2), 4)
    assert [name_at(arm, PLT + n) for n in (16, 32, 48)] == ["", "read@plt", "write@plt"]
    marked = with_plt(62, rela(1, 2), 3, second=True)
    assert [name_at(marked, SECOND + n) for n in (0, 16)] == ["read@plt", "write@plt"]


def test_a_plt_that_lies_is_bounded() -> None:
    for relocations in (rela(99, 1 << 31), rela(*range(5000)), b"\xff" * 100):
        assert len(name_at(with_plt(62, relocations[:4096], 3), PLT + 20)) < 10


def test_a_name_of_a_gigabyte_is_cut() -> None:
    data = bytearray(small_elf(symbols={"a" * 3000: (CODE, 16)}))
    # .strtab claims a gigabyte
    struct.pack_into("<Q", data, 0x8000 + 64 * 3 + 32, 1 << 30)
    data[0x5001:0x6000] = b"a" * 0xFFF
    found = SymbolTable(opened(bytes(data))).at(CODE)
    assert found is not None
    assert len(found.name) <= 4096


def test_symbols_that_lie_are_bounded() -> None:
    huge = {f"f{n}": (CODE + n, (1 << 64) - 1) for n in range(100)}
    assert name_at(small_elf(symbols=huge), CODE + 50) == "f50"
    assert name_at(small_elf(symbols={"far": ((1 << 64) - 1, 8)}), CODE) == ""
    assert address_of_symbol(opened(small_elf(symbols=huge)), b"none") is None
