"""A treemap: areas of a rectangle of cells that are as large as their shares of the whole.

The squarified layout of Bruls, Huizing and van Wijk (2000): rows along the shorter side, each
filled as long as its tiles get squarer. A cell is twice as high as wide, so lengths count so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CELL_HEIGHT = 2.0
"""Height of a cell in widths of a cell."""

LEAST_AREA = 12.0
"""Cells below which a tile cannot be read: the smallest ones become one together."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Cells of one share: `x`, `y` its left upper one."""

    x: int
    y: int
    width: int
    height: int

    def holds(self, x: int, y: int) -> bool:
        """Return whether a cell is in it."""
        return self.x <= x < self.x + self.width and self.y <= y < self.y + self.height


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float
    height: float


def kept_apart(amounts: Sequence[int], width: int, height: int, more: int = 0) -> int:
    """Return how many of `amounts`, largest first, get a tile of their own; the rest share one,
    with `more` that are smaller still."""
    total = sum(amounts) + more
    if total <= 0 or width <= 0 or height <= 0:
        return 0
    least = total * LEAST_AREA / (width * height)
    count = next((i for i, amount in enumerate(amounts) if amount < least), len(amounts))
    alone = len(amounts) - count == 1 and not more  # it would have the shared tile for itself
    return len(amounts) if alone else max(1, count)


def tiles(amounts: Sequence[int], width: int, height: int) -> list[Tile]:
    """Return a tile for each of `amounts`, which are positive and descending (a last one that
    stands for a rest may be larger). Together they cover `width` by `height` cells, without gaps.
    """
    total = sum(amounts)
    if total <= 0 or width <= 0 or height <= 0:
        return [Tile(0, 0, 0, 0) for _ in amounts]
    box = _Box(0.0, 0.0, float(width), height * CELL_HEIGHT)
    scale = box.width * box.height / total
    areas = [amount * scale for amount in amounts]
    return [_on_cells(box) for box in _squarified(areas, box)]


def _on_cells(box: _Box) -> Tile:
    """Round the edges, not the lengths: neighbours share an edge, so no cell is left over."""
    left, right = round(box.x), round(box.x + box.width)
    top = round(box.y / CELL_HEIGHT)
    bottom = round((box.y + box.height) / CELL_HEIGHT)
    return Tile(left, top, right - left, bottom - top)


def _squarified(areas: Sequence[float], box: _Box) -> Iterator[_Box]:
    at = 0
    while at < len(areas):
        side = min(box.width, box.height)
        end = at + 1
        total = areas[at]
        while end < len(areas):
            grown = total + areas[end]
            if _worst(areas[at : end + 1], grown, side) > _worst(areas[at:end], total, side):
                break
            total, end = grown, end + 1
        last = end == len(areas)
        yield from _row(areas[at:end], total, box, last)
        box = _rest(box, total)
        at = end


def _worst(row: Sequence[float], total: float, side: float) -> float:
    """Return how far from a square the worst tile of a row is."""
    if not total or not side:
        return float("inf")
    thickness = total / side
    smallest, largest = min(row) / thickness, max(row) / thickness
    if not smallest:
        return float("inf")
    return max(largest / thickness, thickness / smallest)


def _turned(box: _Box) -> _Box:
    """Return a box mirrored at the diagonal: what is wide becomes high."""
    return _Box(box.y, box.x, box.height, box.width)


def _row(row: Sequence[float], total: float, box: _Box, last: bool) -> Iterator[_Box]:
    """Yield the tiles of a row along the shorter side of what is left."""
    if box.width < box.height:
        yield from map(_turned, _row(row, total, _turned(box), last))
        return
    thickness = box.width if last else total / box.height if box.height else 0.0
    done = 0.0
    for area in row:
        start, done = done, done + area
        low, high = box.height * start / total, box.height * done / total
        yield _Box(box.x, box.y + low, thickness, high - low)


def _rest(box: _Box, total: float) -> _Box:
    if box.width < box.height:
        return _turned(_rest(_turned(box), total))
    taken = min(total / box.height if box.height else 0.0, box.width)
    return _Box(box.x + taken, box.y, box.width - taken, box.height)


def neighbour(tiles: Sequence[Tile], index: int, dx: int, dy: int) -> int:
    """Return the tile that an arrow key leads to; the same one at the edge.

    The next one that has cells beside this one, of several the one whose middle is nearest.
    """
    ways = {
        number: _way(tiles[index], tile, dx, dy)
        for number, tile in enumerate(tiles)
        if number != index and tile.width and tile.height
    }
    ahead = [number for number, (gap, _) in ways.items() if gap >= 0]
    return min(ahead, key=ways.__getitem__, default=index)


def _way(here: Tile, there: Tile, dx: int, dy: int) -> tuple[float, float]:
    """Return the distance in the direction, negative if it lies elsewhere, and the one aside."""
    if dy:
        here, there = _mirrored(here), _mirrored(there)
    ahead = dx + dy > 0
    gap = there.x - here.x - here.width if ahead else here.x - there.x - there.width
    beside = there.y < here.y + here.height and here.y < there.y + there.height
    aside = abs(there.y + there.height / 2 - here.y - here.height / 2)
    return (gap, aside) if beside else (-1, aside)


def _mirrored(tile: Tile) -> Tile:
    return Tile(tile.y, tile.x, tile.height, tile.width)
