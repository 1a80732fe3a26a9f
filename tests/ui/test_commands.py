"""The table of commands: no key twice, nothing unreadable, everything reachable."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from demo import screen_text
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.screen import Screen

from ckpt_tui.ui.commands import (
    BROWSER,
    CHECKPOINT,
    COMMANDS,
    CONVERT,
    SCREENS,
    bindings_for,
    commands_for,
    help_text,
    key_line_for,
    palette,
)
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.key_line import MOST, Key, KeyLine, chosen


@pytest.mark.parametrize("screen", SCREENS)
def test_no_key_means_two_things_on_one_screen(screen: str) -> None:
    keys = Counter(key for c in commands_for(screen) for key in c.keys.split(","))
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_can_be_left_and_explains_itself(screen: str) -> None:
    keys = {key for c in commands_for(screen) for key in c.keys.split(",")}
    assert {"escape", "q", "?", ":"} <= keys


def test_ids_are_unique_and_keys_reach_every_terminal() -> None:
    assert len({c.id for c in COMMANDS}) == len(COMMANDS)
    confused = {"ctrl+m", "ctrl+i", "ctrl+h", "ctrl+[", "shift+enter"}
    assert not confused & {key for c in COMMANDS for key in c.keys.split(",")}
    assert all(set(c.screens) <= set(SCREENS) for c in COMMANDS)


@pytest.mark.parametrize("screen", SCREENS)
def test_bindings_carry_what_keymap_and_tooltips_need(screen: str) -> None:
    bindings = bindings_for(screen)
    assert [b.id for b in bindings] == [c.id for c in commands_for(screen)]
    assert all(b.tooltip and b.description for b in bindings)


@pytest.mark.parametrize("screen", SCREENS)
def test_the_key_line_fits_80_columns_with_every_key(screen: str) -> None:
    keys = [Key(c.shown_key, c.footer) for c in key_line_for(screen)]
    assert keys[-1] == Key("?", "help")
    # a tab of a checkpoint hides what does nothing in it, a result what belongs to the plan
    assert len(keys) <= MOST + 1 or screen in (CHECKPOINT, CONVERT)
    assert len(chosen(keys, 78)) == min(len(keys), MOST)


@pytest.mark.parametrize("width", range(4, 80, 5))
def test_a_narrow_key_line_drops_whole_keys_and_keeps_help(width: int) -> None:
    keys = [Key("enter", "open"), Key("space", "mark to compare"), Key("/", "x"), Key("?", "help")]
    kept = chosen(keys, width)
    assert sum(k.width for k in kept) + 3 * max(0, len(kept) - 1) <= width
    if width > 6:
        assert kept[-1] == keys[-1]


@pytest.mark.parametrize("screen", SCREENS)
def test_help_has_every_command_on_lines_of_80_cells(screen: str) -> None:
    text = help_text(screen)
    assert max(cell_len(line) for line in text.split("\n")) <= 80
    assert {line[11:12] for line in text.split("\n")} == {" "}, "titles stand below each other"
    for command in commands_for(screen):
        assert command.id.startswith("tab-") or command.title in text


@pytest.mark.parametrize("screen", SCREENS)
def test_help_promises_next_match_only_where_there_is_one(screen: str) -> None:
    ids = {c.id for c in commands_for(screen)}
    assert ("n and N step" in help_text(screen)) == ({"next", "previous"} <= ids)


class Desk(Screen[None]):
    BINDINGS = [*bindings_for(BROWSER)]  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def compose(self) -> ComposeResult:
        yield KeyLine(BROWSER, {"convert": "x"})

    def action_open(self) -> None:
        self.done.append("open")

    def action_convert(self) -> None:
        self.done.append("convert")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return {"mark": False, "diagnose": None}.get(action, True)


class Office(ThemedApp[None]):
    def on_mount(self) -> None:
        self.push_screen(Desk())


async def test_the_key_line_obeys_the_screen_and_takes_clicks() -> None:
    app = Office()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        last = screen_text(app).split("\n")[-1]
        assert last.strip() == "enter open   x convert   d diagnose   p copy to   / search   ? help"
        await pilot.click(KeyLine, offset=(3, 0))
        await pilot.click(KeyLine, offset=(last.index("diagnose"), 0))
        await pilot.click(KeyLine, offset=(last.index("convert"), 0))
        screen = app.screen
        assert isinstance(screen, Desk)
        assert screen.done == ["open", "convert"]


async def test_the_palette_runs_what_the_screen_allows() -> None:
    app = Office()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, Desk)
        offered = {command.title: command for command in palette(BROWSER, screen)}
        assert "Mark to compare" not in offered
        assert "Diagnose" not in offered
        await offered["Open"].callback()
        assert screen.done == ["open"]


async def test_a_users_keymap_names_commands_by_id() -> None:
    app = Office()
    async with app.run_test(size=(80, 24)) as pilot:
        app.set_keymap({"convert": "x"})
        await pilot.press("c", "x")
        screen = app.screen
        assert isinstance(screen, Desk)
        assert screen.done == ["convert"]


def lines(screen_name: str) -> Any:
    class Bare(Screen[None]):
        def compose(self) -> ComposeResult:
            yield KeyLine(screen_name)

    class Shown(ThemedApp[None]):
        def on_mount(self) -> None:
            self.push_screen(Bare())

    return Shown()


def test_key_line_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(lines(BROWSER), terminal_size=(80, 24))


def test_key_line_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(lines(CHECKPOINT), terminal_size=(120, 40))
