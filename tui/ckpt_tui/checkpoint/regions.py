"""The bytes of memory regions, and what is known of those that are not in the dump."""

from __future__ import annotations

from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Region
from ckpt_tui.criu.pages import MAX_READ, Memory, PageState


class MemoryWindow:
    """A range of memory as bytes: what is not in the dump reads as zeros, `state_at` tells."""

    def __init__(self, memory: Memory | None, start: int, end: int) -> None:
        """`memory` is None where there is no page map: nothing was dumped."""
        self._memory = memory
        self._start = start
        self._size = max(0, end - start)

    @property
    def size(self) -> int:
        return self._size

    def read(self, offset: int, length: int) -> bytes:
        length = min(length, self._size - offset, MAX_READ)
        if length <= 0:
            return b""
        if self._memory is None:
            return bytes(length)
        return self._memory.read(self._start + offset, length).data

    def state_at(self, offset: int) -> PageState:
        """Return where the byte at `offset` is."""
        if self._memory is None:
            return PageState.ABSENT
        address = self._start + offset
        return next(self._memory.spans(address, address + 1)).state


def region_window(reader: MemoryReader, region: Region) -> MemoryWindow:
    """Return the bytes of a region."""
    memory, start = reader.of_region(region)
    return MemoryWindow(memory, start, start + region.end - region.start)


def absent_text(region: Region, state: PageState) -> str:
    """Return why bytes of a region are not here and what the process sees there; foreign text."""
    if state is PageState.ABSENT and region.kind == "file":
        return f"not dumped: as in {region.path}"
    if state is PageState.ABSENT and region.kind in ("vdso", "vvar", "vsyscall"):
        return "not dumped: from the kernel"
    if state is PageState.ABSENT and region.protection.startswith("---"):
        return "not dumped: no access allowed"
    if state is PageState.PARENT:
        return "in the previous dump, which is not at hand"
    return "not dumped: zeros" if state is PageState.ABSENT else state.value
