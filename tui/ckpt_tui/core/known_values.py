"""Values known to be secret, covered wherever else they occur."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ckpt_tui.core.linear import as_bytes, byte_options

COVER = "••••••"

SHORTEST = 6
"""Characters below which a value is too common to be covered everywhere."""

_PATTERN = 64 << 10
"""Bytes of values that are searched for in one pass."""

_MOST = 1 << 20
"""Bytes of all values; those beyond are covered only where their name or form tells."""

_MEMORY = 32 << 20
"""Bytes that RE2 may take for one pass."""

MOST_CLOSED = 64
"""Checkpoints whose values are covered still after they were closed."""

Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return spans in ascending order, those that meet as one."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        else:
            found.append((start, stop))
    return found


class KnownValues:
    """Values known to be secret, found in any bytes whatever is beside them: as UTF-8 and as
    UTF-16 of both orders, and as a string in JSON."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
        self._forms = _limited(sorted(forms, key=lambda form: (-len(form), form)))
        self._patterns = [_compiled(part) for part in _parts(self._forms)]

    def __bool__(self) -> bool:
        return bool(self._forms)

    def spans(self, data: bytes) -> list[Span]:
        """Return where the values are, in ascending order; at the ends of `data` also what may be
        a part of one, of six bytes at least."""
        if not self._forms:
            return []
        found = [span for pattern in self._patterns for span in _matches(pattern, data)]
        return merged([*found, *self._at_ends(data)])

    def cover(self, text: str) -> str:
        """Return text with the values in it covered."""
        if not self._forms:
            return text
        data = as_bytes(text)
        if not any(pattern.search(data) for pattern in self._patterns):
            return text  # of nearly every text: each cell of a list comes here
        spans = merged(span for pattern in self._patterns for span in _matches(pattern, data))
        parts, end = [], 0
        for start, stop in spans:
            parts.append(data[end:start].decode("utf-8", "surrogateescape") + COVER)
            end = stop
        return "".join(parts) + data[end:].decode("utf-8", "surrogateescape")

    def _at_ends(self, data: bytes) -> Iterator[Span]:
        first, size = data[:SHORTEST], len(data)
        for form in self._forms if size >= SHORTEST else ():
            at = form.find(first, 1)
            while 0 < at <= len(form) - SHORTEST:
                if data.startswith(form[at:]):
                    yield 0, len(form) - at
                at = form.find(first, at + 1)
            start = max(0, size - len(form) + 1)
            at = data.find(form[:SHORTEST], start)
            while at >= 0:
                if form.startswith(data[at:]):
                    yield at, size
                at = data.find(form[:SHORTEST], at + 1)


def _forms(value: str) -> Iterator[bytes]:
    yield as_bytes(value)
    yield value.encode("utf-16-le", "surrogatepass")
    yield value.encode("utf-16-be", "surrogatepass")
    for is_ascii in (False, True):
        yield as_bytes(json.dumps(value, ensure_ascii=is_ascii)[1:-1])


def _limited(forms: list[bytes]) -> list[bytes]:
    size, kept = 0, []
    for form in reversed(forms):  # the short ones first: there is room for more of them
        size += len(form)
        if size > _MOST:
            break
        kept.append(form)
    return kept[::-1]


def _parts(forms: list[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for form in forms:
        if part and size + len(form) > _PATTERN:
            yield part
            part, size = [], 0
        part.append(form)
        size += len(form)
    if part:
        yield part


def _compiled(forms: list[bytes]) -> Any:
    # 7 ms; only what holds secrets needs it
    import re2

    options = byte_options(_MEMORY, never_capture=True)
    return re2.compile(b"|".join(re2.escape(form) for form in forms), options)


def _matches(pattern: Any, data: bytes) -> Iterator[Span]:
    """Yield all matches, those that overlap, too."""
    found = pattern.search(data)
    while found:
        yield found.span()
        found = pattern.search(data, found.start() + 1)


class Secrets:
    """The secret values of one checkpoint. They are covered in all that the program shows, from
    the time they are known until `MOST_CLOSED` others were closed after it; texts show them while
    they are revealed."""

    def __init__(self) -> None:
        self.revealed = False
        self._is_closed = False
        self._values: Callable[[], Iterable[str]] = tuple

    def know(self, values: Callable[[], Iterable[str]]) -> None:
        """Cover what `values` gives, which is asked for when something is shown."""
        with _LOCK:
            self._values = values
            closed = [one for one in _ALL if one._is_closed][:-MOST_CLOSED]
            _ALL[:] = [one for one in _ALL if one not in (*closed, self)] + [self]
            _KNOWN.clear()

    def reveal(self, reveal: bool) -> None:
        """Show the values in texts, or cover them again."""
        with _LOCK:
            self.revealed = reveal
            _KNOWN.clear()

    def close(self) -> None:
        """Let go of the checkpoint, but for its values."""
        with _LOCK:
            found = frozenset(self._values())
            self._values = lambda: found
            self._is_closed = True


class _Choice:
    all_revealed = False


_ALL: list[Secrets] = []
_LOCK = threading.RLock()
_KNOWN: dict[bool, KnownValues] = {}


def reveal_all(reveal: bool) -> None:
    """Show in texts the values of all checkpoints, or cover those that are not revealed."""
    with _LOCK:
        _Choice.all_revealed = reveal
        _KNOWN.clear()


def known_values(*, hidden: bool = False) -> KnownValues:
    """Return the values of all checkpoints that are open, or of those that are not revealed."""
    known = _KNOWN.get(hidden)
    if known is None:
        with _LOCK:
            everything = hidden and _Choice.all_revealed
            chosen = [one for one in _ALL if not everything and not (hidden and one.revealed)]
            known = KnownValues({value for one in chosen for value in one._values()})
            _KNOWN[hidden] = known
    return known


def without_known(text: str) -> str:
    """Return text with the values that are not revealed covered."""
    return known_values(hidden=True).cover(text) if _ALL and len(text) >= SHORTEST else text
