"""What every match of a regular expression has in it: bytes that are found far quicker than it is.

The interpreter's own parser takes the expression apart (`re._parser`, since Python 3.11). Where it
cannot be had, or the expression asks for no bytes in particular, the expression itself is tried
everywhere.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

LEAST = 2
"""Bytes of the shortest needle that is worth it: single ones are everywhere."""

MOST = 8
"""Needles looked for; more are no quicker than the expression."""

MARGIN = 64
"""Bytes around the place of a match that assertions in the expression may look at."""


@dataclass(frozen=True, slots=True)
class Needles:
    """Bytes of which every match has at least one, whole."""

    needles: tuple[bytes, ...]
    reach: int
    """Bytes that a match has at most."""
    ignore_case: bool = False
    """The needles are lower case, and what is searched has to be."""

    def places(self, buffer: bytes, start: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of `buffer`, ascending and apart, that have all matches from `start` on."""
        hay = buffer.lower() if self.ignore_case else buffer
        behind = self.reach + max(map(len, self.needles)) + MARGIN
        hits = sorted(at for needle in self.needles for at in occurrences(hay, needle, start))
        low = high = -1
        for at in hits:
            first, last = max(start, at - self.reach), at + behind
            if first <= high:
                high = last
                continue
            if high >= 0:
                yield low, high
            low, high = first, last
        if high >= 0:
            yield low, high


def occurrences(buffer: bytes, needle: bytes, start: int) -> Iterator[int]:
    """Yield where `needle` is in `buffer` from `start` on."""
    # rfind takes half the time of find, and in most buffers there is nothing
    if buffer.rfind(needle, start) < 0:
        return
    at = buffer.find(needle, start)
    while at >= 0:
        yield at
        at = buffer.find(needle, at + len(needle))


def needles_of(expression: re.Pattern[bytes], longest: int) -> Needles | None:
    """Return the needles of an expression whose matches have `longest` bytes at most; None if
    nothing is known."""
    if expression.flags & re.LOCALE:
        return None
    try:
        parser = importlib.import_module("re._parser")
        parsed = parser.parse(expression.pattern, expression.flags)
        found = _of(parsed)
        widest = int(parsed.getwidth()[1])
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError):
        return None
    if not found or len(found) > MOST or min(map(len, found)) < LEAST:
        return None
    ignore_case = bool(expression.flags & re.IGNORECASE)
    words = {needle.lower() if ignore_case else needle for needle in found}
    return Needles(tuple(sorted(words)), min(widest, longest), ignore_case)


def _of(parsed: Sequence[Any]) -> frozenset[bytes] | None:
    """Return the best set of bytes of which each match of a sequence has one; None for none."""
    found: list[frozenset[bytes]] = []
    run = bytearray()
    for operation, argument in parsed:
        if str(operation) == "LITERAL":
            run.append(argument)
            continue
        found.append(frozenset((bytes(run),)))
        run.clear()
        inner = _INSIDE.get(str(operation))
        if inner is not None:
            found.append(inner(argument) or frozenset((b"",)))
    found.append(frozenset((bytes(run),)))
    best = max(found, key=lambda some: (min(map(len, some)), -len(some)))
    return best if min(map(len, best)) else None


def _of_branches(argument: Any) -> frozenset[bytes] | None:
    branches = [_of(branch) for branch in argument[1]]
    known = [some for some in branches if some]
    return frozenset().union(*known) if len(known) == len(branches) else None


def _of_repeat(argument: Any) -> frozenset[bytes] | None:
    least, _, item = argument
    return _of(item) if least else None


def _of_group(argument: Any) -> frozenset[bytes] | None:
    _, added, removed, item = argument
    return None if added or removed else _of(item)


_INSIDE: dict[str, Callable[[Any], frozenset[bytes] | None]] = {
    "BRANCH": _of_branches,
    "MAX_REPEAT": _of_repeat,
    "MIN_REPEAT": _of_repeat,
    "POSSESSIVE_REPEAT": _of_repeat,
    "SUBPATTERN": _of_group,
    "ATOMIC_GROUP": _of,
}
"""Operation of the parser to what is required in it."""
