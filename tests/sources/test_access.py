from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.sources.access import (
    Access,
    KnownRegistry,
    access_for,
    choose_access,
    forget,
    is_loopback,
    known_registries,
    remember,
)


@pytest.fixture(autouse=True)
def _nothing_chosen() -> Iterator[None]:
    yield
    choose_access(None)


def test_registries_are_remembered_with_their_settings(own_home: Path) -> None:
    remember(KnownRegistry("a.example"))
    remember(KnownRegistry("b.example:5000", Access(ca_file="/etc/ca.pem")))
    remember(KnownRegistry("a.example", Access(tls_verify=False)))
    assert [one.host for one in known_registries()] == ["b.example:5000", "a.example"]
    assert access_for("a.example") == Access(tls_verify=False)
    forget("a.example")
    assert access_for("a.example") == Access()
    assert [p.name for p in (own_home / ".config/ckpt-tui").iterdir()] == ["registries.json"]


def test_what_the_call_says_goes_first() -> None:
    remember(KnownRegistry("a.example", Access(ca_file="/etc/ca.pem")))
    choose_access(Access(tls_verify=False))
    assert access_for("a.example") == Access(tls_verify=False)


@pytest.mark.parametrize("content", ["{", "[]", '{"registries": 3}'])
def test_a_damaged_file_is_an_error_that_names_it(own_home: Path, content: str) -> None:
    path = own_home / ".config/ckpt-tui/registries.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(CkptError, match=r"registries\.json"):
        known_registries()


def test_entries_of_other_kinds_are_left_out(own_home: Path) -> None:
    path = own_home / ".config/ckpt-tui/registries.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"registries": [3, {"host": 3}, {"host": "a.example", "tls_verify": "x"}]}')
    assert known_registries() == (KnownRegistry("a.example"),)


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5000", "127.0.0.1:1", "127.8.8.8", "[::1]:5"]
)
def test_this_machine_is_the_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["localhost.example", "10.0.0.1", "[::2]", "example", "127.0.0.1.example"]
)
def test_other_hosts_are_not(host: str) -> None:
    assert not is_loopback(host)
