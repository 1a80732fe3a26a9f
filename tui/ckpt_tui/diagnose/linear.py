"""Patterns for foreign text that take time in proportion to its length, whatever it holds (RE2).

Text is matched as the bytes it came from, so that bytes which are not UTF-8 do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable

import re2

_MEMORY = 256 << 20
"""Bytes a set of patterns may take while it matches; used only as far as the text asks for it."""


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


def as_bytes(text: str) -> bytes:
    """Return foreign text as the bytes that it was decoded from."""
    return text.encode("utf-8", "surrogateescape")


class PatternSet:
    """Many patterns that are searched for in one pass."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile the patterns.

        Raises:
            re2.error: RE2 does not know one of them.
        """
        self._set = re2.Set.SearchSet(_options())
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, text: str) -> list[int]:
        """Return the numbers of the patterns found in `text`, in their order."""
        return sorted(self._set.Match(as_bytes(text)) or ())


def named_parts(pattern: str, text: str) -> dict[str, str]:
    """Return what the named groups of a pattern match in `text`; nothing where it is not found."""
    found = re2.compile(pattern, _options()).search(as_bytes(text))
    groups = found.groupdict() if found else {}
    return {k: v.decode("utf-8", "surrogateescape") for k, v in groups.items() if v is not None}
