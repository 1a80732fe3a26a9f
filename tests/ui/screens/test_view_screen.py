"""One run of bytes in full: text, bytes, search, secrets, the pager."""

from __future__ import annotations

import io
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from demo import screen_text
from driving import UI, press, settle

from ckpt_tui.core.window import BytesWindow
from ckpt_tui.ui import pager
from ckpt_tui.ui.saving import proposed_name
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.hex_view import HexView

HOSTILE = b"[kthreadd] [red]x[/] a\x1b]0;PWN\x07b\x1b[31mc\xe2\x80\xae\n"


class ViewDemo(ThemedApp[None]):
    CSS_PATH = UI / "app.tcss"

    def __init__(self, name: str, data: bytes) -> None:
        super().__init__()
        self._view = ViewScreen(name, BytesWindow(data))

    def on_mount(self) -> None:
        self.push_screen(self._view)


async def test_text_is_shown_with_line_numbers_and_harmless() -> None:
    app = ViewDemo("/tmp/\x1b[2Jname", b"first\n" + HOSTILE + b"x" * 200)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert all(line.isprintable() for line in text.split("\n"))
        assert "2  [kthreadd] [red]x[/] a\\x1b]0;PWN\\x07b" in text
        assert "\\x1b[2Jname" in text


async def test_other_bytes_are_shown_in_hexadecimal() -> None:
    app = ViewDemo("x", b"\x7fELF\0\0\0" * 10)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        assert "7f 45 4c 46" in screen_text(app)
        await press(pilot, "x")
        assert "7f 45 4c 46" in screen_text(app)


async def test_no_bytes_are_said_in_words() -> None:
    app = ViewDemo("x", b"")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "It has no bytes." in screen_text(app)
        assert app.screen.check_action("save", ()) is False


async def test_search_in_text_and_in_bytes() -> None:
    app = ViewDemo("x", b"".join(b"line %d\n" % n for n in range(200)))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "slash", "text:line 150", "enter")
        assert "151  line 150" in screen_text(app)
        await press(pilot, "x", "slash", "text:line 199", "enter")
        assert app.screen.query_one(HexView).place == sum(len(b"line %d\n" % n) for n in range(199))


async def test_secrets_are_covered_until_r() -> None:
    app = ViewDemo("x", b"API_TOKEN=abcdef\n")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "API_TOKEN=••••••" in screen_text(app)
        await press(pilot, "x")
        await settle(pilot)
        assert "abcdef" not in screen_text(app)
        assert "API_TOKEN=••••••" in screen_text(app).replace("\n", "")
        await press(pilot, "r")
        assert "API_TOKEN=abcdef" in screen_text(app)
        assert "61 62 63 64 65 66" in screen_text(app)
        await press(pilot, "x")
        assert "API_TOKEN=abcdef" in screen_text(app)


async def test_only_the_beginning_of_a_long_text_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ckpt_tui.ui.screens.view.MAX_TEXT", 100)
    app = ViewDemo("x", b"line\n" * 100)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "only the beginning is shown as text" in screen_text(app)


async def test_the_pager_gets_harmless_lines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    got: list[str] = []

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def run(command: list[str], check: bool) -> None:
        got.extend([command[0], Path(command[-1]).read_text()])

    app = ViewDemo("x", HOSTILE + b"token=abc\n" + b"-" * 70)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "v")
        assert not got
        monkeypatch.setattr(sys, "__stdin__", Terminal())
        monkeypatch.setattr(pager.subprocess, "run", run)
        monkeypatch.setattr(app, "suspend", nullcontext)
        monkeypatch.setenv("PAGER", "mypager -R")
        await press(pilot, "v")
    assert got[0] == "mypager"
    assert (
        got[1]
        == "[kthreadd] [red]x[/] a\\x1b]0;PWN\\x07b\\x1b[31mc\\u202e\ntoken=••••••\n"
        + "-" * 70
        + "\n"
    )


@pytest.mark.parametrize(
    ("name", "proposed"),
    [
        ("/tmp/ghost", "ghost"),
        ("../../.bashrc", "bashrc"),
        ("a b;rm -rf $HOME", "a-b-rm--rf--HOME"),
        ("\x1b[2J", "x1b-2J"),
        ("/", "bytes"),
    ],
)
def test_the_proposed_name_is_harmless(name: str, proposed: str) -> None:
    assert proposed_name(name) == proposed
