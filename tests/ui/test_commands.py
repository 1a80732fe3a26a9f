"""The table of commands: no key twice, nothing unreadable, everything reachable."""

from __future__ import annotations

import importlib
import inspect
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from driving import settle
from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import Binding
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.screen import Screen

from ckpt_tui.ui import screens
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.commands import (
    COMMANDS,
    EVERYWHERE,
    TAB_KEYS,
    UNUSABLE,
    bindings_of,
    bound,
    help_text,
    palette,
    shown_key,
    tab_bindings,
)
from ckpt_tui.ui.screens.table import SCREENS
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.key_line import Key, KeyLine, chosen

Parts = tuple[type[DOMNode], ...]

every_screen = pytest.mark.parametrize("parts", SCREENS, ids=lambda parts: parts[0].__name__)


def bound_on(parts: Parts) -> list[Binding]:
    """Return what is bound on a screen, in it and in its parts."""
    return [binding for part in parts for binding in bindings_of(part)]


@every_screen
def test_no_key_means_two_things_on_one_screen(parts: Parts) -> None:
    keys = {(key, b.id) for b in bound_on(parts) for key in b.key.split(",")}
    counted = Counter(key for key, _ in keys)
    assert [key for key, count in counted.items() if count > 1] == []


@every_screen
def test_every_screen_can_be_left_and_explains_itself(parts: Parts) -> None:
    keys = {key for b in bindings_of(parts[0]) for key in b.key.split(",")}
    assert {"escape", "q", "?"} <= keys
    assert {":", "ctrl+q"} <= {key for b in bindings_of(CkptApp) for key in b.key.split(",")}


def test_every_screen_with_a_name_is_in_the_table() -> None:
    folder = Path(str(inspect.getsourcefile(screens))).parent
    for file in folder.glob("*.py"):
        importlib.import_module(f"{screens.__name__}.{file.stem}")
    named = {kind for kind in _below(Screen) if "name_in_commands" in vars(kind)}
    ours = {kind for kind in named if kind.__module__.startswith("ckpt_tui.")}
    assert ours == {parts[0] for parts in SCREENS}


def _below(kind: type) -> set[type]:
    return {kind}.union(*(_below(below) for below in kind.__subclasses__()))


def test_ids_are_unique_and_keys_reach_every_terminal() -> None:
    assert len({c.id for c in COMMANDS}) == len(COMMANDS)
    confused = {"ctrl+m", "ctrl+i", "ctrl+h", "ctrl+[", "shift+enter"}
    assert not confused & {key for c in COMMANDS for key in c.keys.split(",")}


@every_screen
def test_every_binding_comes_from_the_table_and_is_explained(parts: Parts) -> None:
    known = {command.id for command in COMMANDS}
    for binding in bound_on(parts):
        assert binding.id in known or str(binding.id).startswith("tab-")
        assert binding.tooltip
        assert binding.description


def test_every_command_is_bound_somewhere() -> None:
    found = {binding.id for parts in SCREENS for binding in bound_on((*parts, CkptApp))}
    assert {command.id for command in COMMANDS} - found == set()


@every_screen
def test_every_binding_has_an_action(parts: Parts) -> None:
    for part in parts:
        for binding in bindings_of(part):
            name = binding.action.partition("(")[0]
            owner = CkptApp if name.startswith("app.") else part
            assert hasattr(owner, f"action_{name.removeprefix('app.')}"), (part, binding.id)


def test_tabs_have_keys_in_their_order() -> None:
    bindings = [b for b in tab_bindings(["Overview", "Files"]) if isinstance(b, Binding)]
    assert [(b.key, b.action, b.id) for b in bindings] == [
        ("1", "show_tab(1)", "tab-1"),
        ("2", "show_tab(2)", "tab-2"),
    ]
    assert len(set(TAB_KEYS)) == len(TAB_KEYS) == 10


@pytest.mark.parametrize("width", range(4, 80, 5))
def test_a_narrow_key_line_drops_whole_keys_and_keeps_help(width: int) -> None:
    keys = [Key("enter", "open"), Key("space", "mark to compare"), Key("/", "x"), Key("?", "help")]
    kept = chosen(keys, width)
    assert sum(k.width for k in kept) + 3 * max(0, len(kept) - 1) <= width
    if width > 6:
        assert kept[-1] == keys[-1]


class Desk(Screen[None]):
    BINDINGS = [  # noqa: RUF012
        *EVERYWHERE,
        *bound("open convert diagnose mark copy-image search-lines", "log"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def compose(self) -> ComposeResult:
        yield KeyLine()

    def action_open(self) -> None:
        self.done.append("open")

    def action_convert(self) -> None:
        self.done.append("convert")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return {"mark": False, "diagnose": None}.get(action, True)


class Office(ThemedApp[None]):
    BINDINGS = bound("", "quit palette", "quit")
    own_keys = {"convert": "x"}  # noqa: RUF012

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
        offered = {command.title: command for command in palette(screen)}
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


async def test_help_has_every_command_on_lines_of_80_cells() -> None:
    app = Office()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        text = help_text(app.screen)
        here, _, rest = text.partition(UNUSABLE)
        assert max(cell_len(line) for line in text.split("\n")) <= 80
        assert {line[11:12] for line in here.split("\n") if line} == {" "}, "titles are aligned"
        titles = {b.id: b.description for b in bindings_of(Desk)}
        for command_id, title in titles.items():
            assert (title in rest) == (command_id == "mark"), "the screen hides it"
            assert (title in here) == (command_id != "mark")
        assert f"\n{shown_key('x'):<11} Convert" in here


def lines(*ids: str) -> Any:
    class Bare(Screen[None]):
        BINDINGS = [*EVERYWHERE, *bound(" ".join(ids))]  # noqa: RUF012

        def compose(self) -> ComposeResult:
            yield KeyLine()

    class Shown(ThemedApp[None]):
        def on_mount(self) -> None:
            self.push_screen(Bare())

    return Shown()


def test_key_line_looks_narrow(snap_compare: Any) -> None:
    app = lines("open", "convert", "diagnose", "mark", "copy-image", "search-lines")
    assert snap_compare(app, terminal_size=(80, 24))


def test_key_line_looks_wide(snap_compare: Any) -> None:
    app = lines("open", "address", "save", "go-to", "used-by", "problems", "filter")
    assert snap_compare(app, terminal_size=(120, 40))


@pytest.mark.parametrize(("first", "then"), [(4, 4), (24, 4)], ids=["small", "made-small"])
async def test_the_palette_has_room_or_is_not_shown(data: Path, first: int, then: int) -> None:
    app = CkptApp((), data)
    async with app.run_test(size=(40, first)) as pilot:
        await settle(pilot)
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.resize_terminal(40, then)
        await pilot.pause()
        await pilot.press("pagedown", "pageup", "down")
        assert not isinstance(app.screen, CommandPalette)
