"""Searching dumped memory: streaming over page images, flat in memory whatever their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import ProcessMemory
from ckpt_tui.checkpoint.patterns import MAX_MATCHES, Pattern, read_pieces, scan
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.pages import Memory, PageState

TOP = 1 << 64


@dataclass(frozen=True, slots=True)
class Area:
    """Memory to be searched, as one process sees it."""

    pid: int
    memory: Memory
    start: int = 0
    end: int = TOP
    """Range within `memory`."""
    shift: int = 0
    """Added to a place in `memory` it gives the address in the process."""

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Yield ranges within `memory` of neighbouring bytes that are all in the dump."""
        start = end = -1
        for span in self.memory.spans(self.start, self.end):
            if span.state is not PageState.DATA:
                continue
            if span.start == end:
                end = span.end
                continue
            if end > start:
                yield start, end
            start, end = span.start, span.end
        if end > start:
            yield start, end

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a range within `memory`.

        Raises:
            CkptError: they are damaged or out of reach.
        """
        return read_pieces(lambda at, length: self.memory.read(at, length).data, start, end)


@dataclass(frozen=True, slots=True)
class Match:
    """One place where the pattern occurs."""

    pid: int
    address: int
    before: bytes
    found: bytes
    after: bytes


@dataclass(slots=True)
class Matches:
    """What a search found."""

    matches: list[Match] = field(default_factory=list)
    is_cut: bool = False
    """Whether there are more than `MAX_MATCHES`."""
    searched: int = 0
    """Bytes."""
    problems: list[str] = field(default_factory=list)
    """What could not be read, a sentence each."""


def areas_of(reader: MemoryReader, memories: Iterable[ProcessMemory]) -> list[Area]:
    """Return the dumped memory of some processes, each shared object once."""
    areas: list[Area] = []
    seen: set[tuple[int, int]] = set()
    for process in memories:
        memory = reader.memory(process.pid)
        if memory is not None:
            areas.append(Area(process.pid, memory))
        for region in process.regions:
            place = (region.shared_id, region.offset)
            if not region.shared_id or place in seen:
                continue
            seen.add(place)
            shared, start = reader.of_region(region)
            if shared is not None:
                end = start + region.end - region.start
                areas.append(Area(process.pid, shared, start, end, region.start - start))
    return areas


def search(
    areas: Sequence[Area], pattern: Pattern, progress: Progress, problems: list[str]
) -> Iterator[Match]:
    """Yield the matches in dumped memory by area and address; progress counts bytes.

    A match may lie across pages and regions where they are neighbours in the process. What cannot
    be read is left out and told in `problems`.

    Raises:
        Cancelled: the caller gave up.
    """
    total = sum(area.memory.size for area in areas)
    progress.start("searching memory", total)
    for area in areas:
        for start, end in area.stretches():
            pieces = area.pieces(start, end)
            try:
                for one in scan(pieces, pattern, progress, start + area.shift):
                    yield Match(area.pid, one.place, one.before, one.found, one.after)
            except CkptError as error:
                problems.append(str(error))


def find_all(areas: Sequence[Area], pattern: Pattern, progress: Progress) -> Matches:
    """Return the first `MAX_MATCHES` matches; see `search`."""
    found = Matches()
    for match in search(areas, pattern, progress, found.problems):
        if len(found.matches) == MAX_MATCHES:
            found.is_cut = True
            break
        found.matches.append(match)
    found.searched = progress.done
    return found
