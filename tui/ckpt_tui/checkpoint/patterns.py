"""What is searched for in bytes, and the scan of streams for it, flat in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, NamedTuple, Protocol

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.linear import byte_options
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow

CHUNK = 1 << 20
"""Bytes searched at a time: a few milliseconds in which nothing else of the program runs."""

MOST_MEMORY = 32 << 20
"""Bytes that RE2 may take for one expression and for the states that it meets."""

CONTEXT = 160
"""Bytes around a match that are kept: enough to see that it belongs to a secret."""

MAX_MATCH = 4096
"""Bytes that a match of a regular expression may have; a longer one is found in pieces."""

AT_ONCE = 3
"""Pieces that threads look at at a time."""

MAX_MATCHES = 10_000
"""Matches kept; a list of more is not read."""

Form = Literal["", "re", "hex", "u16"]
"""How a pattern is written: as text, as an expression of RE2, as hexadecimal bytes, as text that
UTF-16 encodes."""


class Finder(Protocol):
    """Finds something in bytes."""

    @property
    def reach(self) -> int:
        """Bytes that a match may have at most."""

    def spans(self, buffer: bytes, start: int) -> Iterator[tuple[int, int, object]]:
        """Yield where the matches in `buffer` start and end, from `start` on, each with what else
        there is to be known of it."""


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

    def spans(self, buffer: bytes, start: int) -> Iterator[tuple[int, int, object]]:
        """Yield where the matches in `buffer` start and end, from `start` on."""
        if self.expression is None:
            for at in _occurrences(buffer, self.literal, start):
                yield at, at + len(self.literal), None
            return
        for found in self.expression.finditer(buffer, start):
            first, last = found.span()
            if last > first:
                yield first, last, None


def _occurrences(buffer: bytes, literal: bytes, start: int) -> Iterator[int]:
    # rfind takes half the time of find, and in most buffers there is nothing
    if buffer.rfind(literal, start) < 0:
        return
    at = buffer.find(literal, start)
    while at >= 0:
        yield at
        at = buffer.find(literal, at + len(literal))


def pattern_of(text: str, form: Form = "") -> Pattern:
    """Return a pattern.

    Raises:
        UsageError: the text is not of that form, or empty.
    """
    if form == "re":
        return Pattern(expression=compiled(text))
    try:
        literal = bytes.fromhex(text) if form == "hex" else _encoded(text, form)
    except ValueError:
        raise UsageError("Invalid search:", f"{text!r} is not hexadecimal.") from None
    if not literal:
        raise UsageError("There is nothing to search for.")
    return Pattern(literal)


def parse_pattern(text: str) -> Pattern:
    """Return what a person typed: text, `re:` an expression in the syntax of RE2, `hex:` bytes,
    `u16:` UTF-16.

    Raises:
        UsageError: as `pattern_of`.
    """
    form, _, rest = text.partition(":")
    match form:
        case "re" | "hex" | "u16" if form != text:
            return pattern_of(rest, form)
    return pattern_of(text)


def compiled(expression: str) -> Any:
    """Return an expression over bytes; a character beyond ASCII is the bytes that it has in UTF-8,
    and a dot is any byte.

    Raises:
        UsageError: it is not one.
    """
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


class Spotted(NamedTuple):
    """One match in a stream."""

    place: int
    """Bytes from the start of the stream, or whatever its first byte was said to be at."""
    before: bytes
    found: bytes
    after: bytes
    mark: object = None
    """What the finder knows of it."""


class _Part(NamedTuple):
    """A piece of a stream with the end of the one before."""

    buffer: bytes
    base: int
    """Place of its first byte."""
    first: int
    """Place from which on matches begin in it, up to `limit`."""
    limit: int
    fresh: int
    """Bytes that were not in the parts before."""


def scan(
    pieces: Iterable[bytes],
    finder: Finder,
    progress: Progress,
    start: int = 0,
    pool: Executor | None = None,
) -> Iterator[Spotted]:
    """Yield what is found in a stream whose first byte is at `start`; progress counts its bytes.
    The threads of `pool` look at `AT_ONCE` pieces at a time; the order stays.

    Raises:
        Cancelled: the caller gave up.
    """
    next_start = start
    for part, spans in _looked_at(_parts(pieces, finder.reach, start), finder, pool):
        if next_start > part.first:  # a match reaches into this part
            spans = finder.spans(part.buffer, next_start - part.base)
        buffer, base = part.buffer, part.base
        for first, last, mark in spans:
            if base + first >= part.limit:
                break
            before = buffer[max(0, first - CONTEXT) : first]
            after = buffer[last : last + CONTEXT]
            yield Spotted(base + first, before, buffer[first:last], after, mark)
            next_start = base + last
        next_start = max(next_start, part.limit)
        progress.tick(part.fresh)


Spans = Iterable[tuple[int, int, object]]


def _looked_at(
    parts: Iterable[_Part], finder: Finder, pool: Executor | None
) -> Iterator[tuple[_Part, Spans]]:
    """Yield each part with what is found in it."""
    waiting: deque[tuple[_Part, Future[list[tuple[int, int, object]]]]] = deque()
    for part in parts:
        if pool is None:
            yield part, finder.spans(part.buffer, part.first - part.base)
            continue
        waiting.append((part, pool.submit(_all_spans, finder, part)))
        if len(waiting) > AT_ONCE:
            first, job = waiting.popleft()
            yield first, job.result()
    for first, job in waiting:
        yield first, job.result()


def _all_spans(finder: Finder, part: _Part) -> list[tuple[int, int, object]]:
    return list(finder.spans(part.buffer, part.first - part.base))


def _parts(pieces: Iterable[bytes], reach: int, start: int) -> Iterator[_Part]:
    overlap = max(reach, CONTEXT)
    position = first = start
    tail = b""
    for piece, is_last in _with_end(pieces):
        buffer = tail + piece
        base = position - len(tail)
        position += len(piece)
        # what starts later may not have ended here: it waits for the bytes behind
        limit = position if is_last else position - overlap
        yield _Part(buffer, base, first, limit, len(piece))
        first = max(first, limit)
        tail = buffer[-(overlap + CONTEXT) :]


def _with_end(pieces: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each piece, and whether it is the last."""
    last: bytes | None = None
    for piece in pieces:
        if last is not None:
            yield last, False
        last = piece
    if last is not None:
        yield last, True


def read_pieces(read: Callable[[int, int], bytes], start: int, end: int) -> Iterator[bytes]:
    """Yield what `read` has from `start` to `end`, a chunk at a time."""
    for position in range(start, end, CHUNK):
        yield read(position, min(CHUNK, end - position))


def search_window(
    window: ByteWindow, pattern: Pattern, progress: Progress
) -> list[tuple[int, int]]:
    """Return offsets and lengths of the first `MAX_MATCHES` matches in a window."""
    progress.start("searching", window.size)
    found = scan(read_pieces(window.read, 0, window.size), pattern, progress)
    return [(one.place, len(one.found)) for one in islice(found, MAX_MATCHES)]
