"""Colours by meaning: present in every theme, and readable."""

from __future__ import annotations

import itertools

import pytest
from driving import UI
from rich.cells import cell_len
from textual.color import Color
from textual.command import CommandPalette
from textual.theme import BUILTIN_THEMES, Theme

from ckpt_tui.ui.theme import ANSI, DARK, LIGHT, THEMES, ThemedApp, meaning_colours
from ckpt_tui.views.meanings import MEANINGS, signed


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.1 defines it."""

    def linear(channel: int) -> float:
        share = channel / 255
        return share / 12.92 if share <= 0.03928 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = Color.parse(colour).rgb
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(first: str, second: str) -> float:
    """Contrast ratio as WCAG 2.1 defines it, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def grounds(theme: Theme) -> dict[str, str]:
    names = ("cursor-background", "cursor-blurred", "mark-background")
    plain = {"background": theme.background, "surface": theme.surface, "panel": theme.panel}
    return {name: value for name, value in plain.items() if value} | {
        name: theme.variables[name] for name in names
    }


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_letters_contrast_with_every_ground_they_stand_on(theme: Theme) -> None:
    letters = {m.name: theme.variables[m.name] for m in MEANINGS if m.use == "text"}
    letters["foreground"] = theme.foreground or ""
    letters["accent"] = theme.accent or ""
    too_close = [
        (name, ground, round(contrast(colour, under), 2))
        for name, colour in letters.items()
        for ground, under in grounds(theme).items()
        if contrast(colour, under) < 4.5
    ]
    assert not too_close


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_bars_contrast_with_the_ground(theme: Theme) -> None:
    fills = [m.name for m in MEANINGS if m.use == "fill"]
    assert all(contrast(theme.variables[f], theme.background or "") >= 3 for f in fills)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_neighbours_in_a_stacked_bar_differ_in_grey(theme: Theme) -> None:
    fills = [theme.variables[m.name] for m in MEANINGS if m.use == "fill"]
    steps = [contrast(a, b) for a, b in itertools.pairwise(fills)]
    assert min(steps) >= 1.2


@pytest.mark.parametrize("theme", [*THEMES, *BUILTIN_THEMES.values()], ids=lambda t: t.name)
def test_every_theme_knows_every_meaning(theme: Theme) -> None:
    assert {m.name for m in MEANINGS} <= set(meaning_colours(theme))


def test_signs_are_one_cell_wide_and_tell_verdicts_apart() -> None:
    signs = [m.sign for m in MEANINGS if m.sign]
    assert {cell_len(sign) for sign in signs} == {1}
    letters = [m.sign for m in MEANINGS if m.sign and m.use == "text"]
    assert len(set(letters)) == len(letters)


def test_signed_puts_the_colour_on_the_sign_only() -> None:
    label = signed("fails", "2 problems")
    assert label.plain == "✖ 2 problems"
    assert [(len(text), style) for text, style in label.runs if style] == [(1, "fails")]


async def test_style_sheets_may_name_meanings_under_a_stock_theme() -> None:
    class Stock(ThemedApp[None]):
        CSS = "Screen { color: $fails; background: $cursor-background; }"

    app = Stock(theme="nord")
    async with app.run_test() as pilot:
        assert app.theme_variables["fails"] == meaning_colours(BUILTIN_THEMES["nord"])["fails"]
        app.theme = "ckpt-light"
        await pilot.pause()
        assert app.theme_variables["fails"] == LIGHT.variables["fails"]


async def test_what_a_command_does_is_read_in_the_palette_of_the_terminals_colours() -> None:
    class Office(ThemedApp[None]):
        CSS_PATH = UI / "app.tcss"

    app = Office(theme=ANSI.name)
    async with app.run_test() as pilot:
        app.action_command_palette()
        await pilot.pause()
        palette = app.screen
        assert isinstance(palette, CommandPalette)
        style = palette.get_component_styles("command-palette--help-text")
        assert not style.text_style.dim
