"""Recovered: data outside of memory, looked for when the tab is first shown."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.checkpoint.items import Item, Recovered
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.recovered import recover
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane
from ckpt_tui.ui.panes.pane import Find
from ckpt_tui.ui.saving import ask_where_to_save
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.views.content import MAX_TEXT, is_text, text_lines
from ckpt_tui.views.facts import Section
from ckpt_tui.views.hex import dump_lines
from ckpt_tui.views.recovered import (
    COLUMNS,
    empty_text,
    item_links,
    item_rows,
    item_sections,
    item_users,
    note_sections,
    number_from,
    number_of,
)

LOOKING = "Looking for data …"
STOPPED = "Stopped. Showing this tab again begins anew"


class RecoveredPane(ListPane):
    """The list Recovered of the tab Files."""

    BINDINGS: ClassVar[list[BindingType]] = bound("save")

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        nothing_yet = ListOf(lambda _: [], COLUMNS, LOOKING, copied_column=1)
        detail = Vertical(Facts(id="facts"), HexView(id="bytes"))
        super().__init__(opened, checkpoint, nothing_yet, detail)
        self._recovered: Recovered | None = None
        self._wanted: Hashable = None
        """Key to go to once everything is found."""

    def on_mount(self) -> None:
        self._look()

    def take_focus(self) -> None:
        super().take_focus()
        if self._recovered is None and not self.list_view.job_running:
            self._look()

    def back(self) -> bool:
        if self.list_view.job_running and self._recovered is None:
            self.list_view.cancel_job()
            self.list_view.show(item_rows(()), STOPPED)
            return True
        return super().back()

    def _look(self) -> None:
        self.list_view.show(item_rows(()), LOOKING)

        def look(progress: Progress) -> Recovered:
            opened = self.opened
            return recover(opened.tree, opened.images, opened.memory, self.checkpoint, progress)

        name = "Looking for data outside of memory"
        self.list_view.run(name, look, self._show_found, Recovered.close)

    def _show_found(self, found: Recovered) -> None:
        self._recovered = found
        self.list_view.show(item_rows(found.items), empty_text(found))
        if found.notes and not found.items:
            self.query_one(Facts).show(note_sections(found))
        elif found.notes:
            self.notify(f"{len(found.notes)} parts could not be read.", severity="warning")
        wanted, self._wanted = self._wanted, None
        if wanted is not None and not self.go_to(wanted):
            self.notify("It is not among what was found.", severity="warning", markup=False)

    def go_to(self, key: Hashable) -> bool:
        """Show an item by its number or by the image that has it."""
        if not isinstance(key, Ref) or key.kind != "recovered":
            return super().go_to(key)
        if self._recovered is None:
            self._wanted = key
            return True
        number = number_from(self._recovered.items, key.ids[0])
        return number is not None and super().go_to(Ref.item(number))

    def on_unmount(self) -> None:
        if self._recovered is not None:
            self._recovered.close()

    @property
    def item(self) -> Item | None:
        """What is under the cursor."""
        number = number_of(self.current_key)
        return self._recovered.items[number] if self._recovered and number is not None else None

    def sections(self, key: Hashable) -> list[Section]:
        number = number_of(key)
        if self._recovered is None or number is None:
            return []
        return item_sections(self._recovered.items[number])

    def show_detail(self, key: Hashable) -> None:
        super().show_detail(key)
        if self.item is not None:
            self.query_one(HexView).show(self.item.window, empty="It has no bytes")

    def watch_reveals(self) -> None:
        self.query_one(HexView).reveal_secrets(self.reveals)
        self.list_view.show(item_rows(self._recovered.items if self._recovered else ()))

    def action_open(self) -> None:
        item = self.item
        if item is not None:
            self.app.push_screen(ViewScreen(item.name, item.window, reveal=self.reveals))

    def leads_to(self) -> Find:
        return partial(item_links, self.checkpoint, self.item) if self.item else tuple

    def used_by(self) -> Find:
        return partial(item_users, self.checkpoint, self.item) if self.item else tuple

    def action_save(self) -> None:
        item = self.item
        if item is not None:
            ask_where_to_save(self.list_view, item.window, item.name)

    def page_lines(self) -> Iterator[str]:
        if self.item is None:
            return iter(())
        window = self.item.window
        if is_text(window.read(0, 4096)):
            return iter(text_lines(window.read(0, MAX_TEXT), self.reveals))
        return dump_lines(window, reveal=self.reveals)
