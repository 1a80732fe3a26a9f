"""The last line of a screen: the few keys that matter there, each of them clickable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget

from ckpt_tui.ui.commands import active, key_line, own_key

MOST = 6
"""Keys on the line; more are not read."""

_GAP = 3
"""Cells between two keys."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key on the line."""

    shown: str
    word: str
    command: str = ""
    """Id of the command."""
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
        found = active(self.screen).get(event.style.meta.get("command", ""))
        if found is not None:
            event.stop()
            await found.run()


def key_piece(key: Key) -> Content:
    """Return a key and its word, to be clicked where it can be used."""
    style = "$muted" if key.usable else "$base"
    piece = Content.assemble(
        (key.shown, "bold $accent" if key.usable else "$base"), (f" {key.word}", style)
    )
    return piece.stylize(Style.from_meta({"command": key.command})) if key.usable else piece


class KeyLine(ClickableKeys):
    """Shows what is bound where the focus is and asks for a place."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self.refresh())

    def keys(self) -> list[Key]:
        """Return every key that asks for a place, the important ones first."""
        return [
            Key(own_key(self.app, command.id), command.footer, command.id, found.enabled)
            for command, found in key_line(self.screen)
        ]

    def render(self) -> Content:
        pieces = [key_piece(key) for key in chosen(self.keys(), self.size.width - 2)]
        return Content(" ") + Content(" " * _GAP).join(pieces)
