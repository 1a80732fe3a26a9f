"""Settings in the app: own keys, a theme, words to mask; and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.core.config import Config
from ckpt_tui.core.errors import UsageError
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.rows.secrets import choose_masks, covered, masked
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.settings import checked


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
