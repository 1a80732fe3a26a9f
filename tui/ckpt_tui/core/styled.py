"""Text whose parts name their styles, and how many cells of a terminal text takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from unicodedata import category, east_asian_width

Run = tuple[str, str]
"""Printable text and the names of its styles, separated by blanks; a later one wins."""

_JOINER, _EMOJI = "\u200d", "\ufe0f"
"""Draws the next character together with the one before; draws the one before as an emoji."""

_FORMAT_WIDE = frozenset("\xad\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Format characters that have a cell nevertheless."""


@dataclass(frozen=True, slots=True)
class Styled:
    """Text in runs of one style each; made by `styled`, which leaves out empty runs."""

    runs: tuple[Run, ...] = ()

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return "".join(text for text, _ in self.runs)

    @property
    def width(self) -> int:
        """The cells that it takes."""
        return cell_len(self.plain)

    def __str__(self) -> str:
        return self.plain

    def __len__(self) -> int:
        return sum(len(text) for text, _ in self.runs)

    def __add__(self, more: Styled | str | Run) -> Styled:
        return styled(self, more)

    def __getitem__(self, part: slice) -> Styled:
        start, stop, _ = part.indices(len(self))
        kept: list[Run] = []
        for text, style in self.runs:
            kept.append((text[max(start, 0) : max(stop, 0)], style))
            start, stop = start - len(text), stop - len(text)
        return styled(*kept)

    def with_style(self, style: str, start: int = 0, stop: int | None = None) -> Styled:
        """Return it with another style on top of what some of its characters have."""
        stop = len(self) if stop is None else stop
        marked = ((text, f"{below} {style}".strip()) for text, below in self[start:stop].runs)
        return styled(self[:start], *marked, self[stop:])

    def wrap(self, width: int) -> list[Styled]:
        """Return lines of at most `width` cells, broken at blanks where there are some."""
        text = self.plain
        lines = []
        for start, stop in pairwise((0, *_breaks(text, width), len(text))):
            shown = start + len(text[start:stop].rstrip())
            while stop > shown and (over := cell_len(text[start:stop]) - width) > 0:
                stop -= min(stop - shown, max(1, over // 2))  # no blank takes more than two cells
            lines.append(self[start:stop])
        return lines


Cell = Styled | str
"""A text for one line, printable."""


def styled(*pieces: Cell | Run) -> Styled:
    """Return pieces as one text; a string has no style."""
    runs: list[Run] = []
    for piece in pieces:
        if isinstance(piece, Styled):
            runs += piece.runs
        else:
            runs.append((piece, "") if isinstance(piece, str) else piece)
    return Styled(tuple(run for run in runs if run[0]))


def cell_len(text: str) -> int:
    """Return the cells that printable text takes: two for a wide character, none for a combining
    one (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    if _JOINER not in text and _EMOJI not in text:
        return sum(map(_cells, text))
    total, before, joined = 0, "", False
    for character in text:
        if joined:
            joined = False
        elif character == _JOINER:
            joined = True
        elif character == _EMOJI:
            total += before != "" and _may_be_emoji(before)
            before = ""
        elif cells := _cells(character):
            total, before = total + cells, character
    return total


@lru_cache(maxsize=4096)
def _cells(character: str) -> int:
    kind = category(character)
    if kind in ("Mn", "Me", "Mc", "Cc") or _is_joined(character):
        return 0
    if kind == "Cf":
        return int(character in _FORMAT_WIDE)
    return 2 if kind != "Cn" and east_asian_width(character) in "WF" else 1


def _is_joined(character: str) -> bool:
    """Return whether it is a vowel or final of Hangul, drawn into the syllable before it."""
    return "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"


def _may_be_emoji(character: str) -> bool:
    return _cells(character) == 1 and (
        category(character) in ("So", "Sm") or character in "#*0123456789‼⁉ℹ"
    )


_WORD = re.compile(r"\s*\S+\s*|\s+")
"""A word with the blanks around it; blanks alone are taken at once, not tried from each of them."""


def _breaks(text: str, width: int) -> Iterator[int]:
    """Yield where lines begin, but the first: a word that has no room goes to the next line, one
    that fits on no line is broken."""
    used = 0
    for word in _WORD.finditer(text):
        start, bare = word.start(), cell_len(word[0].rstrip())
        if bare <= width - used:
            used += cell_len(word[0])
            continue
        if start:
            yield start
        used = cell_len(word[0]) if bare <= width else 0
        for place in range(start, word.end()) if bare > width else ():
            cells = _cells(text[place])
            if used + cells > width:
                yield place
                used = 0
            used += cells
