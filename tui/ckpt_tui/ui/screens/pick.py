"""Small questions over a screen: one of several, one line of text, yes or no."""

from __future__ import annotations

import os
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.table import Column, LazyRows, Row

if TYPE_CHECKING:  # 60 ms before the first frame
    from ckpt_tui.views.links import Lead

SHOWN = 14
"""Lines of a pick list; the rest scrolls."""


class PickScreen(ModalScreen[Hashable | None]):
    """A list of links; returns what the chosen one refers to, None if it was left."""

    DEFAULT_CSS = """
    PickScreen {
        align: center middle;
        & > Vertical { width: 80%; max-width: 100; height: auto; padding: 0 1; }
        & VirtualTable { scrollbar-size-vertical: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "Back", show=False),
    ]

    def __init__(self, heading: str, choices: Sequence[Lead]) -> None:
        """`heading` says what they are, printable."""
        super().__init__()
        self._heading = heading
        self._choices = choices

    def compose(self) -> ComposeResult:
        rows = LazyRows(range(len(self._choices)), self._row)
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(self._heading)
            panel.border_subtitle = Content("enter go to   esc back")
            table = VirtualTable((Column("", share=1, shrink="middle"),), rows)
            table.styles.height = min(len(self._choices), SHOWN) + 1
            yield table

    def _row(self, number: int) -> Row:
        return Row(number, (self._choices[number].label,))

    @on(VirtualTable.RowChosen)
    def _chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.dismiss(self._choices[message.index].ref)

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()


class AskScreen(ModalScreen[str | None]):
    """One line of text, typed at the foot of the screen; None if it was left."""

    DEFAULT_CSS = """
    AskScreen {
        background: transparent;
        & > Horizontal {
            dock: bottom; height: 1; margin-bottom: 1; background: $panel; padding: 0 1;
        }
        & .label { width: auto; color: $accent; text-style: bold; margin-right: 1; }
        & Input {
            width: 1fr; background: $panel; color: $strong;
            &:focus { background-tint: $foreground 0%; }
        }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Back", show=False),
    ]

    def __init__(self, label: str, placeholder: str = "", value: str = "") -> None:
        super().__init__()
        self._label, self._placeholder, self._value = label, placeholder, value

    @classmethod
    def for_target(cls, label: str, beside: str) -> AskScreen:
        """Return the question for a target, which is likely to be in the folder of another."""
        folder = os.path.dirname(beside)
        return cls(label, "a path or TARGET", f"{folder}/" if folder else "")

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static(Content(self._label), classes="label")
            yield Input(
                self._value, placeholder=self._placeholder, compact=True, select_on_focus=True
            )

    def on_key(self, event: events.Key) -> None:
        """Type what came before the line had the focus; later keys do not get here."""
        if event.is_printable and event.character is not None:
            event.stop()
            self.query_one(Input).insert_text_at_cursor(event.character)

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.dismiss(message.value)


class ConfirmScreen(ModalScreen[bool]):
    """Some lines of text, and whether to do it."""

    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;
        & > Vertical { width: 80%; max-width: 76; height: auto; padding: 1 2 0 2; }
        & .text { height: auto; margin-bottom: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "Yes", show=False),
        Binding("escape,n,q", "answer(False)", "No", show=False),
    ]

    def __init__(self, heading: str, sentences: Sequence[str], yes: str) -> None:
        """`yes` is what enter does; all is printable."""
        super().__init__()
        self._heading, self._sentences, self._yes = heading, sentences, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="panel") as panel:
            panel.border_title = Content(self._heading)
            panel.border_subtitle = Content(f"enter {self._yes}   esc back")
            yield Static(Content("\n".join(self._sentences)), classes="text")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
