"""The memory of two checkpoints compared by content, region by region, in one pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.compare import ProcessPair
from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, ProcessMemory, Region
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK
from ckpt_tui.criu.pages import Memory, PageState, Span

MAX_PLACES = 256
"""Changed runs of pages remembered of one region, to jump to; the pages are all counted."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two checkpoints with its bytes within reach."""

    checkpoint: Checkpoint
    images: ImageDirectory
    reader: MemoryReader


@dataclass(frozen=True, slots=True)
class RegionPair:
    """A mapping in one or both checkpoints; all numbers are bytes of pages."""

    before: Region | None
    after: Region | None
    same: int = 0
    changed: int = 0
    only_before: int = 0
    """Dumped in the first checkpoint alone."""
    only_after: int = 0
    unknown: int = 0
    """In a previous dump, with a lazy-pages server, or missing: not at hand to compare."""
    places: tuple[tuple[int, int], ...] = ()
    """The first changed runs: bytes from the start of the region, and length."""
    problem: str = ""

    @property
    def differs(self) -> bool:
        return bool(self.changed or self.only_before or self.only_after)


@dataclass(frozen=True, slots=True)
class MemoryComparison:
    """The regions of all pairs of processes, and what stood against comparing more."""

    processes: tuple[tuple[ProcessPair, tuple[RegionPair, ...]], ...]
    notes: tuple[str, ...] = ()

    def total(self, field: str) -> int:
        """Return the bytes of `same`, `changed`, `only_before`, `only_after` or `unknown`."""
        return sum(getattr(region, field) for _, regions in self.processes for region in regions)


def compare_memory(
    before: Side, after: Side, pairs: Sequence[ProcessPair], progress: Progress
) -> MemoryComparison:
    """Compare the pages of every pair of processes. Progress counts bytes of both.

    Raises:
        Cancelled: nobody wants the result. Damage is told in the regions and notes.
    """
    reason = _not_comparable(before.checkpoint, after.checkpoint)
    if reason:
        return MemoryComparison((), (reason,))
    notes = []
    for word, side in (("first", before), ("second", after)):
        try:
            side.images.preload_pages(progress)
        except CkptError as error:
            notes.append(f"Not all pages of the {word} can be read: {error}")
    memories = [{m.pid: m for m in s.checkpoint.memory} for s in (before, after)]
    total = sum(m.dumped_bytes for some in memories for m in some.values())
    progress.start("comparing memory", total)
    found = []
    for pair in pairs:
        one = memories[0].get(pair.before.pid) if pair.before else None
        other = memories[1].get(pair.after.pid) if pair.after else None
        if one is None and other is None:
            continue
        regions = tuple(
            _compare(before, after, a, b, progress)
            for a, b in match_regions(_regions(one), _regions(other))
        )
        found.append((pair, regions))
    return MemoryComparison(tuple(found), tuple(notes))


def _not_comparable(before: Checkpoint, after: Checkpoint) -> str:
    for word, criu in (("first", before.criu), ("second", after.criu)):
        if criu.compressed_pages or criu.encrypted:
            how = "encrypted" if criu.encrypted else "compressed"
            return f"Memory is not compared: CRIU wrote the pages of the {word} {how}."
    return ""


def _regions(memory: ProcessMemory | None) -> tuple[Region, ...]:
    return memory.regions if memory else ()


def match_regions(
    before: Iterable[Region], after: Iterable[Region]
) -> Iterator[tuple[Region | None, Region | None]]:
    """Yield pairs of regions: of the same start and kind, else the next one of the same use, as
    addresses are random in every new process."""
    rest = list(after)
    starts = {(r.start, r.kind): r for r in rest}
    unmatched: list[Region] = []
    for one in before:
        other = starts.pop((one.start, one.kind), None)
        if other is not None:
            yield one, other
        else:
            unmatched.append(one)
    left: defaultdict[Hashable, list[Region]] = defaultdict(list)
    for region in reversed(rest):
        if (region.start, region.kind) in starts:
            left[_use(region)].append(region)
    for one in unmatched:
        same_use = left.get(_use(one))
        yield one, same_use.pop() if same_use else None
    for some in left.values():
        for region in reversed(some):
            yield None, region


def _use(region: Region) -> Hashable:
    return region.kind, region.path, region.offset, region.protection


def _compare(
    before: Side, after: Side, one: Region | None, other: Region | None, progress: Progress
) -> RegionPair:
    if one is None or other is None:
        return RegionPair(
            one,
            other,
            only_before=one.dumped if one else 0,
            only_after=other.dumped if other else 0,
        )
    # of two page sizes the smaller one divides the other
    counter = _Counter(min(side.checkpoint.criu.page_size for side in (before, after)))
    problem = ""
    try:
        memories = _memory_of(before, one), _memory_of(after, other)
        length = max(one.end - one.start, other.end - other.start)
        for state, start, end, places in _together(memories, one, other, length):
            if state == "both":
                counter.compare(memories, start, end, places, progress)
            else:
                counter.count(state, end - start)
    except CkptError as error:
        problem = str(error)
    return RegionPair(one, other, **counter.counts, places=tuple(counter.places), problem=problem)


Memories = tuple[Memory | None, Memory | None]


def _memory_of(side: Side, region: Region) -> Memory | None:
    """Return where the pages of a region are: a shared object has a page map of its own."""
    if region.shared_id:
        return side.reader.shared(region.shared_id, side.checkpoint.criu.page_size)
    return side.reader.memory(region.pid)


def _base(region: Region) -> int:
    """Return where a region starts in its memory; that of a shared object counts from 0."""
    return region.offset if region.shared_id else region.start


def _spans(memory: Memory | None, region: Region) -> Iterator[Span]:
    start = _base(region)
    end = start + region.end - region.start
    if memory is None:
        yield Span(0, end - start, PageState.ABSENT)
        return
    for span in memory.spans(start, end):
        yield Span(span.start - start, span.end - start, span.state, span.offset)


_NOT_AT_HAND = (PageState.PARENT, PageState.LAZY, PageState.MISSING)


def _together(
    memories: Memories, one: Region, other: Region, length: int
) -> Iterator[tuple[str, int, int, tuple[int, int]]]:
    """Yield the ranges of two regions where neither changes its state: what is there, from where
    to where in the region, and the address of that in each memory. Ranges that are in neither are
    left out."""
    sides = _padded(_spans(memories[0], one), length), _padded(_spans(memories[1], other), length)
    bases = _base(one), _base(other)
    left, right = next(sides[0], None), next(sides[1], None)
    at = 0
    while left is not None and right is not None:
        end = min(left.end, right.end)
        state = _state(left.state, right.state)
        if state and end > at:
            yield state, at, end, (bases[0] + at, bases[1] + at)
        at = end
        if left.end == end:
            left = next(sides[0], None)
        if right.end == end:
            right = next(sides[1], None)


def _padded(spans: Iterator[Span], length: int) -> Iterator[Span]:
    end = 0
    for span in spans:
        end = span.end
        yield span
    if end < length:
        yield Span(end, length, PageState.ABSENT)


def _state(left: PageState, right: PageState) -> str:
    if left in _NOT_AT_HAND or right in _NOT_AT_HAND:
        return "unknown"
    data = left is PageState.DATA, right is PageState.DATA
    return {(True, True): "both", (True, False): "only_before", (False, True): "only_after"}.get(
        data, ""
    )


class _Counter:
    """Counts the pages of one region."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self.counts = dict.fromkeys(("same", "changed", "only_before", "only_after", "unknown"), 0)
        self.places: list[tuple[int, int]] = []

    def count(self, state: str, size: int) -> None:
        self.counts[state] += size

    def compare(
        self,
        memories: Memories,
        start: int,
        end: int,
        addresses: tuple[int, int],
        progress: Progress,
    ) -> None:
        """Compare the bytes from `start` to `end` of the region, which both have."""
        one, other = memories
        assert one is not None
        assert other is not None
        for at in range(0, end - start, CHUNK):
            length = min(CHUNK, end - start - at)
            left = one.read(addresses[0] + at, length).data
            right = other.read(addresses[1] + at, length).data
            if left == right:
                self.counts["same"] += length
            else:
                self._pages(left, right, start + at)
            progress.tick(2 * length)

    def _pages(self, left: bytes, right: bytes, offset: int) -> None:
        # Slices are copies, yet faster: memoryview compares byte by byte.
        size = self._page_size
        for at in range(0, len(left), size):
            length = min(size, len(left) - at)
            if left[at : at + size] == right[at : at + size]:
                self.counts["same"] += length
            else:
                self.counts["changed"] += length
                self._note(offset + at, length)

    def _note(self, start: int, length: int) -> None:
        if self.places and sum(self.places[-1]) == start:
            first, before = self.places[-1]
            self.places[-1] = first, before + length
        elif len(self.places) < MAX_PLACES:
            self.places.append((start, length))
