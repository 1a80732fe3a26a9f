"""Servers for the tests of registries."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fault_server import Clock, FaultServer


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    """A second one: another host, as far as a login is concerned."""
    made = FaultServer()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()
