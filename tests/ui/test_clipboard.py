"""Copying: through tmux where it runs, else by the terminal, never a hidden character."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from demo import HOSTILE
from textual.widgets import Static

from ckpt_tui.ui.clipboard import MOST, send_to_clipboard
from ckpt_tui.ui.theme import ThemedApp


class Told(ThemedApp[None]):
    """Keeps what it said and what it sent by OSC 52."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.sent: list[str] = []

    def notify(self, message: str, **options: Any) -> None:
        assert options.get("markup") is False
        self.said.append(message)

    def copy_to_clipboard(self, text: str) -> None:
        text.encode()
        self.sent.append(text)

    def compose(self) -> Any:
        yield Static()


async def send(text: str) -> tuple[Told, bool]:
    app = Told()
    async with app.run_test():
        return app, await send_to_clipboard(app, text, "the path")


async def test_text_goes_to_the_terminal() -> None:
    app, sent = await send("/a/b\n/c")
    assert sent
    assert app.sent == ["/a/b\n/c"]
    assert app.said == ["Sent to the clipboard: the path"]


async def test_hidden_characters_arrive_escaped() -> None:
    app, _ = await send("a\x1b]52;c;x\x07\r caf\udce9")
    assert app.sent == ["a\\x1b]52;c;x\\x07\\x0d caf\\xe9"]
    app, _ = await send(HOSTILE)
    assert app.sent == [HOSTILE]


async def test_too_much_is_refused_in_words() -> None:
    app, sent = await send("x" * (MOST + 1))
    assert not sent
    assert app.sent == []
    assert app.said == ["Too much for a clipboard, 48.0 KiB: the path. Nothing was sent."]


def stand_in(folder: Path, script: str) -> None:
    tmux = folder / "tmux"
    tmux.write_text(f"#!/bin/sh\n{script}\n")
    tmux.chmod(tmux.stat().st_mode | stat.S_IXUSR)


async def test_inside_tmux_tmux_takes_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, f'echo "$*" > {tmp_path}/call; cat > {tmp_path}/text')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    app, sent = await send("podman container restore --tcp-established")
    assert sent
    assert app.sent == []
    assert (tmp_path / "call").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "text").read_text() == "podman container restore --tcp-established"


@pytest.mark.parametrize("script", ["exit 1", ""])
async def test_a_tmux_that_fails_leaves_it_to_the_terminal(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script:
        stand_in(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    app, sent = await send("x")
    assert sent
    assert app.sent == ["x"]
