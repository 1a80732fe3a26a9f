"""Searching dumped memory: streaming over page images, flat in memory whatever their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import ProcessMemory
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.linear import byte_options
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.pages import Memory, PageState

CHUNK = 1 << 20
"""Bytes searched at a time: a few milliseconds in which nothing else of the program runs."""

MOST_MEMORY = 32 << 20
"""Bytes that RE2 may take for one expression and for the states that it meets."""

CONTEXT = 160
"""Bytes around a match that are kept: enough to see that it belongs to a secret."""

MAX_MATCH = 4096
"""Bytes that a match of a regular expression may have; a longer one is found in pieces."""

MAX_MATCHES = 10_000
"""Matches kept; a list of more is not read."""

TOP = 1 << 64


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is searched for: bytes, or a regular expression over bytes."""

    literal: bytes = b""
    expression: Any = None
    """As RE2 compiled it; its time grows with the bytes, and other threads run meanwhile."""

    @property
    def reach(self) -> int:
        """Bytes that a match may have at most."""
        return MAX_MATCH if self.expression else len(self.literal)

    def spans(self, buffer: bytes, start: int) -> Iterator[tuple[int, int]]:
        """Yield where the matches in `buffer` start and end, from `start` on."""
        if self.expression is None:
            for at in _occurrences(buffer, self.literal, start):
                yield at, at + len(self.literal)
            return
        for found in self.expression.finditer(buffer, start):
            first, last = found.span()
            if last > first:
                yield first, last


def _occurrences(buffer: bytes, literal: bytes, start: int) -> Iterator[int]:
    # rfind takes half the time of find, and in most buffers there is nothing
    if buffer.rfind(literal, start) < 0:
        return
    at = buffer.find(literal, start)
    while at >= 0:
        yield at
        at = buffer.find(literal, at + len(literal))


def parse_pattern(text: str) -> Pattern:
    """Return what a person typed: text, `re:` an expression in the syntax of RE2, `hex:` bytes,
    `u16:` UTF-16.

    Raises:
        UsageError: it is none of these, or nothing.
    """
    form, colon, rest = text.partition(":")
    if not colon or form not in ("re", "hex", "u16"):
        form, rest = "", text
    if form == "re":
        return Pattern(expression=_compiled(rest))
    try:
        literal = bytes.fromhex(rest) if form == "hex" else _encoded(rest, form)
    except ValueError:
        raise UsageError("Invalid search:", f"{rest!r} is not hexadecimal.") from None
    if not literal:
        raise UsageError("There is nothing to search for.")
    return Pattern(literal)


def _compiled(expression: str) -> Any:
    """Return an expression over bytes; a character beyond ASCII is the bytes that it has in UTF-8,
    and a dot is any byte."""
    # 7 ms; only a search for an expression needs it
    import re2

    re2.purge()  # it keeps the expressions before, each with all that it took
    try:
        return re2.compile(expression.encode(), byte_options(MOST_MEMORY, dot_nl=True))
    except re2.error as error:
        said = error.args[0].decode(errors="replace")
        raise UsageError(
            "Invalid regular expression:",
            f"{said}.",
            "The syntax is that of RE2: no lookaround, no back references, \\z for the end.",
        ) from None


def _encoded(text: str, form: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass") if form == "u16" else text.encode()


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
        for start, end in _stretches(area):
            try:
                yield from _search_stretch(area, start, end, pattern, progress)
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


def _stretches(area: Area) -> Iterator[tuple[int, int]]:
    """Yield ranges of neighbouring memory that is all in the dump."""
    start = end = -1
    for span in area.memory.spans(area.start, area.end):
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


def _search_stretch(
    area: Area, start: int, end: int, pattern: Pattern, progress: Progress
) -> Iterator[Match]:
    def read(address: int, length: int) -> bytes:
        return area.memory.read(address, length).data

    for place, before, found, after in scan(read, start, end, pattern, progress):
        yield Match(area.pid, place + area.shift, before, found, after)


def search_window(
    window: ByteWindow, pattern: Pattern, progress: Progress
) -> list[tuple[int, int]]:
    """Return offsets and lengths of the first `MAX_MATCHES` matches in a window."""
    progress.start("searching", window.size)
    found = scan(window.read, 0, window.size, pattern, progress)
    return [(place, len(match)) for place, _, match, _ in islice(found, MAX_MATCHES)]


def scan(
    read: Callable[[int, int], bytes],
    start: int,
    end: int,
    pattern: Pattern,
    progress: Progress,
) -> Iterator[tuple[int, bytes, bytes, bytes]]:
    """Yield place, bytes before, match and bytes after from `start` to `end` of what `read` reads.

    Raises:
        Cancelled: the caller gave up.
    """
    overlap = max(pattern.reach, CONTEXT)
    position = next_start = start
    tail = b""
    while position < end:
        length = min(CHUNK, end - position)
        buffer = tail + read(position, length)
        base = position - len(tail)
        position += length
        # what starts later may not have ended here: it waits for the bytes behind
        limit = end if position == end else position - overlap
        for first, last in pattern.spans(buffer, next_start - base):
            if base + first >= limit:
                break
            before = buffer[max(0, first - CONTEXT) : first]
            yield base + first, before, buffer[first:last], buffer[last : last + CONTEXT]
            next_start = base + last
        next_start = max(next_start, limit)
        tail = buffer[-(overlap + CONTEXT) :]
        progress.tick(length)
