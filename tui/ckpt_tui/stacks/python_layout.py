"""Where CPython keeps its threads and frames, by version, on machines of 64 bits.

From 3.13 on it says so itself, in `_Py_DebugOffsets` at the start of `_PyRuntime` (CPython,
Include/internal/pycore_debug_offsets.h); for 3.8 to 3.12 these are the offsets in its headers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

COOKIE = b"xdebugpy"

SHIM_OWNER = 3
"""From this owner on a frame is not a function's: it marks where C called into Python (3.12)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Offsets in bytes; None for what a version does not have."""

    version: tuple[int, int]
    interpreters: int
    """In _PyRuntime: the first PyInterpreterState."""
    threads: int
    """In PyInterpreterState: the first PyThreadState."""
    thread_id: int
    """In PyThreadState: what pthread_self() returns."""
    native_id: int | None
    frame: tuple[int, ...]
    """From PyThreadState to the innermost frame, a pointer each."""
    previous: int
    """In a frame: the caller."""
    code: int
    instruction: int
    """In a frame: the last instruction, its address or (before 3.11) its number."""
    owner: int | None
    entry: int | None
    """In a frame of 3.11: whether C called it."""
    file: int
    """In PyCodeObject, as those below."""
    name: int
    lines: int
    first_line: int
    start: int | None
    """The first instruction; None where frames have numbers of instructions."""
    gil_holder: tuple[int, ...]
    """The thread that had the GIL last: from _PyRuntime before 3.12, else from the interpreter."""
    gil_locked: tuple[int, ...]
    locals: int
    """In a frame: the values of its local variables."""
    local_names: tuple[int, ...]
    """In PyCodeObject: tuples of their names."""
    ascii_size: int
    """Bytes of PyASCIIObject, behind which its text is."""
    compact_size: int
    head: int = 16
    """Bytes of PyObject: its type comes last in it, and the size of a PyVarObject follows."""
    tuple_start: int = 24
    """In a tuple: its first item."""
    bytes_start: int = 32
    """In a bytes object: its contents; their number lies 16 bytes before."""
    string_length: int = 16
    string_state: int = 32
    next_interpreter: int | None = 0
    next_thread: int = 8
    interpreter: int = 16
    """In PyThreadState: its interpreter."""


def _old(version: int, instruction: int, gil: int, values: int) -> Layout:
    return Layout(
        (3, version), 32, 8, 176, None, (24,), 24, 32, instruction, None, None,
        104, 112, 120, 40, None, (gil,), (gil + 8,), values, (72, 88, 80), 48, 72,
    )  # fmt: skip


TABLES: Mapping[tuple[int, int], Layout] = {
    (3, 8): _old(8, 104, 1160, 360),
    (3, 9): _old(9, 104, 360, 360),
    (3, 10): _old(10, 96, 360, 352),
    (3, 11): Layout(
        (3, 11), 40, 16, 152, 160, (56, 8), 48, 32, 56, 69, 68,
        112, 128, 136, 72, 184, (368,), (376,), 72, (96,), 48, 72,
    ),
    (3, 12): Layout(
        (3, 12), 40, 72, 136, 144, (56, 0), 8, 0, 56, 70, None,
        112, 128, 136, 68, 192, (384, 8), (384, 16), 72, (96,), 40, 56,
    ),
}  # fmt: skip

_SECTIONS: Mapping[int, tuple[int, ...]] = {
    # words of runtime, interpreter, thread, frame, code, object, type, tuple, what is not read
    # here, bytes, unicode
    13: (3, 13, 9, 6, 10, 2, 4, 3, 11, 3, 4),
    14: (3, 16, 9, 8, 11, 2, 4, 3, 15, 3, 4),
}

OFFSETS_SIZE = 8 * 96
"""Bytes that are read of `_Py_DebugOffsets`."""

MAX_OFFSET = 1 << 24
"""Bytes of the largest of these structures; _PyRuntime has some hundred thousand."""


def layout_of(raw: bytes) -> Layout | None:
    """Return the layout that `_Py_DebugOffsets` describes, None where it is of no known version."""
    if len(raw) < OFFSETS_SIZE or not raw.startswith(COOKIE):
        return None
    words = struct.unpack(f"<{OFFSETS_SIZE // 8}Q", raw[:OFFSETS_SIZE])
    version, is_free_threaded = words[1] >> 16 & 0xFF, words[2]
    sizes = _SECTIONS.get(version)
    if sizes is None or words[1] >> 24 != 3 or max(words[3 : 3 + sum(sizes)]) >= MAX_OFFSET:
        return None
    parts, at = [], 3
    for size in sizes:
        parts.append(words[at : at + size])
        at += size
    runtime, interpreter, thread, frame, code, whole, _, items, _, contents, text = parts
    gil = len(interpreter) - (4 if version == 13 else 6)
    return Layout(
        version=(3, version),
        interpreters=runtime[2],
        next_interpreter=interpreter[2],
        threads=interpreter[3],
        next_thread=thread[2],
        interpreter=thread[3],
        frame=(thread[4],),
        thread_id=thread[5],
        native_id=thread[6],
        previous=frame[1],
        code=frame[2],
        instruction=frame[3],
        owner=frame[5],
        entry=None,
        file=code[1],
        name=code[3],
        lines=code[4],
        first_line=code[5],
        start=code[9],
        gil_holder=() if is_free_threaded else (interpreter[gil + 3],),
        gil_locked=() if is_free_threaded else (interpreter[gil + 2],),
        locals=frame[4],
        local_names=(code[7],),
        head=whole[0],
        tuple_start=items[1],
        bytes_start=contents[2],
        string_state=text[1],
        string_length=text[2],
        ascii_size=text[3],
        compact_size=text[3] + 16,
    )
