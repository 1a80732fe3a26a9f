"""The memory of a checkpoint as a page server gives it out: by process and address."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.pages import Memory, PageState
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore.page_cache import PIECE, PageCache
from ckpt_tui.restore.working_set import WorkingSet

MAX_ANSWER = 4 << 20
"""Bytes of one answer, which is what `criu lazy-pages` asks for at most (criu/uffd.c); it accepts
fewer pages than it asked for (criu/page-xfer.c)."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes on their way: `start` to `end` of a piece of a page image."""

    contents: Future[bytes]
    start: int
    end: int

    def wait(self) -> memoryview:
        """Return the bytes when they are here.

        Raises:
            CkptError: they are damaged, or out of reach.
        """
        found = memoryview(self.contents.result())[self.start : self.end]
        if len(found) < self.end - self.start:
            raise CkptError("Pages are missing:", "the page image ends before them.")
        return found


class LazyMemory:
    """What every process of a checkpoint had in memory, fetched through a `PageCache`."""

    def __init__(self, opened: OpenCheckpoint, cache: PageCache) -> None:
        self._reader = opened.memory
        self._cache = cache
        self._memories: dict[int, Memory] = {}
        self._images: dict[int, int] = {}
        """By the identity of the window of a page image: its number in the cache."""
        self._lock = threading.Lock()

    def memory(self, pid: int) -> Memory | None:
        """Return the memory of a process, None where there is no page map of that number."""
        with self._lock:
            found = self._memories.get(pid)
            if found is None and (found := self._reader.memory(pid)) is not None:
                self._memories[pid] = found
            return found

    def holds(self, pid: int, address: int) -> bool:
        """Return whether the page at an address of a process was dumped."""
        memory = self.memory(pid)
        return memory is not None and bool(_pages_at(memory, address, 1))

    def pieces(self, pid: int, address: int, count: int) -> tuple[int, list[Piece]]:
        """Ask for pages from `address`: return how many of the `count` there are in one go, and
        their bytes in order. These are `MAX_ANSWER` bytes at most.

        Raises:
            CkptError: the first page is not in the dump.
        """
        memory = self.memory(pid)
        found = _pages_at(memory, address, count) if memory is not None else []
        size = sum(length for _, _, length in found)
        if memory is None or not size or size % memory.page_size:
            raise CkptError(
                f"Pages of process {pid} at {address:#x} were asked for.",
                "They are not in this dump.",
                "Restore from the folder that was written for this server.",
            )
        pieces = [
            piece
            for window, offset, length in found
            for piece in self._asked(self._number(window), offset, length, goes_on=count > 1)
        ]
        return size // memory.page_size, pieces

    def fetch_early(self, pid: int, address: int, count: int) -> bool:
        """Fetch pages that are likely to be asked for. Return whether there is room for more."""
        memory = self.memory(pid)
        for window, offset, length in _pages_at(memory, address, count) if memory else []:
            for number in range(offset // PIECE, (offset + length - 1) // PIECE + 1):
                if not self._cache.fetch_early(self._number(window), number):
                    return False
        return True

    def fetch_first(self, known: WorkingSet) -> None:
        """Fetch a working set, as much as there is room for."""
        for pid, runs in known.runs.items():
            for address, count in runs:
                if not self.fetch_early(pid, address, count):
                    return

    def _number(self, window: ByteWindow) -> int:
        with self._lock:
            if id(window) not in self._images:
                self._images[id(window)] = self._cache.add(window)
            return self._images[id(window)]

    def _asked(self, image: int, offset: int, length: int, *, goes_on: bool) -> Iterator[Piece]:
        """`goes_on`: more than the one page that a program touched, so what follows is next."""
        end = offset + length
        while offset < end:
            number, start = divmod(offset, PIECE)
            stop = min(end - number * PIECE, PIECE)
            yield Piece(self._cache.ask(image, number, goes_on=goes_on), start, stop)
            offset += stop - start


def _pages_at(memory: Memory, address: int, count: int) -> list[tuple[ByteWindow, int, int]]:
    """Return where the pages from `address` lie that are there without a gap: page image, offset,
    bytes."""
    found: list[tuple[ByteWindow, int, int]] = []
    if address % memory.page_size:
        return found
    length = min(count * memory.page_size, MAX_ANSWER)
    for span in memory.spans(address, address + length):
        window = memory.dump(span.level).pages
        if span.state is not PageState.DATA or window is None:
            break
        found.append((window, span.offset, span.end - span.start))
    return found
