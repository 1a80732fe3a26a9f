"""One line to type a filter or a search into, with how much it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static


class SearchBar(Widget):
    """Hidden until `open`; escape empties it, and once more closes it; enter goes back to the list.

    The filter applies while the line is open, whether it has the focus or not.
    """

    DEFAULT_CSS = """
    SearchBar { layout: horizontal; height: 1; display: none; background: $panel; padding: 0 1; }
    SearchBar.-open { display: block; }
    SearchBar > .label { width: auto; color: $accent; text-style: bold; margin-right: 1; }
    SearchBar > .count { width: auto; color: $muted; margin-left: 1; }
    SearchBar > Input {
        width: 1fr; background: $panel; color: $strong;
        &:focus { background-tint: $foreground 0%; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear_or_close", "Clear", show=False),
        Binding("down", "leave", "To the list", show=False),
    ]

    @dataclass
    class FilterChanged(Message):
        """Other words are typed, or none (`text` is empty) because the bar was closed."""

        bar: SearchBar
        text: str

        @property
        def control(self) -> SearchBar:
            return self.bar

    def __init__(
        self, label: str = "filter", *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._label = label
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content(self._label), classes="label")
        yield Input(placeholder="words that must all occur", compact=True, select_on_focus=False)
        yield Static("", classes="count")

    @property
    def text(self) -> str:
        """What is typed; empty when closed."""
        return self.query_one(Input).value

    @property
    def is_open(self) -> bool:
        """Whether the line is there."""
        return self.has_class("-open")

    def open(self, label: str | None = None) -> None:
        """Show the line and take the focus at once: the next key is typed into it. `label` is
        `filter` or `search`."""
        if label is not None:
            self.query_one(".label", Static).update(Content(label))
        if not self.has_focus_within:
            self._before = self.screen.focused
        self.add_class("-open")
        self.screen.set_focus(self.query_one(Input))

    def close(self) -> None:
        """Empty and hide the line; the focus goes back to where it was."""
        self.query_one(Input).value = ""
        self.show_count("")
        self.remove_class("-open")
        self.action_leave()

    def show_count(self, text: str) -> None:
        """Say what is left, printable: `312 of 104,220`."""
        self.query_one(".count", Static).update(Content(text))

    def action_leave(self) -> None:
        if self._before is not None and self._before.is_attached:
            self._before.focus()

    def action_clear_or_close(self) -> None:
        if self.text:
            self.query_one(Input).value = ""
        else:
            self.close()

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(self.FilterChanged(self, message.value))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_leave()
