"""Page maps and page images: which memory is in the dump, and its bytes.

A page map lists runs of pages in ascending order. The contents of the runs that are PRESENT lie one
behind the other in the page image, which has no header; runs without contents take no room in it.
"""

from __future__ import annotations

import bisect
import enum
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.extras import parse
from ckpt_tui.criu.frames import Frame, read_frames
from ckpt_tui.criu.kinds import Kind, kind_of, message_class
from ckpt_tui.criu.values import auxiliary_vector

if TYPE_CHECKING:
    from ckpt_tui.criu.schema.memory_pb2 import pagemap_entry, pagemap_head

PE_PARENT = 1
PE_LAZY = 2
PE_PRESENT = 4

MAX_RUNS = 2_000_000
"""Runs kept of one page map, at 28 bytes each: more than a process of 64 GiB has."""

MAX_READ = 16 << 20
"""Bytes of one read."""

MAX_STRINGS = 8 << 20
"""Bytes of arguments or environment; Linux allows 6 MiB."""


class PageState(enum.Enum):
    """Where the contents of memory are."""

    DATA = "in the page image"
    PARENT = "in the previous dump"
    LAZY = "left to a lazy-pages server"
    ABSENT = "not dumped"
    """Never touched: reads as zeros, or as the file that is mapped there."""
    MISSING = "missing from the page image"
    """The page map promises it, but the page image is too short or not there."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of pages in a page map."""

    start: int
    """Address; in a shared object bytes from its start."""
    pages: int
    flags: int
    """PE_ bits as they would be written today."""
    first_page: int | None
    """Place in the page image, in pages; None for a run without contents there."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range of memory that is all in the same state."""

    start: int
    end: int
    state: PageState
    offset: int = 0
    """Of DATA: bytes from the start of the page image."""
    level: int = 0
    """Whose page image: 0 that of the dump itself, 1 of the one before it in a chain …"""


@dataclass(frozen=True, slots=True)
class Dumped:
    """Bytes of a range of memory by where they are."""

    data: int = 0
    parent: int = 0
    lazy: int = 0
    absent: int = 0


@dataclass(slots=True)
class PageMap:
    """One page map."""

    name: str
    pages_id: int | None = None
    """Names pages-<id>.img; None if the map has no head."""
    problem: str = ""
    """What stopped the reading, one sentence; the runs before are there."""
    present: int = 0
    """Pages in the page image."""
    parent: int = 0
    lazy: int = 0
    _starts: array[int] = field(default_factory=lambda: array("Q"))
    _pages: array[int] = field(default_factory=lambda: array("Q"))
    _flags: array[int] = field(default_factory=lambda: array("I"))
    _places: array[int] = field(default_factory=lambda: array("Q"))

    @classmethod
    def read(cls, window: ByteWindow, name: str, progress: Progress) -> PageMap:
        """Read a page map. Damage is reported in `problem`."""
        found = cls(name)
        kind, _ = kind_of(name) or (None, "")
        try:
            for index, frame in enumerate(read_frames(window, name, kind, progress)):
                found._add(frame, index, kind)
        except DamagedInput as damage:
            found.problem = str(damage)
        return found

    def _add(self, frame: Frame, index: int, kind: Kind | None) -> None:
        cls = kind.message_class(index) if kind else message_class("memory.pagemap_entry")
        message = parse(cls, frame.payload, self.name, frame.payload_offset)
        if not index:
            self.pages_id = cast("pagemap_head", message).pages_id
            return
        entry = cast("pagemap_entry", message)
        if self._starts and entry.vaddr <= self._starts[-1]:
            text = "The addresses of the page map do not ascend."
            raise DamagedInput(self.name, frame.payload_offset, text)
        if len(self._starts) >= MAX_RUNS:
            text = f"The page map has more than {MAX_RUNS} runs; the rest is left out."
            raise DamagedInput(self.name, frame.payload_offset, text)
        self._append(entry.vaddr, page_count(entry), page_flags(entry))

    def _append(self, start: int, pages: int, flags: int) -> None:
        self._starts.append(start)
        self._flags.append(flags)
        # no address space has more pages; a larger number must not overflow the sums
        pages = min(pages, 1 << 52)
        self._pages.append(pages)
        self._places.append(min(self.present, (1 << 64) - 1))
        if flags & PE_PRESENT:
            self.present += pages
        elif flags & PE_PARENT:
            self.parent += pages
        elif flags & PE_LAZY:
            self.lazy += pages

    def __len__(self) -> int:
        return len(self._starts)

    def run(self, index: int) -> Run:
        """Return one run."""
        flags = self._flags[index]
        place = self._places[index] if flags & PE_PRESENT else None
        return Run(self._starts[index], self._pages[index], flags, place)

    def pages_before(self, index: int) -> int:
        """Return how many pages in the page image belong to the runs before one."""
        return self._places[index]

    @property
    def runs(self) -> Iterator[Run]:
        """The runs, by address."""
        return (self.run(index) for index in range(len(self)))

    def first_after(self, address: int) -> int:
        """Return the index of the first run that starts behind `address`."""
        return bisect.bisect_right(self._starts, address)

    def size_problem(self, size: int, page_size: int) -> str:
        """Return what is wrong with a page image of `size` bytes: one sentence, or nothing."""
        expected = self.present * page_size
        if size == expected:
            return ""
        return (
            f"{self.name} describes {self.present} pages of {page_size} bytes, {expected} bytes "
            f"in all, but the page image has {size}."
        )


def page_count(entry: pagemap_entry) -> int:
    """Return the pages of a run: CRIU v4.2 and later write field 5, and 0 into field 2."""
    return entry.nr_pages if entry.HasField("nr_pages") else entry.compat_nr_pages


def page_flags(entry: pagemap_entry) -> int:
    """Return the PE_ bits of a run, made up from `in_parent` where there are none (before v3.5)."""
    if entry.HasField("flags"):
        return entry.flags | (PE_PARENT if entry.in_parent else 0)
    return PE_PARENT if entry.in_parent else PE_PRESENT


def page_size_of(auxv: Sequence[int], default: int = 4096) -> int:
    """Return the page size by the auxiliary vector of a process; `default` if it has none.

    An image does not say the page size anywhere else.
    """
    size = auxiliary_vector(auxv).get("AT_PAGESZ", 0)
    return size if size in (4096, 8192, 16384, 32768, 65536) else default


def _state_without_data(flags: int) -> PageState:
    if flags & PE_PARENT:
        return PageState.PARENT
    return PageState.LAZY if flags & PE_LAZY else PageState.ABSENT


@dataclass(frozen=True, slots=True)
class MemoryRead:
    """Bytes read from memory."""

    data: bytes
    """As many as were asked for; zeros where there is a hole."""
    holes: tuple[Span, ...]
    """Ranges whose bytes are not in the dump, and why."""


class Memory:
    """The dumped memory of one process, or of one shared object."""

    def __init__(
        self,
        pagemap: PageMap,
        pages: ByteWindow | None,
        page_size: int = 4096,
        parent: Memory | None = None,
    ) -> None:
        """`pages` is None where the page image is missing; `parent` is the previous dump."""
        self.pagemap = pagemap
        self.page_size = page_size
        self.pages = pages
        """The page image of this dump."""
        self._size = pages.size if pages else 0
        self._parent = parent

    def dump(self, level: int) -> Memory:
        """Return the memory of this dump (0) or of one before it in the chain."""
        return self if not level or self._parent is None else self._parent.dump(level - 1)

    @property
    def size(self) -> int:
        """Bytes that are at hand, here and in previous dumps, as the page map has it."""
        left = self.pagemap.parent if self._parent is not None else 0
        return (self.pagemap.present + left) * self.page_size

    def spans(self, start: int, end: int) -> Iterator[Span]:
        """Yield what the range from `start` to `end` consists of, without gaps; what was left to
        previous dumps as it is there, where they are at hand."""
        for span in self._own_spans(start, end):
            if span.state is not PageState.PARENT or self._parent is None:
                yield span
                continue
            for inner in self._parent.spans(span.start, span.end):
                absent = inner.state is PageState.ABSENT  # promised, but not there
                state = PageState.MISSING if absent else inner.state
                yield replace(inner, state=state, level=inner.level + 1)

    def _own_spans(self, start: int, end: int) -> Iterator[Span]:
        at = start
        index = max(self.pagemap.first_after(start) - 1, 0)
        while at < end and index < len(self.pagemap):
            run = self.pagemap.run(index)
            index += 1
            stop = run.start + run.pages * self.page_size
            if index < len(self.pagemap):
                stop = min(stop, self.pagemap.run(index).start)
            if run.start >= end:
                break
            if stop <= at:
                continue
            if run.start > at:
                yield Span(at, run.start, PageState.ABSENT)
                at = run.start
            stop = min(stop, end)
            yield from self._run_spans(run, at, stop)
            at = stop
        if at < end:
            yield Span(at, end, PageState.ABSENT)

    def _run_spans(self, run: Run, start: int, end: int) -> Iterator[Span]:
        if run.first_page is None:
            yield Span(start, end, _state_without_data(run.flags))
            return
        offset = run.first_page * self.page_size + start - run.start
        there = min(max(self._size - offset, 0), end - start)
        if there:
            yield Span(start, start + there, PageState.DATA, offset)
        if start + there < end:
            yield Span(start + there, end, PageState.MISSING)

    def read(self, address: int, length: int) -> MemoryRead:
        """Return `length` bytes from `address`, at most `MAX_READ`.

        Pages of the previous dump are taken from there where it is at hand.

        Raises:
            ValueError: that is more than one read may take.
        """
        if not 0 <= length <= MAX_READ:
            raise ValueError(f"a read of {length} bytes")
        parts: list[bytes] = []
        holes: list[Span] = []
        for span in self.spans(address, address + length):
            size = span.end - span.start
            pages = self.dump(span.level).pages
            if span.state is PageState.DATA and pages is not None:
                data = pages.read(span.offset, size)
                parts.append(data.ljust(size, b"\0"))
                if len(data) < size:
                    holes.append(Span(span.start + len(data), span.end, PageState.MISSING))
            else:
                parts.append(bytes(size))
                holes.append(span)
        return MemoryRead(b"".join(parts), tuple(holes))

    def dumped_in(self, start: int, end: int) -> Dumped:
        """Return how much of a range is where, by what the page map says; what is missing from the
        page image counts as data."""
        if not self.pagemap.parent and not self.pagemap.lazy:
            # the places of the runs are running sums, so a region needs no walk over its runs
            data = min(self._data_before(end) - self._data_before(start), end - start)
            return Dumped(data, absent=end - start - data)
        sums = dict.fromkeys(PageState, 0)
        for span in self._own_spans(start, end):
            sums[span.state] += span.end - span.start
        return Dumped(
            sums[PageState.DATA] + sums[PageState.MISSING],
            sums[PageState.PARENT],
            sums[PageState.LAZY],
            sums[PageState.ABSENT],
        )

    def _data_before(self, address: int) -> int:
        index = self.pagemap.first_after(address) - 1
        if index < 0:
            return 0
        run = self.pagemap.run(index)
        if run.first_page is None:
            return self.pagemap.pages_before(index) * self.page_size
        inside = min(address - run.start, run.pages * self.page_size)
        return run.first_page * self.page_size + inside


def strings_at(memory: Memory, start: int, end: int) -> tuple[bytes, ...]:
    """Return the strings between two addresses: arguments, or the environment.

    Raises:
        CkptError: the memory is not in the dump, or the addresses cannot be right.
    """
    if not 0 <= end - start <= MAX_STRINGS:
        raise CkptError(
            "Strings of the process cannot be read:",
            f"{start:#x} to {end:#x} is not a valid range.",
        )
    found = memory.read(start, end - start)
    if found.holes:
        hole = found.holes[0]
        raise CkptError(
            "Strings of the process cannot be read:",
            f"the memory at {hole.start:#x} is {hole.state.value}.",
        )
    return tuple(found.data.removesuffix(b"\0").split(b"\0")) if found.data else ()
