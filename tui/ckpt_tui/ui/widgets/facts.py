"""The panel beside a list: all that is known of the row under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.style import Style

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import Styled, styled
from ckpt_tui.ui.widgets.lines import Lines
from ckpt_tui.ui.widgets.painting import as_content
from ckpt_tui.ui.widgets.scroll_bars import make_scroll_bars
from ckpt_tui.views.facts import Section, fact_lines


class _FactText(Lines):
    def __init__(self) -> None:
        super().__init__()
        self.sections: Sequence[Section] = ()
        self.empty = ""

    def lines(self, width: int) -> Sequence[Styled | Content]:
        drawn: list[Styled | Content] = []
        for line in fact_lines(self.sections, width):
            content = as_content(line.text)
            if line.link:
                content = content.stylize(Style.from_meta({"link": line.link}), line.start)
            drawn.append(content)
        return drawn or [styled((self.empty, "muted"))]

    def on_click(self, event: events.Click) -> None:
        link = event.style.meta.get("link")
        if link:
            event.stop()
            self.post_message(Facts.LinkChosen(link))


class Facts(VerticalScroll, can_focus=True):
    """Sections of labels and values, wrapped to the panel; scrolls, and can be selected."""

    DEFAULT_CSS = """
    Facts { padding: 0 1; scrollbar-size-vertical: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("k", "scroll_up", "Up", show=False),
        Binding("j", "scroll_down", "Down", show=False),
        Binding("ctrl+u", "half_page(-1)", "Half a page up", show=False),
        Binding("ctrl+d", "half_page(1)", "Half a page down", show=False),
        Binding("G", "scroll_end", "Last", show=False),
    ]

    @dataclass
    class LinkChosen(Message):
        """A click on a value that leads somewhere; `link` is that of its `Fact`."""

        link: Ref

    def __init__(
        self,
        sections: Sequence[Section] = (),
        *,
        empty: str = "",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._text = _FactText()
        self._text.sections, self._text.empty = sections, empty

    def compose(self) -> ComposeResult:
        yield self._text

    def on_mount(self) -> None:
        make_scroll_bars(self)

    @property
    def sections(self) -> Sequence[Section]:
        """What is shown."""
        return self._text.sections

    def show(self, sections: Sequence[Section], empty: str | None = None) -> None:
        """Show other facts, from the top. `empty` says why there are none, printable."""
        self._text.sections = sections
        if empty is not None:
            self._text.empty = empty
        self._text.redraw()
        self.scroll_home(animate=False)

    def action_half_page(self, direction: int) -> None:
        self.scroll_relative(y=direction * max(1, self.size.height // 2), animate=False)
