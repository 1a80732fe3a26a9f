"""Regular expressions over bytes, handed to RE2: its time grows with the bytes, whatever is asked
for, and other threads run meanwhile.

What an expression means is Python's to say: its own parser takes it apart (`re._parser`, since
Python 3.11), and what it asks for is written anew in the few forms that both know alike. So `\\s`
has the vertical tab in it, and without case only the letters of ASCII are two: a byte of a UTF-8
sequence is no letter. `$` is the end alone, not also the place before a newline there.
"""

from __future__ import annotations

import importlib
import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

MOST_MEMORY = 32 << 20
"""Bytes that RE2 may take for one expression and for the states that it meets."""

SPACE = frozenset(string.whitespace.encode())
DIGIT = frozenset(string.digits.encode())
WORD = DIGIT | frozenset(string.ascii_letters.encode()) | {ord("_")}
EVERY = frozenset(range(256))

CATEGORIES = {
    "CATEGORY_SPACE": SPACE,
    "CATEGORY_NOT_SPACE": EVERY - SPACE,
    "CATEGORY_DIGIT": DIGIT,
    "CATEGORY_NOT_DIGIT": EVERY - DIGIT,
    "CATEGORY_WORD": WORD,
    "CATEGORY_NOT_WORD": EVERY - WORD,
}

PLACES = {
    "AT_BEGINNING": r"\A",
    "AT_BEGINNING_STRING": r"\A",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
    "AT_END": r"\z",
    "AT_END_STRING": r"\z",
}

PLACES_OF_LINES = PLACES | {"AT_BEGINNING": "(?m:^)", "AT_END": "(?m:$)"}


class Found(Protocol):
    """A match."""

    def span(self) -> tuple[int, int]: ...


class Expression(Protocol):
    """What `re` and RE2 make of an expression."""

    def finditer(self, data: bytes, start: int, /) -> Iterator[Found]: ...


class _Unknown(Exception):
    """RE2 has nothing like it."""


def quick(expression: re.Pattern[bytes]) -> Expression | None:
    """Return the same expression for RE2; None if RE2 does not know what it asks for.

    One that may match no bytes is left to `re` as well: what else starts at such a place is another
    search for RE2, at every byte.
    """
    # 7 ms; only a search for an expression needs it
    import re2

    re2.purge()  # it keeps the expressions before, each with all that it took
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    try:
        written = _written(expression)
        return re2.compile(written, options) if written else None
    except re2.error:
        return None


def may_never_end(expression: re.Pattern[bytes]) -> bool:
    """Return whether an expression repeats without end what repeats without end itself: `re` tries
    every way to divide bytes between the two, and nothing stops it meanwhile."""
    try:
        return _nests(_parsed(expression), within=False)
    except (ImportError, AttributeError, RecursionError):
        return False


def _parsed(expression: re.Pattern[bytes]) -> Any:
    """Return an expression as Python's own parser takes it apart."""
    return importlib.import_module("re._parser").parse(expression.pattern, expression.flags)


def _nests(parsed: Any, *, within: bool) -> bool:
    for operation, argument in parsed:
        endless = "REPEAT" in str(operation) and str(argument[1]) == "MAXREPEAT"
        if endless and within:
            return True
        deeper = within or (endless and str(operation) != "POSSESSIVE_REPEAT")
        if any(_nests(inner, within=deeper) for inner in _inner(argument)):
            return True
    return False


def _inner(argument: Any) -> Iterator[Any]:
    """Yield the expressions in what an item of the parser asks for."""
    if hasattr(argument, "getwidth"):
        yield argument
    elif isinstance(argument, list | tuple):
        for part in argument:
            yield from _inner(part)


def _written(expression: re.Pattern[bytes]) -> bytes:
    """Return an expression as RE2 has it; nothing if it does not, or if it may match no bytes."""
    try:
        parsed = _parsed(expression)
        return _sequence(parsed, expression.flags).encode() if parsed.getwidth()[0] else b""
    except (_Unknown, ImportError, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return b""


def _sequence(parsed: Sequence[Any], flags: int) -> str:
    if flags & re.LOCALE:
        raise _Unknown("(?L)")
    return "".join(_item(str(operation), argument, flags) for operation, argument in parsed)


def _item(operation: str, argument: Any, flags: int) -> str:
    if operation in _WRITERS:
        return _WRITERS[operation](argument, flags)
    return _bytes(_one_byte(operation, argument, flags))


def _one_byte(operation: str, argument: Any, flags: int) -> frozenset[int]:
    """Return the bytes of which an item takes one."""
    if operation == "LITERAL":
        return _both_cases(frozenset((argument,)), flags)
    if operation == "NOT_LITERAL":
        return EVERY - _both_cases(frozenset((argument,)), flags)
    if operation == "ANY":
        return EVERY if flags & re.DOTALL else EVERY - {ord("\n")}
    if operation == "RANGE":
        first, last = argument
        return _both_cases(frozenset(range(first, last + 1)), flags)
    if operation == "CATEGORY":
        return CATEGORIES[str(argument)]
    if operation == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        parts = (_one_byte(str(op), arg, flags) for op, arg in argument[negated:])
        found = frozenset[int]().union(*parts)
        return EVERY - found if negated else found
    raise _Unknown(operation)


def _both_cases(some: frozenset[int], flags: int) -> frozenset[int]:
    if not flags & re.IGNORECASE:
        return some
    text = bytes(some)
    return some | frozenset(text.lower()) | frozenset(text.upper())


def _bytes(some: frozenset[int]) -> str:
    """Write a set of bytes; RE2 makes a letter without case of one that has both."""
    if len(some) == 1:
        return f"\\x{min(some):02x}"
    ranges: list[list[int]] = []
    for byte in sorted(some):
        if ranges and byte == ranges[-1][1] + 1:
            ranges[-1][1] = byte
        else:
            ranges.append([byte, byte])
    written = "".join(f"\\x{first:02x}-\\x{last:02x}" for first, last in ranges)
    return f"[{written}]" if written else r"[^\x00-\xff]"


def _place(argument: Any, flags: int) -> str:
    places = PLACES_OF_LINES if flags & re.MULTILINE else PLACES
    return places[str(argument)]


def _branches(argument: Any, flags: int) -> str:
    return f"(?:{'|'.join(_sequence(branch, flags) for branch in argument[1])})"


def _group(argument: Any, flags: int) -> str:
    _, added, removed, inner = argument
    return f"(?:{_sequence(inner, (flags | added) & ~removed)})"


def _most(argument: Any, flags: int) -> str:
    least, most, inner = argument
    limit = "" if str(most) == "MAXREPEAT" else f"{most}"
    return f"(?:{_sequence(inner, flags)}){{{least},{limit}}}"


def _least(argument: Any, flags: int) -> str:
    return f"{_most(argument, flags)}?"


_WRITERS: dict[str, Callable[[Any, int], str]] = {
    "AT": _place,
    "BRANCH": _branches,
    "SUBPATTERN": _group,
    "MAX_REPEAT": _most,
    "MIN_REPEAT": _least,
}
"""Operation of the parser to what writes it for RE2, beside those that take one byte."""
