"""A person's settings held against what there is: themes, commands and their keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from textual.binding import Binding
from textual.dom import DOMNode
from textual.theme import BUILTIN_THEMES

from ckpt_tui.core.config import Config, config_file, load_config, wrong
from ckpt_tui.ui.commands import bindings_of
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
    if config.keys:  # the classes of all screens cost 200 ms
        from ckpt_tui.ui.screens.table import SCREENS

        ids = {binding.id or "" for parts in SCREENS for binding in _bindings(parts)}
        for name in config.keys:
            if name not in ids:
                known_ids = sorted(ids)
                raise wrong(where, f"keys.{name}", "there is no such command", _listed(known_ids))
        for parts in SCREENS:
            _check_keys(parts, config.keys, where)
    return replace(config, theme=theme)


def _listed(names: list[str]) -> str:
    return f"There are {', '.join(dict.fromkeys(names))}."


def _bindings(parts: Iterable[type[DOMNode]]) -> Iterator[Binding]:
    """Yield the commands of a screen and what is on it."""
    for part in parts:
        yield from bindings_of(part)


def _check_keys(parts: Iterable[type[DOMNode]], own: Mapping[str, str], where: str) -> None:
    """Refuse a key of the user's that another command of the same screen has."""
    taken: dict[str, str] = {}
    for binding in _bindings(parts):
        name = binding.id or ""
        for key in own.get(name, binding.key).split(","):
            other = taken.setdefault(key, name)
            if other != name:
                named = name if name in own else other
                both = {other, name} - {named}
                raise wrong(where, f"keys.{named}", f"{key} is the key of {both.pop()}, too")
