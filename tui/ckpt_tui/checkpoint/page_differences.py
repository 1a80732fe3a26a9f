"""The memory of two checkpoints compared by content, region by region, in one pass."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ckpt_tui.checkpoint.bytediff import add_run
from ckpt_tui.checkpoint.differences import ProcessPair
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Process, ProcessMemory, Region
from ckpt_tui.checkpoint.pagehash import HashedPages, reads_spill
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.parallel import both
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK
from ckpt_tui.criu.pages import Memory, PageState, Span

MAX_HASHED = 16 << 30
"""Bytes of pages of both of which hashes are kept, 32 MiB at most of each."""

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
        Cancelled: the job was cancelled. Damage is reported in the regions and notes.
    """
    reason = _not_comparable(before.checkpoint, after.checkpoint)
    if reason:
        return MemoryComparison((), (reason,))
    notes: list[str] = []
    unit = min(side.checkpoint.criu.page_size for side in (before, after))
    readers = _readers(before, after, unit, notes, progress)
    memories = [{m.pid: m for m in s.checkpoint.memory} for s in (before, after)]
    total = sum(m.dumped_bytes for some in memories for m in some.values())
    progress.start("comparing memory", total)
    found = []
    for pair in pairs:
        one = memories[0].get(pair.before.pid) if pair.before else None
        other = memories[1].get(pair.after.pid) if pair.after else None
        if one is None and other is None:
            continue
        if (lost := _lost_map(pair, one, other)) is not None:
            word, process = lost
            note = f"The memory map of process {process.pid} of the {word} is not there."
            notes.append(f"{note} Its pages are not compared.")
            there = _regions(one or other)
            found.append((pair, tuple(_unknown(r, is_first=one is not None) for r in there)))
            continue
        regions = tuple(
            _compare(readers, a, b, unit, progress)
            for a, b in match_regions(_regions(one), _regions(other))
        )
        found.append((pair, regions))
    return MemoryComparison(tuple(found), tuple(notes))


def _lost_map(
    pair: ProcessPair, one: ProcessMemory | None, other: ProcessMemory | None
) -> tuple[str, Process] | None:
    """Return the process of a pair that is alive and has no memory map, and on which side."""
    for word, process, memory in (("first", pair.before, one), ("second", pair.after, other)):
        if process is not None and memory is None and process.state != "zombie":
            return word, process
    return None


def _unknown(region: Region, *, is_first: bool) -> RegionPair:
    """Return a region of which nobody knows what the other side has."""
    before, after = (region, None) if is_first else (None, region)
    return RegionPair(before, after, unknown=region.dumped)


def _not_comparable(before: Checkpoint, after: Checkpoint) -> str:
    for word, criu in (("first", before.criu), ("second", after.criu)):
        if how := criu.packed_how:
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


def _readers(
    before: Side, after: Side, unit: int, notes: list[str], progress: Progress
) -> tuple[_PageReader, _PageReader]:
    """Have all pages at hand. Of compressed archives these are their hashes: comparing the bytes
    would need a file of all of them first."""
    total = sum(m.dumped_bytes for side in (before, after) for m in side.checkpoint.memory)
    by_hash = total <= MAX_HASHED and any(reads_spill(side.images) for side in (before, after))
    progress.start("reading the pages of both", total // 2)

    def read(side: Side, progress: Progress) -> tuple[HashedPages | None, str]:
        try:
            if by_hash:
                return HashedPages(side.images, unit, progress), ""
            side.images.preload_pages(progress)
        except CkptError as error:
            return None, str(error)
        return None, ""

    found = both(read, before, after, progress)
    for word, (_, problem) in zip(("first", "second"), found, strict=True):
        if problem:
            notes.append(f"Not all pages of the {word} can be read: {problem}")
    return _PageReader(before, found[0][0]), _PageReader(after, found[1][0])


def _compare(
    readers: tuple[_PageReader, _PageReader],
    one: Region | None,
    other: Region | None,
    unit: int,
    progress: Progress,
) -> RegionPair:
    if one is None or other is None:
        return RegionPair(
            one,
            other,
            only_before=one.dumped if one else 0,
            only_after=other.dumped if other else 0,
        )
    counter = _Counter(unit)
    problem = ""
    try:
        memories = readers[0].memory(one), readers[1].memory(other)
        length = max(one.end - one.start, other.end - other.start)
        for piece in _together(memories, one, other, length):
            if piece.state == "both":
                _compare_piece(readers, memories, piece, counter, progress)
            else:
                counter.count(piece.state, piece.end - piece.start)
    except CkptError as error:
        problem = str(error)
    return RegionPair(one, other, **counter.counts, places=tuple(counter.places), problem=problem)


def _compare_piece(
    readers: tuple[_PageReader, _PageReader],
    memories: Memories,
    piece: _Piece,
    counter: _Counter,
    progress: Progress,
) -> None:
    """Compare what both have, by the hashes of its pages where they are there."""
    length = piece.end - piece.start
    both = zip(readers, memories, piece.spans, strict=True)
    left, right = (reader.hashes(memory, span, length) for reader, memory, span in both)
    if left and right:
        counter.compare_hashes(left, right, piece.start, length)
        progress.tick(2 * length)
        return
    one, other = memories
    assert one is not None
    assert other is not None
    for at in range(0, length, CHUNK):
        size = min(CHUNK, length - at)
        pages = (one.read(piece.addresses[0] + at, size).data,
                 other.read(piece.addresses[1] + at, size).data)  # fmt: skip
        counter.compare(*pages, piece.start + at)
        progress.tick(2 * size)


@dataclass(frozen=True, slots=True)
class _PageReader:
    """One side, with the hashes of its pages where these stand for them."""

    side: Side
    hashed: HashedPages | None

    def memory(self, region: Region) -> Memory | None:
        """Return where the pages of a region are: a shared object has a page map of its own."""
        if region.shared_id:
            return self.side.reader.shared(region.shared_id, self.side.checkpoint.criu.page_size)
        return self.side.reader.memory(region.pid)

    def hashes(self, memory: Memory | None, span: Span, length: int) -> array[int] | None:
        """Return the hashes of the pages of a part of a span, None where they are not kept."""
        if self.hashed is None or memory is None or length % self.hashed.unit:
            return None
        place = self.side.reader.stored(memory, span)
        if place.offset % self.hashed.unit:
            return None
        found = self.hashed.at(place.name, place.offset, length)
        return found if len(found) * self.hashed.unit == length else None


Memories = tuple[Memory | None, Memory | None]


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
        yield replace(span, start=span.start - start, end=span.end - start)


_NOT_AT_HAND = (PageState.PARENT, PageState.LAZY, PageState.MISSING)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A range of two regions where neither changes its state."""

    state: str
    """What is there: `both`, or the field of `RegionPair` that counts it."""
    start: int
    """Bytes from the start of the region."""
    end: int
    addresses: tuple[int, int]
    """Of the first byte, in each memory."""
    spans: tuple[Span, Span]
    """Where the bytes are; of those in a page image the offset is that of the first."""


def _together(memories: Memories, one: Region, other: Region, length: int) -> Iterator[_Piece]:
    """Yield the pieces of two regions, but for those that are in neither."""
    sides = _padded(_spans(memories[0], one), length), _padded(_spans(memories[1], other), length)
    bases = _base(one), _base(other)
    left, right = next(sides[0], None), next(sides[1], None)
    at = 0
    while left is not None and right is not None:
        end = min(left.end, right.end)
        state = _state(left.state, right.state)
        if state and end > at:
            spans = [replace(s, offset=s.offset + at - s.start) for s in (left, right)]
            addresses = bases[0] + at, bases[1] + at
            yield _Piece(state, at, end, addresses, (spans[0], spans[1]))
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

    def compare(self, left: bytes, right: bytes, offset: int) -> None:
        """Compare the bytes at an offset of the region, which both have."""
        if left == right:
            self.counts["same"] += len(left)
            return
        # Slices are copies, yet faster: memoryview compares byte by byte.
        size = self._page_size
        for at in range(0, len(left), size):
            page = left[at : at + size]
            self._page(page == right[at : at + size], offset + at, len(page))

    def compare_hashes(self, left: array[int], right: array[int], offset: int, length: int) -> None:
        """Compare so many bytes, whole pages, by their hashes."""
        if left == right:
            self.counts["same"] += length
            return
        size = self._page_size
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            self._page(one == other, offset + number * size, size)

    def _page(self, same: bool, offset: int, length: int) -> None:
        self.counts["same" if same else "changed"] += length
        joins = bool(self.places) and sum(self.places[-1]) == offset
        if not same and (joins or len(self.places) < MAX_PLACES):
            add_run(self.places, offset, offset + length)
