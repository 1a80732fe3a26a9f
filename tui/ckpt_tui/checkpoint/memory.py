"""Memory of processes: regions from mm-*.img, pages from pagemap-*.img, argv and environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

from ckpt_tui.archive.tree import ByteRange
from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Process, ProcessMemory, Region
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.criu.pages import (
    MAX_STRINGS,
    Dumped,
    Memory,
    PageMap,
    PageState,
    Span,
    page_size_of,
    strings_at,
)
from ckpt_tui.criu.values import flag_names

VMA_FILE = 0x40 | 0x80
"""vma_entry.status, as those below: a private or a shared file mapping (criu/include/image.h)."""
VMA_ANON_SHARED = 0x100
VMA_SYSVIPC = 0x400
VMA_SOCKET = 0x800

SPECIAL_KINDS = (
    (VMA_SOCKET, "packet ring"),
    (0x8, "vdso"),
    (0x1000, "vvar"),
    (0x4, "vsyscall"),
    (0x2000, "aio ring"),
    (0x8000, "shadow stack"),
    (0x10000, "guard"),
    (0x20, "heap"),
    (0x2, "stack"),
)
"""Bits of vma_entry.status (criu/include/image.h) that tell what an anonymous region is for."""

MAP_GROWSDOWN = 0x100


class MemoryReader:
    """The memory of the processes of one checkpoint, opened when asked for."""

    def __init__(self, images: ImageDirectory) -> None:
        self._images = images
        self._maps: dict[str, PageMap | None] = {}
        self._page_sizes: dict[int, int] = {}

    def page_map(self, name: str) -> PageMap | None:
        """Return a page map by the name of its image, None where it is absent."""
        if name not in self._maps:
            self._maps[name] = None
            try:
                page_map = PageMap.read(self._images.window(name), name, quiet())
            except KeyError:  # absent, or no regular file, of which there is a note
                return None
            except CkptError as error:
                self._images.note(name, str(error))
                return None
            if page_map.problem:
                self._images.note(name, page_map.problem)
            self._maps[name] = page_map
        return self._maps[name]

    def memory(self, pid: int, page_size: int = 0) -> Memory | None:
        """Return the private memory of a process, None where it has no page map.

        The images say how large a page is, but not those of a pre-dump.
        """
        page_map = self.page_map(f"pagemap-{pid}.img")
        if page_map is None:  # an empty page map is false, but it is there
            return None
        size = page_size or self.page_size(pid)
        before = self.previous if page_map.parent else None
        return self._opened(page_map, size, before.memory(pid, size) if before else None)

    def shared(self, shared_id: int, page_size: int) -> Memory | None:
        """Return a shared object; addresses count from its start."""
        page_map = self.page_map(f"pagemap-shmem-{shared_id}.img")
        if page_map is None:
            return None
        before = self.previous if page_map.parent else None
        parent = before.shared(shared_id, page_size) if before else None
        return self._opened(page_map, page_size, parent)

    def page_size(self, pid: int) -> int:
        """Return the bytes of a page of a process."""
        if pid not in self._page_sizes:
            mm = self._images.message(f"mm-{pid}.img")
            self._page_sizes[pid] = page_size_of(list(mm.mm_saved_auxv)) if mm else 4096
        return self._page_sizes[pid]

    def of_region(self, region: Region) -> tuple[Memory | None, int]:
        """Return the memory that has the pages of a region, and the address of its start there:
        those of a shared one are in the page map of its object, and count from its start."""
        if region.shared_id:
            return self.shared(region.shared_id, self.page_size(region.pid)), region.offset
        return self.memory(region.pid), region.start

    @cached_property
    def previous(self) -> MemoryReader | None:
        """That of the dump before this one in a chain, None where it is not at hand."""
        images = self._images.previous
        return None if images is None else MemoryReader(images)

    def stored(self, memory: Memory, span: Span) -> ByteRange:
        """Return where the bytes of a span are that is DATA."""
        reader = self
        for _ in range(span.level):
            reader = reader.previous or reader
        pages_id = memory.dump(span.level).pagemap.pages_id
        name = reader._images.member_name(f"pages-{pages_id}.img")
        return ByteRange(name, span.offset, span.end - span.start)

    def _opened(self, page_map: PageMap, page_size: int, parent: Memory | None) -> Memory:
        name = f"pages-{page_map.pages_id}.img"
        try:
            window = self._images.window(name)
        except (CkptError, KeyError):
            window = None
        if problem := page_map.size_problem(window.size if window else 0, page_size):
            text = problem if window else f"The page image is missing: {problem}"
            self._images.note(name, text)
        return Memory(page_map, window, page_size, parent)


def read_strings(
    images: ImageDirectory, reader: MemoryReader, processes: Iterable[Process], progress: Progress
) -> dict[int, tuple[tuple[bytes, ...] | None, tuple[bytes, ...] | None]]:
    """Return pid to (argv, environment), from the dumped pages; None where they cannot be read.

    All ranges are asked for at once, so that a compressed archive is passed over once at most.
    """
    asked = {
        p.pid: ((mm.mm_arg_start, mm.mm_arg_end), (mm.mm_env_start, mm.mm_env_end))
        for p in processes
        if (mm := images.message(f"mm-{p.pid}.img")) is not None
    }
    ranges = [r for pid, where in asked.items() for r in _ranges(reader, pid, where)]
    try:
        images.preload(ranges, progress)
    except CkptError as error:
        images.note("pages", f"The page images cannot be read: {error}")
    strings = {}
    for pid, (arguments, environment) in asked.items():
        progress.tick(0)
        memory = reader.memory(pid)
        strings[pid] = (
            _strings(images, memory, pid, "arguments", *arguments),
            _strings(images, memory, pid, "environment", *environment),
        )
    return strings


def _ranges(
    reader: MemoryReader, pid: int, where: Iterable[tuple[int, int]]
) -> Iterator[ByteRange]:
    memory = reader.memory(pid)
    if memory is None:
        return
    for start, end in where:
        if start < end <= start + MAX_STRINGS:
            for span in memory.spans(start, end):
                if span.state is PageState.DATA:
                    yield reader.stored(memory, span)


def _strings(
    images: ImageDirectory, memory: Memory | None, pid: int, what: str, start: int, end: int
) -> tuple[bytes, ...] | None:
    try:
        if memory is None:
            raise CkptError("There is no page map.", "there is no page map.")
        return strings_at(memory, start, end)
    except CkptError as error:
        why = error.why or str(error)
        images.note(f"mm-{pid}.img", f"The {what} of {pid} cannot be read: {why}")
        return None


def build_memory(
    images: ImageDirectory, table: FileTable, reader: MemoryReader, progress: Progress
) -> tuple[ProcessMemory, ...]:
    """Return the regions of every process that has a memory map."""
    names = [n for n in images.named("mm-") if n.endswith(".img")]
    progress.start("reading memory maps")
    memories = []
    for name in names:
        progress.tick(0)
        pid_text = name.removeprefix("mm-").removesuffix(".img")
        mm = images.message(name)
        if mm is not None and pid_text.isdigit():
            memories.append(_process_memory(images, table, reader, int(pid_text), mm))
    return tuple(sorted(memories, key=lambda m: m.pid))


def _process_memory(
    images: ImageDirectory, table: FileTable, reader: MemoryReader, pid: int, mm: Any
) -> ProcessMemory:
    memory = reader.memory(pid)
    page_map = memory.pagemap if memory else None
    page_size = memory.page_size if memory else 0
    vmas = mm.vmas or images.messages(f"vmas-{pid}.img")
    arch = images.host.arch
    regions = tuple(_region(table, memory, pid, mm, vma, arch) for vma in vmas)
    return ProcessMemory(
        pid=pid,
        regions=regions,
        dumped_bytes=page_map.present * page_size if page_map else 0,
        zero_bytes=None,
        shared_bytes=sum(max(r.end - r.start, 0) for r in regions if r.kind == "shared"),
        virtual_bytes=sum(max(r.end - r.start, 0) for r in regions),
        parent_bytes=page_map.parent * page_size if page_map else 0,
        pages_id=page_map.pages_id if page_map else None,
    )


def _region(
    table: FileTable, memory: Memory | None, pid: int, mm: Any, vma: Any, arch: str
) -> Region:
    counts = memory.dumped_in(vma.start, vma.end) if memory and vma.start < vma.end else Dumped()
    kind = _kind(table, mm, vma)
    shared = "s" if vma.flags & 1 else "p"
    return Region(
        pid=pid,
        start=vma.start,
        end=vma.end,
        kind=kind,
        protection="".join(c if vma.prot >> i & 1 else "-" for i, c in enumerate("rwx")) + shared,
        path=_path(table, vma),
        offset=vma.pgoff,
        flags=flag_names("mmap.flags", vma.flags, arch),
        dumped=counts.data,
        parent=counts.parent,
        lazy=counts.lazy,
        shared_id=_shared_id(table, vma) if kind == "shared" else 0,
    )


def _kind(table: FileTable, mm: Any, vma: Any) -> str:
    status = vma.status
    if status & VMA_SYSVIPC or status & VMA_ANON_SHARED:
        return "shared"
    if status & VMA_FILE:
        found = table.get(vma.shmid)
        return "shared" if found and found.type == "MEMFD" else "file"
    for bit, kind in SPECIAL_KINDS:
        if status & bit:
            return kind
    if vma.flags & MAP_GROWSDOWN or vma.start <= mm.mm_start_stack < vma.end:
        return "stack"
    return "anonymous"


def _path(table: FileTable, vma: Any) -> str:
    """Return what is mapped. Shared anonymous memory is dumped as a memfd of the name /dev/zero
    since v3.14, which no process has opened."""
    path = table.path(vma.shmid) if vma.status & VMA_FILE else ""
    return "" if path == "/memfd:/dev/zero" else path


def _shared_id(table: FileTable, vma: Any) -> int:
    """Return the id in the name of the pagemap-shmem image behind a shared mapping."""
    found = table.get(vma.shmid)
    if found and found.type == "MEMFD" and vma.status & VMA_FILE:
        inode = table.memfds.get(found.message.inode_id)
        return int(inode.shmid) if inode else 0
    return int(vma.shmid)
