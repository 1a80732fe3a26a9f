"""The stacks of the threads of a process: frames with names, the innermost first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.filetable import file_table
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Mount
from ckpt_tui.checkpoint.processes import registers
from ckpt_tui.checkpoint.validated import validated_files
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.stacks.address_space import AddressSpace
from ckpt_tui.stacks.core_file import task_of
from ckpt_tui.stacks.core_notes import Task
from ckpt_tui.stacks.demangle import demangled
from ckpt_tui.stacks.frame import Frame, woven
from ckpt_tui.stacks.modules import Modules, RootFiles
from ckpt_tui.stacks.python_frames import read_python
from ckpt_tui.stacks.unwind import RawFrame, Unwinder

OUTERMOST = frozenset({"_start", "clone", "__clone", "clone3", "__clone3", "runtime.goexit"})
"""Functions without a caller, some of which do not say so in their tables."""


NOWHERE = Frame("native", None, "", None, "", None, "")


@dataclass(frozen=True, slots=True)
class ThreadStack:
    """Where a thread stood."""

    tid: int
    comm: str
    blocked_in: str
    frames: tuple[Frame, ...]
    note: str = ""
    """Why the stack ends early, one sentence."""
    has_gil: bool = False
    """It holds the lock without which no thread runs Python."""

    @property
    def where(self) -> str:
        """The innermost named function: of Python, else outside of the libraries of C and Go, else
        any."""
        named = [frame for frame in self.frames if frame.function]
        python = (one for one in named if one.kind == "python")
        own = (one for one in named if not one.is_in_library)
        return next(python, next(own, named[0] if named else NOWHERE)).function


@dataclass(frozen=True, slots=True)
class ProcessStacks:
    """Where the threads of a process stood."""

    pid: int
    comm: str
    threads: tuple[ThreadStack, ...]
    notes: tuple[str, ...]
    """What is missing, one sentence each."""
    bytes_read: int
    """Bytes of dumped pages that were read for it."""
    python: str = ""
    """Version of CPython that ran in it, as 3.13; empty where none was found."""


def root_files(
    images: ImageDirectory, mounts: tuple[Mount, ...], base: Tree | None, changes: Tree | None
) -> RootFiles:
    """Return the files that the container saw; neither tree is closed."""
    recorded = tuple(validated_files(file_table(images), mounts))
    return RootFiles(base, changes, recorded)


def process_stacks(
    images: ImageDirectory,
    reader: MemoryReader,
    checkpoint: Checkpoint,
    pid: int,
    files: RootFiles,
    progress: Progress,
    *,
    with_locals: bool = False,
) -> ProcessStacks:
    """Return the stacks of a process, with the local variables of Python if they are asked for.

    Raises:
        UsageError: there is no such process.
        CkptError: it has no memory, or is of an architecture that is not known here.
    """
    task = task_of(images, checkpoint, pid)
    return _Process(task, reader, files).stacks(progress, with_locals)


class _Process:
    def __init__(self, task: Task, reader: MemoryReader, files: RootFiles) -> None:
        self._task = task
        self._files = files
        self._memory = AddressSpace(reader, task.regions, files.open)
        self._modules = Modules(self._memory, files)
        self._unwinder = Unwinder(self._memory, self._modules, task.machine)

    def stacks(self, progress: Progress, with_locals: bool) -> ProcessStacks:
        process = self._task.process
        known = {thread.tid: thread for thread in process.threads}
        threads = []
        progress.start("reading stacks")
        python = read_python(self._memory, self._modules, with_locals=with_locals)
        for tid, core in self._task.cores:
            native = list(self._frames(core, progress))
            thread = known[tid]
            is_end = native and native[-1][0].function in OUTERMOST
            notes = ["" if is_end else self._unwinder.note]
            found = python.of(tid, _thread_pointer(core)) if python else None
            frames = tuple(woven(native, found.frames if found else ()))
            notes.append(found.note if found else "")
            note = " ".join(filter(None, notes))
            has_gil = found is not None and found.has_gil
            threads.append(ThreadStack(tid, thread.comm, thread.blocked_in, frames, note, has_gil))
            progress.tick(0)
        return ProcessStacks(
            process.pid,
            process.comm,
            tuple(threads),
            tuple(self._files.problems.values()),
            self._memory.bytes_read,
            ".".join(map(str, python.version)) if python else "",
        )

    def _frames(self, core: Any, progress: Progress) -> Iterator[tuple[Frame, range]]:
        """Yield the frames, and where on the stack each is."""
        how = "registers"
        for raw in self._unwinder.walk(registers(core)):
            progress.tick(0)
            start = raw.registers.get(self._task.machine.stack_pointer, 0)
            yield self._named(raw, how), range(start, max(raw.cfa, start))
            how = raw.how

    def _named(self, raw: RawFrame, how: str) -> Frame:
        module = self._modules.at(raw.pc)
        kind = "signal" if raw.is_signal else "native"
        if module is None:
            return Frame(kind, raw.pc, "", None, "", None, how)
        # a call may be the last instruction of its function
        place = raw.pc - module.bias - (0 if raw.is_exact or raw.is_signal else 1)
        try:
            symbol = module.function_at(place)
        except CkptError:
            symbol = None
        inside = raw.pc - module.bias
        if symbol is None:
            return Frame(kind, raw.pc, "", None, module.name, inside, how)
        name = demangled(symbol.name)
        return Frame(
            kind,
            raw.pc,
            name,
            inside - symbol.address,
            module.name,
            inside,
            how,
            symbol="" if name == symbol.name else symbol.name,
        )


def _thread_pointer(core: Any) -> int:
    """Return what the thread's own memory is found by."""
    if core.HasField("ti_aarch64"):
        return int(core.ti_aarch64.tls)
    return registers(core).get("fs_base", 0)
