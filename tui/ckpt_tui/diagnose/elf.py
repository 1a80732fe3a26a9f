"""The build id of an ELF file: the same bytes that CRIU keeps in reg_file_entry.build_id."""

from __future__ import annotations

import struct

from ckpt_tui.core.window import ByteWindow
from ckpt_tui.stacks.elf import MAX_NOTES, MAX_SEGMENTS, PT_NOTE, build_id_in

HEAD = 4096
"""Bytes of the start of a file that have all of it in every usual case."""

_LAYOUTS = {
    # class: offset of e_phoff with its format, of e_phentsize; of p_offset, p_filesz with format
    1: (28, "I", 42, 4, 16, "I"),
    2: (32, "Q", 54, 8, 32, "Q"),
}


def build_id(window: ByteWindow) -> bytes:
    """Return the GNU build id of an ELF file; empty for none, and for what is not an ELF file.

    Reads the first `HEAD` bytes of the file in every usual case.
    """
    head = window.read(0, 64)
    if len(head) < 52 or head[:4] != b"\x7fELF" or head[4] not in _LAYOUTS:
        return b""
    order = ">" if head[5] == 2 else "<"
    place, word, sizes, file_offset, file_size, wide = _LAYOUTS[head[4]]
    (start,) = struct.unpack_from(order + word, head, place)
    entry_size, count = struct.unpack_from(order + "HH", head.ljust(64, b"\0"), sizes)
    if entry_size < file_size + 8:
        return b""
    headers = window.read(start, entry_size * min(count, MAX_SEGMENTS))
    for at in range(0, len(headers) - entry_size + 1, entry_size):
        (kind,) = struct.unpack_from(order + "I", headers, at)
        if kind != PT_NOTE:
            continue
        (offset,) = struct.unpack_from(order + wide, headers, at + file_offset)
        (size,) = struct.unpack_from(order + wide, headers, at + file_size)
        if found := build_id_in(window.read(offset, min(size, MAX_NOTES)), order):
            return found
    return b""
