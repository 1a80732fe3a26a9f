"""The layout of a treemap: whole cells, no gaps, sizes that are true."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_tui.views.treemap import Tile, kept_apart, neighbour, tiles

AMOUNTS = st.lists(st.integers(1, 1 << 40), min_size=1, max_size=80).map(
    lambda found: sorted(found, reverse=True)
)


def cells(tile: Tile) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(tile.x, tile.x + tile.width)
        for y in range(tile.y, tile.y + tile.height)
    }


@settings(deadline=None)
@given(AMOUNTS, st.integers(1, 120), st.integers(1, 40))
def test_tiles_cover_every_cell_once(amounts: list[int], width: int, height: int) -> None:
    seen: set[tuple[int, int]] = set()
    for tile in tiles(amounts, width, height):
        own = cells(tile)
        assert not own & seen
        seen |= own
    assert len(seen) == width * height


def test_areas_are_shares() -> None:
    half, quarter, other = tiles([50, 25, 25], 40, 10)
    assert half.width * half.height == 200
    assert quarter.width * quarter.height == other.width * other.height == 100


def test_small_parts_share_one_tile() -> None:
    assert kept_apart([1000, 1, 1, 1], 40, 10) == 1
    assert kept_apart([10, 10], 40, 10) == 2
    assert kept_apart([1000, 1], 40, 10) == 2, "one alone needs no tile for the rest"
    assert kept_apart([], 40, 10) == 0


def test_nothing_and_no_room_are_no_tiles() -> None:
    assert tiles([], 10, 10) == []
    assert tiles([5], 0, 10) == [Tile(0, 0, 0, 0)]


def test_arrows_lead_to_the_tile_beside() -> None:
    left, right, below = Tile(0, 0, 10, 4), Tile(10, 0, 10, 4), Tile(0, 4, 20, 4)
    found = [left, right, below]
    assert neighbour(found, 0, 1, 0) == 1
    assert neighbour(found, 1, -1, 0) == 0
    assert neighbour(found, 1, 0, 1) == 2
    assert neighbour(found, 0, -1, 0) == 0, "nothing is there"


def test_a_tile_without_cells_is_never_reached() -> None:
    assert neighbour([Tile(0, 0, 5, 5), Tile(5, 0, 0, 5), Tile(5, 0, 5, 5)], 0, 1, 0) == 2
