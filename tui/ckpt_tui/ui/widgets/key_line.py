"""The last line of a screen: the few keys that matter there, each of them clickable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from ckpt_tui.ui.commands import allowed, key_line_for, node_for, shown_key

MOST = 6
"""Keys on the line; more are not read."""

_GAP = 3
"""Cells between two keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key on the line."""

    shown: str
    word: str
    action: str = ""
    usable: bool = True

    @property
    def width(self) -> int:
        """Cells."""
        return len(self.shown) + 1 + len(self.word)


def chosen(keys: Sequence[Key], width: int) -> list[Key]:
    """Return the keys that fit into `width` cells: the first ones, and always the last."""
    kept = [*keys[: MOST - 1], *keys[-1:]] if len(keys) > MOST else [*keys]
    while len(kept) > 1 and sum(k.width for k in kept) + _GAP * (len(kept) - 1) > width:
        del kept[-2]
    return kept if kept and kept[0].width <= width else []


class ClickableKeys(Widget):
    """A line of keys; a click on one does what the key does."""

    ALLOW_SELECT = False

    async def on_click(self, event: events.Click) -> None:
        action = event.style.meta.get("command")
        if action:
            event.stop()
            await node_for(self.screen, action).run_action(action)


def key_piece(key: Key) -> Content:
    """Return a key and its word, to be clicked where it can be used."""
    style = "$muted" if key.usable else "$base"
    piece = Content.assemble(
        (key.shown, "bold $accent" if key.usable else "$base"), (f" {key.word}", style)
    )
    return piece.stylize(Style.from_meta({"command": key.action})) if key.usable else piece


class KeyLine(ClickableKeys):
    """Shows the footers of the command table for one screen; obeys its `check_action`."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; }
    """

    def __init__(self, screen_name: str, keymap: Mapping[str, str] | None = None) -> None:
        """`keymap` holds the user's own keys by the id of a command."""
        super().__init__()
        self._screen_name = screen_name
        self._keymap = dict(keymap or {})

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def keys(self) -> list[Key]:
        """Return every key that asks for a place, the important ones first."""
        found = []
        own = {**getattr(self.app, "own_keys", {}), **self._keymap}
        for command in key_line_for(self._screen_name):
            usable = allowed(command, self.screen)
            if usable is not False:
                key = shown_key(own.get(command.id, command.keys))
                found.append(Key(key, command.footer, command.action, bool(usable)))
        return found

    def render(self) -> Content:
        pieces = [key_piece(key) for key in chosen(self.keys(), self.size.width - 2)]
        return Content(" ") + Content(" " * _GAP).join(pieces)
