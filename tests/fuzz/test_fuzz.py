"""A few inputs for each reader, always the same ones; `run.py` feeds more."""

from __future__ import annotations

from itertools import islice

import pytest
from readers import READERS
from run import answer_of, first_inputs, inputs

SOME = 150
SLOW_READERS = {"model": 5, "image": 60, "answer": 30}


@pytest.mark.parametrize("name", READERS)
def test_real_and_kept_inputs_are_read_or_refused(name: str) -> None:
    reader = READERS[name]
    if name != "model":
        answers = [answer_of(reader, data) for data in first_inputs(name)]
        assert "" in answers


@pytest.mark.parametrize("name", READERS)
def test_damaged_inputs_are_read_or_refused(name: str) -> None:
    reader = READERS[name]
    fed = inputs(name, 0, lambda data: answer_of(reader, data))
    count = SLOW_READERS.get(name, SOME)
    assert len([*islice(fed, count)]) == count


def test_the_inputs_of_a_seed_are_the_same_each_time() -> None:
    first = [*islice(inputs("frames", 7, lambda data: ""), 20)]
    assert first == [*islice(inputs("frames", 7, lambda data: ""), 20)]
    assert first != [*islice(inputs("frames", 8, lambda data: ""), 20)]
