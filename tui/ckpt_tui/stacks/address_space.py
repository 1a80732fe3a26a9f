"""The memory of a process as it saw it: dumped pages, mapped files, and zeros where it never wrote.

Read page by page when asked for, and what was read last is kept.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence

from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.pages import Memory, PageState

PAGE = 4096
"""Bytes read at a time; the pages of every architecture are multiples of it."""

MAX_PAGES = 2048
"""Pages kept: 8 MiB."""

MAX_READ = 1 << 20
"""Bytes of one read."""

ADDRESSES = 1 << 64

FileOf = Callable[[str], ByteWindow | None]
"""Returns the bytes of a mapped file by its path, None where it is not at hand."""


class AddressSpace:
    """The memory of one process."""

    def __init__(self, reader: MemoryReader, regions: Sequence[Region], file_of: FileOf) -> None:
        self._reader = reader
        self._file_of = file_of
        # a guard lies within the region that it guards (MADV_GUARD_INSTALL, Linux 6.13)
        real = (r for r in regions if r.start < r.end and r.kind != "guard")
        self.regions = sorted(real, key=lambda r: r.start)
        self._starts = [region.start for region in self.regions]
        self._memories: dict[int, tuple[Memory | None, int]] = {}
        """Of regions, by their start."""
        self._pages: OrderedDict[int, bytes | None] = OrderedDict()
        self.bytes_read = 0
        """Bytes of dumped pages."""

    def region_at(self, address: int) -> Region | None:
        """Return the region that an address is in."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.regions[index].end:
            return None
        return self.regions[index]

    def is_code(self, address: int) -> bool:
        """Tell whether the process could run what is there."""
        region = self.region_at(address)
        return region is not None and region.protection[2:3] == "x"

    def read(self, address: int, length: int) -> bytes | None:
        """Return `length` bytes, None unless all of them are at hand."""
        if not 0 <= length <= MAX_READ or not 0 <= address <= ADDRESSES - length:
            return None
        parts = []
        while length:
            page = self._page(address // PAGE)
            if page is None:
                return None
            inside = address % PAGE
            part = page[inside : inside + length]
            parts.append(part)
            address += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def word(self, address: int) -> int | None:
        """Return eight bytes as a number."""
        data = self.read(address, 8)
        return None if data is None else int.from_bytes(data, "little")

    def words(self, address: int, count: int) -> tuple[int, ...] | None:
        """Return `count` numbers of eight bytes."""
        data = self.read(address, 8 * count)
        return None if data is None else struct.unpack(f"<{count}Q", data)

    def _page(self, number: int) -> bytes | None:
        if number in self._pages:
            self._pages.move_to_end(number)
            return self._pages[number]
        region = self.region_at(number * PAGE)
        try:
            found = self._load(region, number * PAGE) if region else None
        except CkptError:
            found = None
        self._pages[number] = found
        if len(self._pages) > MAX_PAGES:
            self._pages.popitem(last=False)
        return found

    def _load(self, region: Region, address: int) -> bytes | None:
        if region.start not in self._memories:
            self._memories[region.start] = self._reader.of_region(region)
        memory, base = self._memories[region.start]
        inside = address - region.start
        state = PageState.ABSENT
        if memory is not None:
            state = next(memory.spans(base + inside, base + inside + PAGE)).state
            if state is PageState.DATA:
                self.bytes_read += PAGE
                return memory.read(base + inside, PAGE).data
        if state is not PageState.ABSENT or region.kind in ("vvar", "vsyscall", "vdso"):
            return None
        if region.kind != "file":
            return bytes(PAGE)
        window = self._file_of(region.path)
        return None if window is None else _padded(window, region.offset + inside)


def _padded(window: ByteWindow, offset: int) -> bytes:
    return window.read(offset, PAGE).ljust(PAGE, b"\0")


class MappedWindow:
    """A file as a process has it mapped: what is not mapped or not at hand reads as nothing."""

    def __init__(self, memory: AddressSpace, regions: Sequence[Region]) -> None:
        self._memory = memory
        self._regions = tuple(regions)

    @property
    def size(self) -> int:
        return max((r.offset + r.end - r.start for r in self._regions), default=0)

    def read(self, offset: int, length: int) -> bytes:
        for region in self._regions:
            size = region.end - region.start
            if region.offset <= offset < region.offset + size:
                length = max(0, min(length, region.offset + size - offset))
                return self._memory.read(region.start + offset - region.offset, length) or b""
        return b""


class CachedWindow:
    """A window that is read in blocks, of which some stay."""

    BLOCK = 64 << 10
    """Bytes read at a time."""

    KEPT = 64
    """Blocks kept."""

    def __init__(self, window: ByteWindow) -> None:
        self._window = window
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        return self._window.size

    def read(self, offset: int, length: int) -> bytes:
        if offset < 0 or length <= 0:
            return b""
        if length > 4 * self.BLOCK:
            return self._window.read(offset, length)
        parts = []
        while length > 0:
            block = self._block(offset // self.BLOCK)
            part = block[offset % self.BLOCK :][:length]
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._blocks[number] = self._window.read(number * self.BLOCK, self.BLOCK)
            if len(self._blocks) > self.KEPT:
                self._blocks.popitem(last=False)
        return self._blocks[number]
