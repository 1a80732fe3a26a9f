"""Numbers by an id: rising, again, out of order; things made when they are asked for."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

from ckpt_tui.checkpoint.slots import Slots, Some


@pytest.mark.parametrize("seed", range(5))
def test_every_number_of_an_id_is_found_in_order(seed: int) -> None:
    chance = random.Random(seed)
    slots, expected = Slots(), defaultdict(list)
    for number in range(500):
        key = chance.choice((number, chance.randrange(-50, 300)))
        assert slots.add(key, number) == (key not in expected)
        expected[key].append(number)
    for key in range(-60, 600):
        assert list(slots.of(key)) == expected.get(key, [])
        assert slots.last(key) == (expected[key][-1] if key in expected else None)


def test_some_things_are_made_when_asked_for() -> None:
    made = []
    some = Some(lambda number: made.append(number) or number * 10, [3, 1, 4])
    assert len(some) == 3
    assert some[1:][0] == 10
    assert made == [1]
    assert list(some) == [30, 10, 40]
    assert some == (30, 10, 40)
    assert some != (30, 10)
    assert some != 7
