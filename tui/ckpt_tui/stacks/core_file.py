"""An ELF core file of one process, as Linux would have written it where the dump was made.

ELF-64 and its PT_NOTE and PT_LOAD as in fs/binfmt_elf.c (`elf_core_dump`). The pages of the dump
are data; what the process never wrote to is described without data, like the files it has mapped.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from ckpt_tui.archive.passing import in_passing
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Region
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK
from ckpt_tui.criu.pages import Memory, PageState, Span
from ckpt_tui.stacks.core_notes import Task, notes_of
from ckpt_tui.stacks.machine import machine_of

PT_LOAD, PT_NOTE = 1, 4
ET_CORE = 4
PN_XNUM = 0xFFFF
"""e_phnum where the real number is in sh_info of the first section header."""

HEADER, ENTRY, SECTION = 64, 56, 64
"""Bytes of the ELF header, of a program header and of a section header."""

BLOCK = 4096
"""Bytes at which data begins, and of a piece that stays a hole where it is zeros."""

MAX_HOLE = 1 << 30
"""Bytes of untouched memory between pages that become a hole in the file; a longer one is left
out of it, for a file system takes no file as large as an address space."""

MAX_LOADS = 1 << 20
"""Program headers; a process has at most 65,530 regions."""

ZEROS = bytes(BLOCK)


@dataclass(frozen=True, slots=True)
class Load:
    """One PT_LOAD: a range of memory with as many bytes in the file, or with none."""

    region: Region
    start: int
    end: int
    has_data: bool

    @property
    def stored(self) -> int:
        """Bytes in the file."""
        return self.end - self.start if self.has_data else 0


@dataclass(frozen=True, slots=True)
class CoreFile:
    """What goes into a core file, before any page is read."""

    task: Task
    notes: bytes
    loads: Sequence[Load]
    data_bytes: int
    """Bytes of pages that will be read."""
    lost_bytes: int
    """Bytes that the page map promises and that are not at hand."""

    @property
    def data_offset(self) -> int:
        """Where the first page goes."""
        head = HEADER + ENTRY * (len(self.loads) + 1) + len(self.notes)
        return (head + SECTION + BLOCK - 1) // BLOCK * BLOCK

    @property
    def size(self) -> int:
        """Bytes of the file, holes included."""
        return self.data_offset + sum(load.stored for load in self.loads)


def plan_core(
    images: ImageDirectory,
    reader: MemoryReader,
    checkpoint: Checkpoint,
    pid: int,
    progress: Progress,
) -> CoreFile:
    """Return what the core file of a process consists of.

    Raises:
        UsageError: there is no such process.
        CkptError: it has no memory, or is of an architecture that is not known here.
    """
    task = task_of(images, checkpoint, pid)
    loads, data, lost = _loads(task, reader, progress)
    return CoreFile(task, b"".join(notes_of(task)), loads, data, lost)


def task_of(images: ImageDirectory, checkpoint: Checkpoint, pid: int) -> Task:
    """Return a process with its memory map and the registers of its threads.

    Raises: as `plan_core`.
    """
    process = checkpoint.process(pid)
    if process is None:
        pids = ", ".join(str(one.pid) for one in checkpoint.processes[:20])
        raise UsageError(f"There is no process {pid}.", hint=f"There are {pids}.")
    if how := checkpoint.criu.packed_how:
        raise CkptError(f"The memory of process {pid} cannot be read:", f"CRIU wrote it {how}.")
    mm = images.message(f"mm-{pid}.img")
    if mm is None:
        raise CkptError(
            f"Process {pid} has no memory in the checkpoint:",
            f"it is {process.state}, or mm-{pid}.img cannot be read.",
        )
    cores = [
        (thread.tid, core)
        for thread in process.threads
        if (core := images.message(f"core-{thread.tid}.img")) is not None
    ]
    regions = next((one.regions for one in checkpoint.memory if one.pid == pid), ())
    is_compat = process.threads and process.threads[0].registers.get("mode") == 2
    arch = "i386" if is_compat else images.host.arch
    return Task(
        process=process,
        machine=machine_of(arch, f"Process {pid} has registers that are not known here"),
        cores=cores,
        auxv=list(mm.mm_saved_auxv),
        regions=regions,
        page_size=checkpoint.criu.page_size,
    )


def _loads(task: Task, reader: MemoryReader, progress: Progress) -> tuple[Sequence[Load], int, int]:
    """Return the loads by address, the bytes of pages in them, and the bytes that are lost."""
    loads: list[Load] = []
    data = lost = end = 0
    for region in sorted(task.regions, key=lambda one: one.start):
        start = max(region.start, end)
        if start >= region.end or region.end > 1 << 64:
            continue  # regions of a real process do not overlap
        end = region.end
        for span, load in _region_spans(reader, region, start):
            progress.tick(0)
            size = span.end - span.start
            data += size if span.state is PageState.DATA else 0
            lost += size if span.state not in (PageState.DATA, PageState.ABSENT) else 0
            last = loads[-1] if loads else None
            if last and (last.region, last.has_data) == (region, load.has_data):
                loads[-1] = replace(last, end=load.end)
            else:
                loads.append(load)
        if len(loads) > MAX_LOADS:
            raise CkptError(
                f"Process {task.process.pid} has more pieces of memory than a core file can have:",
                f"over {MAX_LOADS:,}.",
            )
    return loads, data, lost


def _region_spans(reader: MemoryReader, region: Region, start: int) -> Iterator[tuple[Span, Load]]:
    memory, base = reader.of_region(region)
    move = region.start - base
    if memory is None or not _has_data(memory, start - move, region.end - move):
        yield Span(start, region.end, PageState.ABSENT), Load(region, start, region.end, False)
        return
    for span in memory.spans(start - move, region.end - move):
        is_hole = span.state is PageState.ABSENT and span.end - span.start <= MAX_HOLE
        has_data = span.state is PageState.DATA or (is_hole and region.kind != "file")
        yield span, Load(region, span.start + move, span.end + move, has_data)


def _has_data(memory: Memory, start: int, end: int) -> bool:
    counts = memory.dumped_in(start, end)
    return bool(counts.data or counts.parent)


def write_core(
    core: CoreFile,
    images: ImageDirectory,
    reader: MemoryReader,
    file: BinaryIO,
    progress: Progress,
) -> None:
    """Write a core file to an empty file, reading the page image once from start to end.

    Raises:
        CkptError: the pages cannot be read.
        Cancelled: the caller gave up.
    """
    descriptor = file.fileno()
    os.pwrite(descriptor, _headers(core), 0)
    progress.start("writing the core file", core.data_bytes)
    offset = core.data_offset
    with _Pages(core.task, images, reader, progress) as pages:
        for load in core.loads:
            if not load.has_data:
                continue
            for address, piece in pages.of(load):
                _write_sparse(descriptor, piece, offset + address - load.start)
            offset += load.stored
    os.ftruncate(descriptor, offset)


def _headers(core: CoreFile) -> bytes:
    count = len(core.loads) + 1
    notes_at = HEADER + ENTRY * count
    is_extended = count >= PN_XNUM
    section_at = notes_at + len(core.notes)
    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\2\1\1",
        ET_CORE,
        core.task.machine.elf_machine,
        1,
        0,
        HEADER,
        section_at if is_extended else 0,
        0,
        HEADER,
        ENTRY,
        PN_XNUM if is_extended else count,
        SECTION if is_extended else 0,
        int(is_extended),
        0,
    )
    entries = [struct.pack("<IIQQQQQQ", PT_NOTE, 0, notes_at, 0, 0, len(core.notes), 0, 4)]
    offset = core.data_offset
    for load in core.loads:
        size = load.end - load.start
        flags = _flags(load.region.protection)
        place = (PT_LOAD, flags, offset, load.start, 0, load.stored, size, BLOCK)
        entries.append(struct.pack("<IIQQQQQQ", *place))
        offset += load.stored
    section = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, 0, 0, count, 0, 0) if is_extended else b""
    return head + b"".join(entries) + core.notes + section


def _flags(protection: str) -> int:
    return sum(bit for bit, letter in ((4, "r"), (2, "w"), (1, "x")) if letter in protection)


class _Pages:
    """The dumped pages of a process in ascending order, its own page image read in one pass."""

    def __init__(
        self, task: Task, images: ImageDirectory, reader: MemoryReader, progress: Progress
    ) -> None:
        self._reader = reader
        self._images = images
        self._own = reader.memory(task.process.pid)
        self._progress = progress
        self._stream: Iterator[bytes] | None = None
        self._piece = memoryview(b"")
        self._position = 0
        """Of the first byte of `_piece` in the page image."""

    def __enter__(self) -> _Pages:
        if self._own is not None:
            pages_id = self._own.pagemap.pages_id
            name = self._images.member_name(f"pages-{pages_id}.img")
            if name in self._images.tree.members:
                passing = in_passing(self._images.tree, [name], self._progress)
                self._stream = (piece for _, pieces in passing for piece in pieces)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream = None

    def of(self, load: Load) -> Iterator[tuple[int, memoryview]]:
        """Yield the pages in a load as pieces with their addresses."""
        memory, base = self._reader.of_region(load.region)
        move = load.region.start - base
        if memory is None:
            return
        is_own = not load.region.shared_id
        for span in memory.spans(load.start - move, load.end - move):
            if span.state is not PageState.DATA:
                continue
            if is_own and not span.level and span.offset >= self._position and self._stream:
                pieces = self._streamed(span.offset, span.end - span.start)
            else:
                pieces = self._read(memory, span)
            address = span.start + move
            for piece in pieces:
                yield address, piece
                address += len(piece)

    def _streamed(self, offset: int, size: int) -> Iterator[memoryview]:
        while size:
            skipped = min(offset - self._position, len(self._piece))
            self._piece = self._piece[skipped:]
            self._position += skipped
            if not self._piece:
                following = next(self._stream, None) if self._stream else None
                if following is None:
                    return
                self._piece = memoryview(following)
                continue
            taken = self._piece[:size]
            yield taken
            offset += len(taken)
            size -= len(taken)

    def _read(self, memory: Memory, span: Span) -> Iterator[memoryview]:
        for address in range(span.start, span.end, CHUNK):
            piece = memory.read(address, min(CHUNK, span.end - address)).data
            self._progress.tick(len(piece))
            yield memoryview(piece)


def _write_sparse(descriptor: int, piece: memoryview, offset: int) -> None:
    """Write a piece, leaving out each block of zeros."""
    start = 0
    for block in range(0, len(piece), BLOCK):
        if piece[block] or bytes(piece[block : block + BLOCK]) != ZEROS[: len(piece) - block]:
            continue
        if start < block:
            os.pwrite(descriptor, piece[start:block], offset + start)
        start = block + BLOCK
    if start < len(piece):
        os.pwrite(descriptor, piece[start:], offset + start)
