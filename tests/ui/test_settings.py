"""Settings in the app: own keys, a theme, words to mask; and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.core.config import Config
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.masks import choose_masks, covered, masked
from ckpt_tui.sources.access import (
    KnownRegistry,
    choose_registries,
    forget,
    known_registries,
    remember,
)
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.commands import help_text
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.settings import checked
from ckpt_tui.ui.widgets.tab_line import TabLine


@pytest.mark.parametrize(
    ("name", "full"),
    [("light", "ckpt-light"), ("", "ckpt-dark"), ("nord", "nord"), ("ckpt-ansi", "ckpt-ansi")],
)
def test_themes_have_short_names(name: str, full: str) -> None:
    assert checked(Config(theme=name), "c").theme == full


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (Config(theme="nope"), "theme: there is no nope. There are dark, light, ansi"),
        (Config(keys={"nope": "x"}), "keys.nope: there is no such command"),
        (Config(keys={"convert": "d"}), "keys.convert: d is the key of diagnose, too"),
        (Config(keys={"open": "enter,q"}), "keys.open: q is the key of leave, too"),
    ],
)
def test_what_the_app_cannot_take_is_refused(config: Config, said: str) -> None:
    with pytest.raises(UsageError) as error:
        checked(config, "c")
    assert said in str(error.value)


def test_two_commands_may_change_places() -> None:
    keys = {"convert": "d", "diagnose": "c"}
    assert checked(Config(keys=keys), "c").keys == keys


async def test_an_own_key_works_and_is_shown(data: Path) -> None:
    settings = checked(Config("light", {"convert": "ctrl+k"}), "c")
    app = CkptApp((), data / "archives", "archives", settings)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert app.theme == "ckpt-light"
        assert "ctrl+k convert" in screen_text(app)
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert "ctrl+k" in screen_text(app)
        await pilot.press("escape", "down", "down", "c")
        await settle(app, pilot)
        assert not isinstance(app.screen, ConvertScreen), "the key it had is free"
        await pilot.press("ctrl+k")
        await settle(app, pilot)
        assert isinstance(app.screen, ConvertScreen)


async def test_own_keys_are_in_the_tab_line_the_palette_and_the_help(data: Path) -> None:
    own = {"tab-9": "f9", "breakdown": "ctrl+b", "count-pages": "ctrl+n"}
    app = CkptApp([str(data / "archives/counter.tar.zst")], settings=checked(Config(keys=own), "c"))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        assert "f9 Sizes" in screen_text(app)
        await pilot.press("f9")
        await settle(app, pilot)
        text = screen_text(app)
        assert "ctrl+b: by" in text
        assert "ctrl+n counts zero" in text
        commands = {c.title: c.help for c in app.get_system_commands(app.screen)}
        assert commands["Divide another way"].endswith("ctrl+b")
        assert commands["Show Sizes"].endswith("f9")
        await pilot.click(TabLine, offset=(3, 0))
        await settle(app, pilot)
        assert "command" in screen_text(app), "clicks go to the tab that is drawn there"
        await pilot.press("question_mark")
        await settle(app, pilot)
        assert "Show Sizes" in help_text(app.screen_stack[-2])


def test_registries_of_the_settings_are_listed_after_those_added() -> None:
    choose_registries(("b.example", "a.example"))
    try:
        remember(KnownRegistry("a.example"))
        assert [one.host for one in known_registries()] == ["a.example", "b.example"]
        forget("a.example")
        assert [one.host for one in known_registries()] == ["b.example", "a.example"]
    finally:
        choose_registries(())


@pytest.mark.parametrize("name", ["dark", "light", "ansi"])
async def test_the_app_starts_in_every_theme_of_ours(data: Path, name: str) -> None:
    settings = checked(Config(theme=name), "c")
    app = CkptApp((), data / "archives", "archives", settings)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert "counter.tar.zst" in screen_text(app)


def test_more_words_can_be_masked() -> None:
    assert covered("MY_PIN=1234", False) == "MY_PIN=1234"
    choose_masks(("pin",))
    try:
        assert covered("MY_PIN=1234", False) == "MY_PIN=••••••"
        assert covered("MY_PIN=1234", True) == "MY_PIN=1234"
        assert masked('{"pin": "1234"}', False) == '{"pin": "••••••"}'
    finally:
        choose_masks(())


async def test_the_screens_work_without_colour(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CkptApp((), data / "archives", "archives")
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert app.no_color
        assert "counter.tar.zst" in screen_text(app)
