"""Scroll bars that keep nothing alive but their widget."""

from __future__ import annotations

from textual.widget import Widget


def make_scroll_bars(widget: Widget) -> None:
    """Make the scroll bars of a widget that is being mounted.

    Textual makes one when it is first needed, and a screen on top lays out those below it when it
    is resized. The task of the bar would refer to that screen for as long as the widget is there.
    """
    _ = widget.vertical_scrollbar, widget.horizontal_scrollbar
