"""A few of the faults of `faults.py`, which tries all of them."""

from __future__ import annotations

import shutil
from itertools import islice

import pytest
from faults import Scene, all_writes, failed_write, random_signals, signalled

EVERY = 47
"""Of all writes that may fail, one of so many is tried."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    if shutil.which("gcc") is None:
        pytest.skip("There is no gcc.")
    return Scene(tmp_path_factory.mktemp("faults"))


def test_a_write_that_fails_leaves_nothing(scene: Scene) -> None:
    cases = [*all_writes(scene)]
    assert len(cases) > 100
    for case in cases[::EVERY]:
        failed_write(scene, *case)


def test_a_signal_at_any_moment_leaves_nothing(scene: Scene) -> None:
    for case in islice(random_signals(scene, 1), 8):
        signalled(scene, *case)
