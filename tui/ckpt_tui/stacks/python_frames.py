"""Python frames of the threads of a process that runs CPython, from its memory alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.elf import ElfFile
from ckpt_tui.stacks.modules import Module, Modules
from ckpt_tui.stacks.python_layout import OFFSETS_SIZE, SHIM_OWNER, TABLES, Layout, layout_of
from ckpt_tui.stacks.python_lines import line_at
from ckpt_tui.stacks.python_objects import Local, PythonObjects
from ckpt_tui.stacks.symbols import address_of_symbol

MAX_FRAMES = 10_000
"""Frames of a thread; Python's own limit is a thousand."""

MAX_THREADS = 10_000

MAX_INTERPRETERS = 100

MAX_LOCALS = 20_000
"""Local variables of a process that are read."""

TLS_AHEAD = 8192
"""Bytes by which pthread_self() may lie before the thread pointer, as on aarch64."""

VERSION = re.compile(r"python3\.(\d{1,2})(?:\D|$)")


@dataclass(frozen=True, slots=True)
class PythonFrame:
    """A call of a Python function."""

    file: str
    function: str
    line: int | None
    is_entry: bool
    """C called it: the frame outside of it is of C."""
    entry: int = 0
    """Where on the stack that C function says so (3.12 and later), 0 where it does not."""
    locals: tuple[Local, ...] = ()
    """Its local variables, if they were asked for."""


@dataclass(frozen=True, slots=True)
class PythonThread:
    """A thread that Python knows."""

    thread_id: int
    native_id: int | None
    has_gil: bool
    frames: tuple[PythonFrame, ...]
    """The innermost first."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter in a process."""

    version: tuple[int, int]
    threads: tuple[PythonThread, ...]

    def of(self, tid: int, thread_pointer: int) -> PythonThread | None:
        """Return the thread with a kernel's id and a thread pointer."""
        near = [t for t in self.threads if 0 <= thread_pointer - t.thread_id < TLS_AHEAD]
        if near:
            return max(near, key=lambda one: one.thread_id)
        return next((one for one in self.threads if one.native_id == tid), None)


def read_python(
    memory: AddressSpace, modules: Modules, *, with_locals: bool = False
) -> Python | None:
    """Return what Python was doing in a process, None where there is none that is known."""
    for module in modules.all():
        if module.elf is None or not _may_be_python(module):
            continue
        address = address_of_symbol(module.elf, b"_PyRuntime")
        if address is None:
            continue
        runtime = address + module.bias
        layout = _layout(memory, runtime, module, module.elf)
        if layout is not None:
            threads = tuple(_Reader(memory, layout, runtime, with_locals).threads())
            if threads:
                return Python(layout.version, threads)
    return None


def _may_be_python(module: Module) -> bool:
    return (module.name.startswith("/") and ".so" not in module.name) or "python" in module.name


def _layout(memory: AddressSpace, runtime: int, module: Module, elf: ElfFile) -> Layout | None:
    told = layout_of(memory.read(runtime, OFFSETS_SIZE) or b"")
    if told is not None:
        return told
    place = address_of_symbol(elf, b"Py_Version")  # since 3.11
    number = memory.word(place + module.bias) if place is not None else None
    if number is not None:
        return TABLES.get((number >> 24 & 0xFF, number >> 16 & 0xFF))
    for path in (module.name, *(region.path for region in memory.regions)):
        if found := VERSION.search(path):
            return TABLES.get((3, int(found[1])))
    return None


class _Reader:
    def __init__(
        self, memory: AddressSpace, layout: Layout, runtime: int, with_locals: bool = False
    ) -> None:
        self._memory = memory
        self._objects = PythonObjects(memory, layout)
        self._locals_left = MAX_LOCALS if with_locals else 0
        self._layout = layout
        self._runtime = runtime
        self._codes: dict[int, tuple[str, str, int, bytes]] = {}
        """File, function, first line and line table of code objects."""

    def threads(self) -> Iterator[PythonThread]:
        """Yield the threads of all interpreters."""
        layout = self._layout
        interpreter = self._objects.pointer(self._runtime, layout.interpreters)
        seen: set[int] = set()
        while interpreter and interpreter not in seen and len(seen) < MAX_INTERPRETERS:
            seen.add(interpreter)
            yield from self._of_interpreter(interpreter)
            if layout.next_interpreter is None:
                return
            interpreter = self._objects.pointer(interpreter, layout.next_interpreter)

    def _of_interpreter(self, interpreter: int) -> Iterator[PythonThread]:
        layout = self._layout
        base = self._runtime if layout.version < (3, 12) else interpreter
        locked = self._followed(base, layout.gil_locked, 4)
        holder = self._followed(base, layout.gil_holder, 8) if locked == 1 else 0
        thread = self._objects.pointer(interpreter, layout.threads)
        seen: set[int] = set()
        while thread and thread not in seen and len(seen) < MAX_THREADS:
            seen.add(thread)
            if self._objects.pointer(thread, layout.interpreter) != interpreter:
                return
            yield self._thread(thread, has_gil=thread == holder)
            thread = self._objects.pointer(thread, layout.next_thread)

    def _followed(self, address: int, offsets: tuple[int, ...], size: int) -> int | None:
        """Return a number behind pointers, None where there is no way to it."""
        if not offsets:
            return None
        for offset in offsets[:-1]:
            address = self._objects.pointer(address, offset)
        data = self._memory.read(address + offsets[-1], size) if address else None
        return None if data is None else int.from_bytes(data, "little")

    def _thread(self, thread: int, *, has_gil: bool) -> PythonThread:
        layout, note = self._layout, ""
        frames = []
        frame = thread
        for offset in layout.frame:
            frame = self._objects.pointer(frame, offset)
        seen: set[int] = set()
        while frame:
            if frame in seen or len(seen) >= MAX_FRAMES:
                note = f"The Python frames after {len(seen):,} are left out."
                break
            seen.add(frame)
            found = self._frame(frame)
            if found is not None:
                frames.append(found)
            elif frames:  # a shim: C called what is inside of it
                frames[-1] = replace(frames[-1], is_entry=True, entry=frame)
            frame = self._objects.pointer(frame, layout.previous)
        return PythonThread(
            self._memory.word(thread + layout.thread_id) or 0,
            None if layout.native_id is None else self._memory.word(thread + layout.native_id),
            has_gil,
            tuple(frames),
            note,
        )

    def _frame(self, frame: int) -> PythonFrame | None:
        layout = self._layout
        owner = self._byte(frame, layout.owner)
        if layout.entry is None and owner is not None and owner >= SHIM_OWNER:
            return None
        code = self._objects.pointer(frame, layout.code)
        if not code:
            return None
        file, function, first, table = self._code(code)
        if layout.start is None:
            raw = self._memory.read(frame + layout.instruction, 4) or b"\xff\xff\xff\xff"
            number = int.from_bytes(raw, "little", signed=True)
            place = number * (2 if layout.version >= (3, 10) else 1)
            is_entry = True
        else:
            place = (self._memory.word(frame + layout.instruction) or 0) - code - layout.start
            is_entry = bool(self._byte(frame, layout.entry))
        line = line_at(layout.version, table, first, place)
        return PythonFrame(file, function, line, is_entry, locals=self._locals(frame, code))

    def _locals(self, frame: int, code: int) -> tuple[Local, ...]:
        if not self._locals_left:
            return ()
        found = tuple(islice(self._objects.locals_of(frame, code), self._locals_left))
        self._locals_left -= len(found)
        return found

    def _byte(self, address: int, offset: int | None) -> int | None:
        data = None if offset is None else self._memory.read(address + offset, 1)
        return data[0] if data else None

    def _code(self, code: int) -> tuple[str, str, int, bytes]:
        if code not in self._codes:
            layout = self._layout
            first = self._memory.read(code + layout.first_line, 4) or bytes(4)
            self._codes[code] = (
                self._objects.text(self._objects.pointer(code, layout.file)),
                self._objects.text(self._objects.pointer(code, layout.name)),
                int.from_bytes(first, "little", signed=True),
                self._objects.contents(self._objects.pointer(code, layout.lines)),
            )
        return self._codes[code]
