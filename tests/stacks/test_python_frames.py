"""Python frames: of this very interpreter, and of memory that makes no sense."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import threading
from collections.abc import Iterator
from types import MappingProxyType

import pytest
from small_elf import FakeMemory

from ckpt_tui.stacks.python_frames import Python, _Reader
from ckpt_tui.stacks.python_layout import OFFSETS_SIZE, TABLES, Layout, layout_of
from ckpt_tui.stacks.python_lines import line_at
from ckpt_tui.stacks.python_objects import PythonObjects

VERSION = sys.version_info[:2]


class OwnMemory:
    """The memory of this process."""

    def read(self, address: int, length: int) -> bytes | None:
        with open("/proc/self/mem", "rb", buffering=0) as file:
            try:
                return os.pread(file.fileno(), length, address)
            except (OSError, OverflowError):
                return None

    def word(self, address: int) -> int | None:
        data = self.read(address, 8)
        return None if not data else int.from_bytes(data, "little")


def read_own(*, with_locals: bool = False) -> Python:
    memory = OwnMemory()
    runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    layout = layout_of(memory.read(runtime, OFFSETS_SIZE) or b"") or TABLES[VERSION]
    reader = _Reader(memory, layout, runtime, with_locals)  # type: ignore[arg-type]
    return Python(VERSION, tuple(reader.threads()))  # type: ignore[arg-type]


def own_frames() -> list[tuple[str, str, int]]:
    frame, found = sys._getframe(1), []
    while frame is not None:
        found.append((frame.f_code.co_filename, frame.f_code.co_qualname, frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]
    return found


def test_frames_are_those_that_python_sees() -> None:
    def inner() -> Iterator[tuple[Python, list[tuple[str, str, int]]]]:
        yield read_own(), own_frames()

    (both,) = [*inner()]
    thread = both[0].of(threading.get_native_id(), threading.get_ident())
    assert thread is not None
    found = [(one.file, one.function, one.line) for one in thread.frames]
    where = next(n for n, one in enumerate(found) if one[1].endswith(".<locals>.inner"))
    assert found[where:] == both[1]


def test_every_thread_is_found() -> None:
    ready, over = threading.Event(), threading.Event()

    def ünïcode_ваr() -> None:
        ready.set()
        over.wait()

    thread = threading.Thread(target=ünïcode_ваr)
    thread.start()
    ready.wait()
    try:
        found = read_own().of(thread.native_id or 0, thread.ident or 0)
    finally:
        over.set()
        thread.join()
    assert found is not None
    assert any(one.function.endswith("ünïcode_ваr") for one in found.frames)
    assert not found.has_gil


def several_lines(a: int) -> list[int]:
    found = [
        a + 1,
        a if a else (a * 2),
    ]
    for one in range(a):
        with contextlib.suppress(ZeroDivisionError):
            found.append(one // a)
    return found  # fmt: skip


@pytest.mark.parametrize("function", [several_lines, own_frames, line_at, threading.Thread.join])
def test_lines_are_those_of_the_compiler(function: object) -> None:
    code = function.__code__  # type: ignore[attr-defined]
    for start, end, line in code.co_lines():
        for place in range(start, end, 2):
            found = line_at(VERSION, code.co_linetable, code.co_firstlineno, place)
            assert found == line, place
    assert line_at(VERSION, code.co_linetable, 7, -1) == 7


def test_older_line_tables() -> None:
    # Objects/lnotab_notes.txt: 6 bytes to a line, 50 more to one 5 further, one line back
    lnotab = bytes([6, 1, 50, 5, 2, 255])
    assert [line_at((3, 9), lnotab, 10, n) for n in (0, 5, 6, 55, 56, 58)] == [
        10, 10, 11, 11, 16, 15,
    ]  # fmt: skip
    table = bytes([4, 1, 4, 128, 2, 254])
    assert [line_at((3, 10), table, 10, n) for n in (0, 3, 4, 8, 10)] == [11, 11, None, 9, None]


def test_damaged_line_tables_are_bounded() -> None:
    for table in (b"", b"\xf0", b"\xf0" + b"\xff" * 5000, b"\xe8" * 5000):
        assert line_at((3, 13), table, 1, 1 << 40) is None


def test_threads_and_frames_in_circles_end() -> None:
    layout = TABLES[3, 12]
    interpreter, thread, frame = 0x10000, 0x20000, 0x30000
    memory = {start: bytearray(1024) for start in (0x1000, interpreter, thread, frame)}

    def put(start: int, offset: int, value: int) -> None:
        memory[start][offset : offset + 8] = struct.pack("<Q", value)

    put(0x1000, layout.interpreters, interpreter)
    put(interpreter, layout.threads, thread)
    put(thread, 8, thread)
    put(thread, 16, interpreter)
    put(thread, layout.frame[0], thread + 512)
    put(thread, 512 + layout.frame[1], frame)
    put(interpreter, layout.gil_holder[0], interpreter + 512)
    put(interpreter, 512 + 8, thread)
    put(interpreter, 512 + 16, 1)
    put(frame, layout.previous, frame)
    put(frame, layout.code, 0xDEAD0000)
    fake = FakeMemory({start: bytes(data) for start, data in memory.items()})
    (found,) = _Reader(fake, layout, 0x1000).threads()  # type: ignore[arg-type]
    assert [(one.file, one.function) for one in found.frames] == [("", "")]
    assert found.has_gil
    assert found.note == "The Python frames after 1 are left out."


def test_offsets_that_cannot_be_are_refused() -> None:
    good = bytearray(OFFSETS_SIZE)
    good[:16] = b"xdebugpy" + struct.pack("<Q", 0x030D00F0)
    assert layout_of(bytes(good)) is not None
    assert layout_of(bytes(good[:-1])) is None
    assert layout_of(b"x" * OFFSETS_SIZE) is None
    good[8:16] = struct.pack("<Q", 0x03FF00F0)
    assert layout_of(bytes(good)) is None
    good[8:32] = struct.pack("<QQQ", 0x030D00F0, 0, 1 << 60)
    assert layout_of(bytes(good)) is None


class Thing:
    pass


THING = Thing()
FROZEN = frozenset((1, 2, 3))
PAIRS = MappingProxyType({})


def test_local_variables_are_those_of_the_function() -> None:
    loop: list[object] = []
    loop.append(loop)

    def with_locals(
        count: int,
        *rest: str,
        wide: str = "я" * 3,
        emoji: str = "\U0001f600",
        empty: str = "",
        text: str = "grüße",
        long_text: str = "x" * 5000,
        big: int = 1 << 100,
        huge: int = 1 << 100_000,
        small: int = -5,
        zero: int = 0,
        flag: bool = False,
        nothing: None = None,
        ratio: float = -0.25,
        raw: bytes = b"\0\xff",
        items: object = (1, 2),
        pairs: object = PAIRS,
        frozen: object = FROZEN,
        thing: object = THING,
        **more: object,
    ) -> tuple[Python, object]:
        return read_own(with_locals=True), inner

    def inner() -> object:
        return kept

    kept = 7
    python, _ = with_locals(3, "one", loop=loop)
    thread = python.of(threading.get_native_id(), threading.get_ident())
    assert thread is not None
    frame = next(one for one in thread.frames if one.function.endswith("with_locals"))
    found = {one.name: (one.type, one.value) for one in frame.locals}
    assert found.pop("long_text") == ("str", repr("x" * 1024 + "…"))
    assert found.pop("huge") == ("int", "a number of 3,334 digits of 30 bits")
    assert found == {
        "count": ("int", "3"),
        "rest": ("tuple", "1 item"),
        "more": ("dict", "1 item"),
        "text": ("str", "'grüße'"),
        "wide": ("str", "'яяя'"),
        "emoji": ("str", "'\U0001f600'"),
        "empty": ("str", "''"),
        "big": ("int", str(1 << 100)),
        "small": ("int", "-5"),
        "zero": ("int", "0"),
        "flag": ("bool", "False"),
        "nothing": ("NoneType", "None"),
        "ratio": ("float", "-0.25"),
        "raw": ("bytes", repr(b"\0\xff")),
        "items": ("tuple", "2 items"),
        "pairs": ("mappingproxy", ""),
        "frozen": ("frozenset", "3 items"),
        "thing": ("Thing", ""),
        "inner": ("function", ""),
    }
    assert all(one.locals == () for one in read_own().threads[0].frames)


def objects(pieces: dict[int, bytes], layout: Layout = TABLES[3, 12]) -> PythonObjects:
    return PythonObjects(FakeMemory(pieces), layout)  # type: ignore[arg-type]


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *(value % (1 << 64) for value in values))


def test_objects_that_make_no_sense_are_bounded() -> None:
    layout = TABLES[3, 12]
    names, kind, code, frame = 0x1000, 0x2000, 0x3000, 0x4000
    endless = 1 << 62
    pieces = {
        # a tuple of 2^62 names, of which one is there; its name is 2^62 characters long
        names: words(1, kind, endless, names + 64) + bytes(32)
        + words(1, kind, endless, 0, 0b1100100, *[0x6161616161616161] * 200),
        kind: words(1, kind, 0, 0x9000) + bytes(64),  # a type that is its own
        code: bytes(layout.local_names[0]) + words(names),
        frame: bytes(layout.locals) + words(kind, 0xDEAD0000, frame, 0, *[kind] * 2000),
        0x9000: b"int" + b"\0" * 61,
    }  # fmt: skip
    found = list(objects(pieces).locals_of(frame, code))
    assert len(found) <= 500
    assert len(found[0].name) <= 1025
    assert (found[0].type, found[0].value) == ("int", "0")
    assert (found[1].type, found[1].value) == ("", "unknown")


@pytest.mark.parametrize("size", [1 << 62, (1 << 64) - 1, 0x7FFFFFFF << 3])
def test_sizes_that_cannot_be_are_bounded(size: int) -> None:
    for name in (b"int", b"str", b"bytes", b"list", b"set", b"float", b"m.n.Odd", b"x" * 4000):
        thing, kind, text = 0x1000, 0x2000, 0x3000
        pieces = {
            thing: words(1, kind, size, size, size, size) + bytes(16),
            kind: words(1, kind, 0, text) + bytes(64),
            text: name.ljust(4096, b"\0"),
        }
        for layout in TABLES.values():
            (found,) = [objects(pieces, layout)._local("it", thing)]
            assert len(found.type) <= 1024
            assert len(found.value) < 4096
