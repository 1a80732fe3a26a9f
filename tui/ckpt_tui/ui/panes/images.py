"""CRIU's images: the list, the records of one decoded, and its bytes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import ClassVar

from textual import on
from textual.binding import BindingType
from textual.containers import Vertical

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.raw import RawImage, has_lines, raw_lines
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.masks import masked
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.criu.decode import DecodedImage
from ckpt_tui.criu.kinds import Payload, kind_of
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane, cover_rows
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.decoded import COLUMNS, DecodedRows
from ckpt_tui.views.table import Column, LazyRows, ListRows, Row, RowSource, plain

AT_ONCE = 256 << 10
"""Bytes of an image that is decoded before the next frame is drawn; a larger one is a job."""

RAW_COLUMNS = (Column("CONTENTS", share=1),)


class ImagesPane(ListPane):
    """The tab Images."""

    BINDINGS: ClassVar[list[BindingType]] = bound("", "expand")

    _decoded: DecodedRows | None = None
    _name = ""
    _lines: Sequence[str] = ()
    """Of an image without records, as they are shown."""

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        self.records = VirtualTable(COLUMNS, empty="", id="records")
        detail = Vertical(self.records, HexView(BytesWindow(b""), id="bytes"))
        super().__init__(opened, checkpoint, shown, detail)

    def show_detail(self, key: Hashable) -> None:
        self._name = key.ids[0] if isinstance(key, Ref) else ""
        self._decoded, self._lines = None, ()
        self.list_view.cancel_job()
        try:
            window: ByteWindow = self.opened.images.window(self._name)
        except KeyError:
            window = BytesWindow(b"")
        self.query_one(HexView).show(window, empty="This file has no bytes")
        found = kind_of(self._name)
        if has_lines(self._name):
            self._show_raw(window, found[0].format if found else Payload.NOTHING)
        elif window.size <= AT_ONCE:
            self._show_records(self.opened.images.image(self._name))
        else:
            name = self._name
            self._fill(COLUMNS, ListRows(), "Decoding …")
            self.list_view.run(
                f"Decoding {name}",
                lambda progress: self.opened.images.image(name, progress),
                self._show_records,
            )

    def _fill(self, columns: Sequence[Column], rows: RowSource, empty: str) -> None:
        self.records.set_columns(columns)
        self.records.set_rows(rows, empty)

    def _show_records(self, image: DecodedImage | None) -> None:
        host = self.opened.images.host
        self._decoded = DecodedRows(image, host) if image and image.entries else None
        if self._decoded is not None:
            self._decoded.reveal = self.reveals
        self._fill(COLUMNS, self._decoded or ListRows(), self._why_empty(image))

    def _show_raw(self, window: ByteWindow, form: Payload) -> None:
        """Read an image without records: small ones at once, pages when they are asked for."""
        if not window.size:
            self._fill(RAW_COLUMNS, ListRows(), "This file has no bytes")
        elif form is Payload.PAGES:
            ask = "Page contents: enter says whose, and counts those that are zero or equal"
            self._fill(RAW_COLUMNS, ListRows(), ask)
        elif window.size <= AT_ONCE and form not in (Payload.TAR, Payload.TAR_GZ):
            self._show_lines(raw_lines(self._raw_image(), quiet()))
        else:
            self._read_raw()

    def _raw_image(self) -> RawImage:
        return RawImage(self._name, self.opened.images, lambda: self.checkpoint)

    def _read_raw(self) -> None:
        image = self._raw_image()
        self._fill(RAW_COLUMNS, ListRows(), "Reading …")
        self.list_view.run(
            f"Reading {image.name}",
            lambda progress: raw_lines(image, progress),
            self._show_lines,
        )

    def _show_lines(self, lines: Sequence[str]) -> None:
        self._lines = lines
        source = LazyRows(range(len(lines)), self._line_row)
        self._fill(RAW_COLUMNS, source, "There is nothing in it")

    def _line_row(self, number: int) -> Row:
        return Row(
            number, (masked(printable(self._lines[number], reveal=self.reveals), self.reveals),)
        )

    def watch_reveals(self) -> None:
        cover_rows(self)
        self.query_one(HexView).reveal_secrets(self.reveals)
        if self._lines:
            self._show_lines(self._lines)
        elif self._decoded is not None:
            self._decoded.reveal = self.reveals
            self.records.set_rows(self._decoded)

    def page_lines(self) -> Iterator[str]:
        rows = self.records.rows
        return ("  ".join(map(plain, rows[number].cells[:2])) for number in range(len(rows)))

    def _why_empty(self, image: DecodedImage | None) -> str:
        listed = index_of(self.checkpoint).image.get(self._name)
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

    def action_toggle_branch(self) -> None:
        row = self.records.highlighted
        if self._decoded is not None and row is not None:
            self._decoded.toggle(row.key)
            self.records.set_rows(self._decoded)

    def action_open(self) -> None:
        if self.records.has_focus and not self._is_unread:
            self.action_toggle_branch()
            return
        if self._is_unread:
            self._read_raw()
        self.add_class("-detail")
        self.records.focus()

    @property
    def _is_unread(self) -> bool:
        """Whether this is a page image that was not asked for yet."""
        found = kind_of(self._name)
        is_pages = found is not None and found[0].format is Payload.PAGES
        return is_pages and not self._lines and not self.list_view.job_running

    def back(self) -> bool:
        if self.list_view.job_running and not len(self.records.rows):
            self.list_view.cancel_job()
            self._fill(RAW_COLUMNS, ListRows(), "Stopped")
            return True
        if super().back():
            return True
        if self.records.has_focus or self.query_one(HexView).has_focus:
            self.list_view.table.focus()
            return True
        return False
