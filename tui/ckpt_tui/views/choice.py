"""Some rows of a source in another order: filtered, sorted, only those with a problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import merge

from ckpt_tui.core.progress import Progress
from ckpt_tui.views.table import (
    ABSENT,
    LazyRows,
    Rank,
    Row,
    RowSource,
    matcher,
    rank,
    row_text,
    sort_ranks,
)

MANY = 500
"""Rows above which making them all takes longer than a frame: that is a job's work."""

RUN = 5_000
"""Rows that are sorted at once."""


class ChosenRows(LazyRows[int]):
    """Rows of another source by their numbers in it; none is made before it is seen."""

    def __init__(self, source: RowSource, numbers: Sequence[int]) -> None:
        super().__init__(numbers, source.__getitem__, source.index_of)


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown of a list, and in which order."""

    needle: str = ""
    """Words that must all occur in a row."""
    column: int | None = None
    """Index of the column to sort by; None leaves the order alone."""
    descending: bool = False
    problems_only: bool = False

    def rows(
        self,
        source: RowSource,
        is_problem: Callable[[Row], bool],
        progress: Progress,
        seen: Callable[[RowSource], object] | None = None,
    ) -> RowSource:
        """Return the rows chosen; makes each row of the source once or twice. If they keep their
        order, `seen` gets those of a filter before the first is found: they grow.

        Raises:
            Cancelled: the caller gave up.
        """
        numbers: Sequence[int] = range(len(source))
        if self.needle.strip() or self.problems_only:
            kept: list[int] = []
            numbers = kept
            if seen is not None and self.column is None:
                seen(ChosenRows(source, kept))
            progress.start("filtering", len(source))
            matches = matcher(self.needle)
            for number in range(len(source)):
                row = source[number]
                if matches(row_text(row)) and (not self.problems_only or is_problem(row)):
                    kept.append(number)
                progress.tick()
        if self.column is not None:
            progress.start("sorting", len(numbers))
            ranks = []
            for number in numbers:
                ranks.append(rank(source[number], self.column))
                progress.tick()
            numbers = _sorted(ranks, numbers, self.descending, progress)
        return source if isinstance(numbers, range) else ChosenRows(source, numbers)


def _sorted(
    ranks: Sequence[Rank | None], numbers: Sequence[int], descending: bool, progress: Progress
) -> list[int]:
    """Return `numbers` in the order of their ranks. Many are sorted in runs that are then merged:
    a single sort would hold the interpreter, and with it the screen, until it is done."""
    if len(numbers) <= RUN:
        return sort_ranks(ranks, numbers, descending)
    there = [i for i, found in enumerate(ranks) if found is not None]
    runs = [
        sort_ranks([ranks[i] for i in there[at : at + RUN]], there[at : at + RUN], descending)
        for at in range(0, len(there), RUN)
    ]
    progress.start("merging", len(there))
    order = []
    for place in merge(*runs, key=lambda i: ranks[i] or ABSENT, reverse=descending):
        order.append(numbers[place])
        progress.tick()
    return order + [numbers[i] for i, found in enumerate(ranks) if found is None]


def find_row(
    rows: RowSource, needle: str, start: int, direction: int, progress: Progress
) -> int | None:
    """Return the number of the next row after `start` with every word of `needle`, going round at
    the ends; None if there is none."""
    progress.start("searching", len(rows))
    matches = matcher(needle)
    for step in range(1, len(rows) + 1):
        number = (start + direction * step) % len(rows)
        if matches(row_text(rows[number])):
            return number
        progress.tick()
    return None
