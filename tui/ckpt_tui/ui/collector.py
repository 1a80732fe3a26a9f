"""When Python's collector of cycles may stop the screen: never to look at all that is known.

It stops every thread while it walks through the objects that it knows, which are millions once a
large checkpoint is read: a tenth of a second each time. What is read lives as long as its screen
and holds few cycles, so the collector is kept to young objects, and to what a screen that was left
behind has to give back.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from typing import Any
from weakref import ref

from textual.app import App
from textual.widget import Widget

YOUNG = 5_000
"""New objects after which the youngest are looked at: ten times as many take four milliseconds."""

NEVER = 1_000_000
"""Rounds among younger objects after which all are looked at."""

LEFT_S = 0.5
"""Seconds after which a screen that was left is gone, mostly."""

GIVEN_UP_S = 30
"""Seconds after which nothing more is tried."""


def spare_the_screen() -> tuple[int, int, int]:
    """Let the collector look at young objects only; return what `restore` takes to undo it."""
    before = gc.get_threshold()
    gc.freeze()  # the modules, and what they made
    gc.set_threshold(YOUNG, 10, NEVER)
    return before


def restore(before: tuple[int, int, int]) -> None:
    """Let the collector do as it did."""
    gc.set_threshold(*before)
    gc.unfreeze()


def keep_all() -> None:
    """Spare what there is now, until a screen is left behind."""
    gc.freeze()


def _widgets(app: App[Any]) -> Iterator[Widget]:
    """Yield what is on the present screen, shown scroll bars included."""
    for widget in app.walk_children(Widget):
        yield widget
        if widget.show_vertical_scrollbar:
            yield widget.vertical_scrollbar
        if widget.show_horizontal_scrollbar:
            yield widget.horizontal_scrollbar


def _nothing() -> None:
    pass


def give_back(app: App[Any], left: ref[object], seconds: float = LEFT_S) -> None:
    """Free the cycles of a screen that was left `seconds` ago, and spare what remains. A job of it
    may not have heard yet that it was cancelled: as long as the screen is there, try again later.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    for widget in _widgets(app):
        widget.call_later(_nothing)  # each keeps the message that it had last, and that its sender
    if left() is not None and seconds < GIVEN_UP_S:
        app.set_timer(seconds, partial(give_back, app, left, 2 * seconds))
