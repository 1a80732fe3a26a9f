"""A link to a registry: how it is written, and what goes through it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ckpt_tui.core.errors import SourceUnreachable, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources import registry_session
from ckpt_tui.sources.link import Link, Road, choose_link, parse_link, reached_at
from ckpt_tui.sources.table import resolve
from fault_server import FaultServer
from served import legacy


@pytest.mark.parametrize(
    ("text", "link", "said"),
    [
        ("100Mbit,20ms", Link(100_000_000, 0.02), "100 Mbit/s, 20 ms"),
        ("2.5Gbit", Link(2_500_000_000), "2.5 Gbit/s, 0 ms"),
        (" 7ms ", Link(0, 0.007), "7 ms"),
        ("512kbit, 0ms", Link(512_000), "512 kbit/s, 0 ms"),
    ],
)
def test_how_it_is_written(text: str, link: Link, said: str) -> None:
    assert parse_link(text) == link
    assert str(link) == said


@pytest.mark.parametrize(
    "text", ["", "fast", "Mbit", "0Mbit", "1e9Mbit", "-1ms", "nanms", "20", "1.2.3ms", "11000ms"]
)
def test_how_it_is_not(text: str) -> None:
    with pytest.raises(UsageError, match="is not a link"):
        parse_link(text)


def test_bytes_wait_for_those_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    road = Road(Link(8_000, 0.5))
    assert [road.arrival(1000), road.arrival(500), road.arrival(0)] == [101.25, 101.75, 101.75]
    assert Road(Link(0, 0.5)).arrival(1 << 30) == 100.25


@pytest.fixture
def chosen() -> Iterator[None]:
    choose_link(Link(0, 0.001))
    yield
    choose_link(None)


@pytest.mark.usefixtures("chosen")
def test_a_registry_is_reached_through_it(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(host: str, port: int) -> tuple[str, int]:
        asked.append((f"{host}:{port}", reached_at(host, port)))
        return asked[-1][1]

    monkeypatch.setattr(registry_session, "reached_at", noted)
    resolve(legacy(server, "plain"), quiet()).close()
    assert {host for host, _ in asked} == {server.host}
    assert len({address for _, address in asked}) == 1
    assert asked[0][1] != ("127.0.0.1", int(server.host.rpartition(":")[2]))
    assert server.seen[-1].headers["Host"] == server.host


@pytest.mark.usefixtures("chosen")
def test_what_is_not_there_is_not_there_through_it() -> None:
    with pytest.raises(SourceUnreachable):
        resolve("docker://127.0.0.1:1/app:1", quiet())
