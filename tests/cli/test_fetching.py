"""What has to come over the wire first is said, and asked for where there is somebody to ask."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ran import Run

from ckpt_tui.cli import telling
from fault_server import FaultServer
from served import legacy

QUESTION = "must be downloaded before it can be read: "


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal, at which somebody says no."""
    questions: list[str] = []

    def confirm(text: str, **_: Any) -> bool:
        questions.append(text)
        return False

    monkeypatch.setattr(telling, "somebody_is_there", lambda: True)
    monkeypatch.setattr(telling.click, "confirm", confirm)
    return questions


@pytest.mark.parametrize("words", [("inspect", "--json"), ("images",), ("diagnose",)])
def test_without_a_terminal_the_size_is_said_and_the_work_goes_on(
    run: Run, server: FaultServer, words: tuple[str, ...]
) -> None:
    ran = run(*words, legacy(server, "gzip"))
    assert f"{QUESTION}3." in ran.err
    assert "MiB downloaded." in ran.err
    assert ran.out
    if "--json" in words:
        assert 3 << 20 < json.loads(ran.out)["transferred"] < 4 << 20


def test_somebody_who_says_no_gets_nothing_and_pays_nothing(
    run: Run, server: FaultServer, asked: list[str]
) -> None:
    ran = run("inspect", legacy(server, "gzip"))
    assert (ran.code, ran.out) == (130, "")
    assert len(asked) == 1
    assert QUESTION in asked[0]
    ranges = [seen.headers.get("Range") for seen in server.seen if "/blobs/" in seen.path]
    assert None not in ranges  # a few headers of it at most


def test_yes_asks_nobody(run: Run, server: FaultServer, asked: list[str]) -> None:
    ran = run("inspect", "--yes", legacy(server, "gzip"))
    assert ran.code == 0
    assert asked == []
    assert QUESTION in ran.err


def test_a_plain_layer_needs_no_question(run: Run, server: FaultServer, asked: list[str]) -> None:
    target = legacy(server, "plain")
    ran = run("inspect", target, "--json")
    assert ran.code == 0
    assert asked == []
    assert json.loads(ran.out)["transferred"] < 1 << 20
    blobs = [seen for seen in server.seen if "/blobs/" in seen.path]
    assert all("Range" in seen.headers for seen in blobs)


def commands(target: str) -> list[tuple[str, ...]]:
    return [
        ("compare", target, target),
        ("compare", target, target, target),
        ("convert", target, "--dry-run"),
        ("formats", target),
    ]


@pytest.mark.parametrize("which", range(4))
def test_comparing_and_converting_ask_as_well(
    run: Run, server: FaultServer, asked: list[str], which: int
) -> None:
    words = commands(legacy(server, "gzip"))[which]
    assert run(*words).code == 130
    assert len(asked) in (1, 2)  # the two sides of a comparison are opened side by side
    asked.clear()
    ran = run(*words, "--yes")
    assert asked == []
    assert QUESTION in ran.err


def test_a_measured_pull_says_the_link(run: Run, server: FaultServer) -> None:
    target = legacy(server, "gzip")
    pull = run("formats", target, "--measure", "--link", "1ms", "--json").document["pull"]
    assert pull["measured"]["link"] == "1 ms"
    assert pull["measured"]["received"] == pull["legacy"]["restore"] + len("{}")
    said = run("formats", target, "--measure", "--link", "1ms").out
    assert "over a link of 1 ms" in said
    assert "link" not in run("formats", target, "--measure").out
    assert run("formats", target, "--link", "fast").code == 2
