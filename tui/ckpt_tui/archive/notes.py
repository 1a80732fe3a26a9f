"""Notes on what was odd about a tree, collected without growing with the damage."""

from __future__ import annotations

MAX_NOTES = 200
"""Notes kept; a hostile archive could have one per member. The rest is counted."""


class Notes:
    """A list of sentences with a limit."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._left_out = 0

    def add(self, sentence: str) -> None:
        if len(self._kept) < MAX_NOTES:
            self._kept.append(sentence)
        else:
            self._left_out += 1

    def __call__(self) -> tuple[str, ...]:
        """Return the notes, the last of which tells how many were left out."""
        more = (f"{self._left_out:,} more notes were left out.",) if self._left_out else ()
        return (*self._kept, *more)
