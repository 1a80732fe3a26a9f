"""CRIU's images: the list, the records of one decoded, and its bytes."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual import on
from textual.containers import Vertical
from textual.widget import Widget

from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.decode import DecodedImage
from ckpt_tui.ui.panes.list_pane import ListPane
from ckpt_tui.ui.rows.decoded import COLUMNS, DecodedRows
from ckpt_tui.ui.rows.table import ListRows
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable


class ImagesPane(ListPane):
    """The tab Images."""

    ACTIONS: ClassVar[frozenset[str]] = ListPane.ACTIONS | {"toggle_branch"}

    _decoded: DecodedRows | None = None
    _name = ""

    def make_detail(self) -> Widget:
        return Vertical(
            VirtualTable(COLUMNS, empty="", id="records"),
            HexView(BytesWindow(b""), id="bytes"),
            classes="detail",
        )

    @property
    def records(self) -> VirtualTable:
        return self.query_one("#records", VirtualTable)

    def show_detail(self, key: Hashable) -> None:
        self._name = key[1] if isinstance(key, tuple) else ""
        image = self.opened.images.image(self._name)
        self._decoded = DecodedRows(image) if image and image.entries else None
        self.records.set_rows(self._decoded or ListRows(), self._why_empty(image))
        try:
            window = self.opened.images.window(self._name)
        except KeyError:
            window = BytesWindow(b"")
        self.query_one(HexView).show(window, empty="This file has no bytes")

    def _why_empty(self, image: DecodedImage | None) -> str:
        listed = next((i for i in self.checkpoint.images if i.name == self._name), None)
        if image is None or image.problem:
            return printable(image.problem if image else "This file cannot be read")
        if image.kind is None:
            return "No kind of image that CRIU writes has this name: bytes only"
        return f"{printable(listed.description)} No records: bytes only" if listed else ""

    @on(VirtualTable.RowHighlighted, "#records")
    def _record_highlighted(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        entry = self._decoded.entry_of(message.key) if self._decoded else None
        if entry is not None:
            view = self.query_one(HexView)
            view.mark([(entry.offset, entry.size)] if entry.size else [])
            view.goto(entry.offset)

    @on(VirtualTable.RowChosen, "#records")
    def _record_chosen(self, message: VirtualTable.RowChosen) -> None:
        message.stop()
        self.toggle()

    def toggle(self) -> None:
        row = self.records.highlighted
        if self._decoded is not None and row is not None:
            self._decoded.toggle(row.key)
            self.records.set_rows(self._decoded)

    def choose(self) -> None:
        if self.records.has_focus:
            self.toggle()
            return
        self.add_class("-detail")
        self.records.focus()

    def back(self) -> bool:
        if super().back():
            return True
        if self.records.has_focus or self.query_one(HexView).has_focus:
            self.table.focus()
            return True
        return False
