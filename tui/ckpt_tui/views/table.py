"""Rows of a table: where they come from, how they are filtered and sorted, how cells fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

from ckpt_tui.checkpoint.ref import Kind, Ref
from ckpt_tui.core.styled import Cell, cell_len, styled

GAP = 2
"""Cells between two columns."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `width` 0 means that it shares what the others leave."""

    title: str
    width: int = 0
    """Cells."""
    share: int = 1
    """Weight among the columns without a width."""
    least: int = 14
    """Cells below which such a column is useless: before that, optional ones go."""
    align: Literal["left", "right"] = "left"
    shrink: Literal["end", "middle"] = "end"
    """Where a cell that is too long is cut; `middle` for paths and digests."""
    largest_first: bool = False
    """Sizes: a list is sorted by them first, the largest at the top."""
    optional: bool = False
    """Left out where there is no room, the last one first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    key: Hashable
    """What the row stands for; stays the same when rows are sorted or filtered."""
    cells: tuple[Cell, ...]
    values: tuple[Any, ...] = ()
    """What each column sorts by, where the text of its cell would mislead (sizes, times)."""
    meaning: str = ""
    """Style of the whole line: `muted` for a row that is there but does not count."""


def row_of(key: Hashable, *columns: str | int | tuple[Cell, object], meaning: str = "") -> Row:
    """Return a row: of each column what is shown, which is what it sorts by too, or a pair of
    both."""
    pairs = [c if isinstance(c, tuple) else (str(c), c) for c in columns]
    cells, values = tuple(cell for cell, _ in pairs), tuple(value for _, value in pairs)
    return Row(key, cells, values, meaning)


class RowSource(Protocol):
    """Where a table gets its rows from, one at a time, as they come into view."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Row: ...

    def index_of(self, key: Hashable, /) -> int | None:
        """Return where the row of this key is, or None."""


class ListRows:
    """Rows that exist already: a few thousand at most."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int, /) -> Row:
        return self.rows[index]

    def index_of(self, key: Hashable, /) -> int | None:
        return next((i for i, row in enumerate(self.rows) if row.key == key), None)


T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
KeyT = TypeVar("KeyT", bound=Hashable)


class LazyRows(Generic[KeyT]):
    """Rows made when they are seen: `keys` are usually indexes into the model, in the order shown.

    A million rows are `LazyRows(range(1_000_000), row_of)`. Rows whose `Row.key` is not their
    element of `keys` need `number_of`, which returns the element of a key.
    """

    def __init__(
        self,
        keys: Sequence[KeyT],
        row_of: Callable[[KeyT], Row],
        number_of: Callable[[Hashable], KeyT | None] | None = None,
    ) -> None:
        self.keys = keys
        self._row_of = row_of
        self._number_of = number_of

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int, /) -> Row:
        return self._row_of(self.keys[index])

    def __iter__(self) -> Iterator[Row]:
        return map(self._row_of, self.keys)

    def index_of(self, key: Hashable, /) -> int | None:
        try:
            return self.keys.index(self._number_of(key) if self._number_of else key)
        except ValueError:
            return None


class TreeRows(LazyRows[KeyT]):
    """Rows of a tree."""

    def __init__(
        self,
        keys: Sequence[KeyT],
        row_of: Callable[[KeyT], Row],
        flat: RowSource,
        number_of: Callable[[Hashable], KeyT | None] | None = None,
    ) -> None:
        super().__init__(keys, row_of, number_of)
        self.flat = flat
        """The same without branches and indentation: what is sorted."""


def by_ref(
    kind: Kind, number_of: Callable[[tuple[Any, ...]], int | None]
) -> Callable[[Hashable], int | None]:
    """Return what finds the number of a row by the `Ref` that is its key."""
    return lambda key: number_of(key.ids) if isinstance(key, Ref) and key.kind == kind else None


def tree_order(
    things: Sequence[T], key_of: Callable[[T], K], above: Callable[[T], K]
) -> Iterator[tuple[int, T]]:
    """Yield depth and thing, each below the one above it, else in their order. One whose upper one
    is missing, or that lies below itself in a damaged image, stands at the root."""
    known = {key_of(thing) for thing in things}
    children: dict[K, list[T]] = defaultdict(list)
    roots: list[T] = []
    for thing in things:
        is_below = above(thing) in known and above(thing) != key_of(thing)
        (children[above(thing)] if is_below else roots).append(thing)
    seen: set[K] = set()
    for start in (*roots, *things):
        stack = [(0, start)]
        while stack:
            depth, thing = stack.pop()
            if key_of(thing) not in seen:
                seen.add(key_of(thing))
                yield depth, thing
                stack += [(depth + 1, below) for below in reversed(children[key_of(thing)])]


def plain(cell: Cell) -> str:
    """Return the text of a cell without its styles."""
    return cell if isinstance(cell, str) else cell.plain


def row_texts(row: Row) -> list[str]:
    """Return the texts of the cells."""
    return [plain(cell).strip() for cell in row.cells]


def matcher(needle: str) -> Callable[[str], bool]:
    """Return a test whether a text has every word of `needle`; capitals make it exact."""
    words = needle.split()
    if needle != needle.lower():
        return lambda text: all(word in text for word in words)
    return lambda text: all(word in text.lower() for word in words)


def row_text(row: Row) -> str:
    """Return what filters and searches look at: the cells, a line each."""
    return "\n".join(map(plain, row.cells))


Rank = tuple[bool, Any]
"""Whether it is text, and the value: words sort behind numbers."""

ABSENT: Rank = (True, "")


def rank(row: Row, column: int) -> Rank | None:
    """Return what a row sorts by: its value if it has some, else its text in any case; None for
    one without a value, which comes last."""
    if column >= len(row.values):
        return True, plain(row.cells[column]).casefold()
    value = row.values[column]
    return None if value is None else (isinstance(value, str), value)


def sort_ranks(ranks: Sequence[Rank | None], numbers: Sequence[int], descending: bool) -> list[int]:
    """Return `numbers` in the order of their `ranks`, those without one last."""
    order = [i for i, found in enumerate(ranks) if found is not None]
    absent = [i for i, found in enumerate(ranks) if found is None]
    order.sort(key=lambda i: ranks[i] or ABSENT, reverse=descending)
    return [numbers[i] for i in (*order, *absent)]


def column_widths(columns: Sequence[Column], available: int) -> tuple[int, ...]:
    """Return the width of each column in cells; 0 for one that is left out.

    Columns that are optional go first; if that is not enough all shrink alike.
    """
    shown = list(range(len(columns)))

    def needed() -> int:
        least = sum(columns[i].width or columns[i].least for i in shown)
        return least + GAP * max(0, len(shown) - 1)

    for index in reversed(range(len(columns))):
        if needed() > available and columns[index].optional:
            shown.remove(index)
    widths = [0] * len(columns)
    room = max(0, available - GAP * max(0, len(shown) - 1))
    fixed = sum(columns[i].width for i in shown)
    shares = [i for i in shown if not columns[i].width]
    if needed() > available:
        least = sum(columns[i].width or columns[i].least for i in shown)
        for i in shown:
            widths[i] = (columns[i].width or columns[i].least) * room // max(1, least)
        return tuple(widths)
    left, weight = room - fixed, sum(columns[i].share for i in shares)
    for i in shown:
        widths[i] = columns[i].width
    for i in shares:
        widths[i] = left * columns[i].share // weight
        left, weight = left - widths[i], weight - columns[i].share
    return tuple(widths)


def _longest(text: str, room: int, from_end: bool) -> int:
    """Return how many characters from one end of `text` fit into `room` cells."""
    count = min(room, len(text))
    while count and cell_len(text[-count:] if from_end else text[:count]) > room:
        count -= 1
    return count


def fit(cell: Cell, width: int, align: str = "left", shrink: str = "end") -> Cell:
    """Return the cell exactly `width` cells wide: padded, or cut with an ellipsis.

    Costs no more for a text of a megabyte than for a short one.
    """
    text = plain(cell)
    if width <= 0:
        return ""
    # A character has at most two cells, most have one; what is far longer is not measured.
    used = cell_len(text) if len(text) <= 4 * width else 4 * width
    if used > width:
        tail_room = (width - 1) // 2 if shrink == "middle" else 0
        head = _longest(text, width - 1 - tail_room, from_end=False)
        tail = _longest(text, tail_room, from_end=True)
        cell = _join(cell[:head], "…", cell[len(text) - tail :])
        used = cell_len(plain(cell))
    padding = " " * (width - used)
    return _join(padding, cell) if align == "right" else _join(cell, padding)


def _join(*pieces: Cell) -> Cell:
    words = [piece for piece in pieces if isinstance(piece, str)]
    return "".join(words) if len(words) == len(pieces) else styled(*pieces)
