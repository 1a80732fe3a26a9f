"""ELF files: what they say of themselves, and headers that lie."""

from __future__ import annotations

import struct

from small_elf import opened, small_elf

NOTE = struct.pack("<III", 4, 4, 3) + b"GNU\0"


def test_a_build_id_that_only_a_section_has_is_found() -> None:
    other = {0x7008: struct.pack("<I", 4)}
    assert opened(small_elf(build_id=b"abcd")).build_id == b"abcd"
    assert opened(small_elf(build_id=b"abcd", change=other)).build_id == b""
    more = {".note.gnu.build-id": NOTE + b"efgh"}
    assert opened(small_elf(build_id=b"abcd", change=other, more=more)).build_id == b"efgh"
