"""A person's settings held against what there is: themes, commands and their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.theme import BUILTIN_THEMES

from ckpt_tui.core.config import Config, config_file, load_config, wrong
from ckpt_tui.ui.commands import COMMANDS, SCREENS, commands_for
from ckpt_tui.ui.theme import DARK, THEMES

THEME_NAMES = {theme.name.removeprefix("ckpt-"): theme.name for theme in THEMES}
"""Short names of our own themes."""


def load_settings() -> Config:
    """Return the settings with the full name of the theme.

    Raises:
        UsageError: there is no such theme or command, or a key means two things on one screen.
    """
    return checked(load_config(), str(config_file()))


def checked(config: Config, where: str) -> Config:
    """Return settings that the app can take; see `load_settings` for errors."""
    known = {*THEME_NAMES.values(), *BUILTIN_THEMES}
    theme = THEME_NAMES.get(config.theme, config.theme) or DARK.name
    if theme not in known:
        raise wrong(where, "theme", f"there is no {config.theme}", _listed([*THEME_NAMES, *known]))
    ids = {command.id for command in COMMANDS}
    for name in config.keys:
        if name not in ids:
            raise wrong(where, f"keys.{name}", "there is no such command", _listed(sorted(ids)))
    for screen in SCREENS:
        _check_keys(screen, config.keys, where)
    return replace(config, theme=theme)


def _listed(names: list[str]) -> str:
    return f"There are {', '.join(dict.fromkeys(names))}."


def _check_keys(screen: str, own: Mapping[str, str], where: str) -> None:
    """Refuse a key of the user's that another command of the screen has."""
    taken: dict[str, str] = {}
    for command in commands_for(screen):
        for key in own.get(command.id, command.keys).split(","):
            other = taken.setdefault(key, command.id)
            if other != command.id:
                name = command.id if command.id in own else other
                both = {other, command.id} - {name}
                raise wrong(where, f"keys.{name}", f"{key} is the key of {both.pop()}, too")
