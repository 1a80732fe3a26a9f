"""Patterns for foreign text that take time in proportion to its length, whatever it holds (RE2).

Text is matched as the bytes it came from, so that bytes which are not UTF-8 do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import re2

from ckpt_tui.core.linear import as_bytes, byte_options

_MEMORY = 256 << 20
"""Bytes a set of patterns may take while it matches; used only as far as the text asks for it."""


class PatternSet:
    """Many patterns that are searched for in one pass."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Compile the patterns.

        Raises:
            re2.error: RE2 does not know one of them.
        """
        self._set = re2.Set.SearchSet(byte_options(_MEMORY))
        for pattern in patterns:
            self._set.Add(pattern)
        self._set.Compile()

    def matching(self, text: str) -> list[int]:
        """Return the numbers of the patterns found in `text`, in their order."""
        return sorted(self._set.Match(as_bytes(text)) or ())


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern.encode(), byte_options(_MEMORY))


def named_parts(pattern: str, text: str) -> dict[str, str]:
    """Return what the named groups of a pattern match in `text`; nothing where it is not found."""
    found = _compiled(pattern).search(as_bytes(text))
    groups = found.groupdict() if found else {}
    return {name.decode(): _text(part) for name, part in groups.items() if part is not None}


def all_groups(pattern: str, text: str) -> list[tuple[str, ...]]:
    """Return the groups of a pattern each time it is found in `text`, empty where unmatched."""
    found = _compiled(pattern).finditer(as_bytes(text))
    return [tuple(_text(group) for group in match.groups()) for match in found]


def is_in(pattern: str, text: str) -> bool:
    """Tell whether a pattern is found in `text`."""
    return _compiled(pattern).search(as_bytes(text)) is not None


def _text(group: bytes | None) -> str:
    return (group or b"").decode("utf-8", "surrogateescape")
