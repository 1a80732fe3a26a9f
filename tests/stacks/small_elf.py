"""Small ELF files and memory to unwind in, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from ckpt_tui.checkpoint.model import Region
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.stacks.elf import ElfFile

BASE = 0x400000
CODE = BASE + 0x1000
"""Where the code of `small_elf` is."""


class FakeMemory:
    """Memory of a process, as `AddressSpace` shows it."""

    def __init__(self, pieces: Mapping[int, bytes], code: range = range(0)) -> None:
        self._pieces = pieces
        self._code = code

    def region_at(self, address: int) -> Region | None:
        for start, data in self._pieces.items():
            if start <= address < start + len(data):
                return Region(1, start, start + len(data), "stack", "rw-p")
        return None

    def is_code(self, address: int) -> bool:
        return address in self._code

    def read(self, address: int, length: int) -> bytes | None:
        for start, data in self._pieces.items():
            if start <= address and address + length <= start + len(data):
                return data[address - start : address - start + length]
        return None

    def word(self, address: int) -> int | None:
        data = self.read(address, 8)
        return None if data is None else int.from_bytes(data, "little")

    def words(self, address: int, count: int) -> tuple[int, ...] | None:
        data = self.read(address, 8 * count)
        return None if data is None else struct.unpack(f"<{count}Q", data)


def entry(body: bytes) -> bytes:
    """Return an entry of .eh_frame with its length, padded with DW_CFA_nop."""
    body += bytes(-(len(body) + 4) % 8)
    return struct.pack("<I", len(body)) + body


def common(instructions: bytes = b"\x0c\x07\x08\x90\x01", augmentation: bytes = b"zR") -> bytes:
    """Return a common entry: the CFA is sp+8, the return address lies at CFA-8."""
    head = struct.pack("<IB", 0, 1) + augmentation + b"\0" + b"\x01\x78\x10"
    return entry(head + (b"\x01\x1b" if augmentation == b"zR" else b"") + instructions)


def eh_frame(functions: Mapping[int, tuple[int, bytes]], first: bytes | None = None) -> bytes:
    """Return .eh_frame at `BASE + 0x2000` for functions: start to size and instructions."""
    data = common() if first is None else first
    for start, (size, instructions) in functions.items():
        place = BASE + 0x2000 + len(data) + 8
        head = struct.pack("<IiI", len(data) + 4, start - place, size) + b"\0"
        data += entry(head + instructions)
    return data + bytes(4)


def small_elf(
    frames: bytes = b"",
    symbols: Mapping[str, tuple[int, int]] | None = None,
    build_id: bytes = b"",
    change: Mapping[int, bytes] | None = None,
    more: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an ELF file with code, .eh_frame, .symtab (name to address and size) and a build id.

    `more` sections follow at `BASE + 0x9000`, 4 KiB each; `change` overwrites bytes at the end.
    """
    more = more or {}
    names, table = b"\0", bytes(24)
    for name, (address, size) in (symbols or {}).items():
        table += struct.pack("<IBBHQQ", len(names), 0x12, 0, 1, address, size)
        names += name.encode() + b"\0"
    note = struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id
    texts = b"\0.eh_frame\0.symtab\0.strtab\0.shstrtab\0"
    texts += b"".join(name.encode() + b"\0" for name in more)
    size = 0x9000 + 0x1000 * len(more)
    parts = {0x2000: frames, 0x4000: table, 0x5000: names, 0x6000: texts, 0x7000: note}
    sections = [
        (0, 0, 0, 0, 0, 0),
        (texts.index(b".eh_frame"), 1, BASE + 0x2000, 0x2000, len(frames), 0),
        (texts.index(b".symtab"), 2, 0, 0x4000, len(table), 3),
        (texts.index(b".strtab"), 3, 0, 0x5000, len(names), 0),
        (texts.index(b".shstrtab"), 3, 0, 0x6000, len(texts), 0),
    ]
    for number, (name, contents) in enumerate(more.items()):
        parts[0x9000 + 0x1000 * number] = contents
        where = texts.index(name.encode() + b"\0")
        place = 0x9000 + 0x1000 * number
        sections.append((where, 1, BASE + place, place, len(contents), 0))
    parts[0x8000] = b"".join(
        struct.pack("<IIQQQQIIQQ", name, kind, 0, at, place, length, link, 0, 1, 0)
        for name, kind, at, place, length, link in sections
    )
    parts[64] = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, size, size, 0x1000)
    parts[64] += struct.pack("<IIQQQQQQ", 4, 4, 0x7000, 0, 0, len(note), len(note), 4)
    head = (
        b"\x7fELF\2\1\1".ljust(16, b"\0"),
        2,
        62,
        1,
        CODE,
        64,
        0x8000,
        0,
        64,
        56,
        2,
        64,
        len(sections),
        4,
    )
    parts[0] = struct.pack("<16sHHIQQQIHHHHHH", *head)
    data = bytearray(size)
    for place, piece in (*parts.items(), *(change or {}).items()):
        data[place : place + len(piece)] = piece
    return bytes(data)


def opened(data: bytes) -> ElfFile:
    return ElfFile(BytesWindow(data))
