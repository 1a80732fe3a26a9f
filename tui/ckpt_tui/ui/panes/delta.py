"""Disk: what the container changed, and the contents of the files it wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.binding import BindingType
from textual.timer import Timer

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.delta import file_window, has_bytes
from ckpt_tui.checkpoint.model import DeltaEntry
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.list_pane import ListPane
from ckpt_tui.ui.saving import ask_where_to_save
from ckpt_tui.ui.screens.view import ViewScreen
from ckpt_tui.views.choice import Choice

GROWS_S = 0.3
"""Seconds between looking for what is new."""


class DeltaPane(ListPane):
    """The tab Disk. The archive of changes is opened when a file is first looked into; while
    it is read for the first time, the list grows."""

    BINDINGS: ClassVar[list[BindingType]] = bound("save")

    _tree: Tree | None = None
    _growing: Timer | None = None
    """Looks for what is new in the list."""

    def on_mount(self) -> None:
        self._empty_in_the_end = self.shown.empty
        read_since = len(self.list_view.source) != len(self.checkpoint.delta.entries)
        if read_since or not self.checkpoint.has_changes:
            self._grow()
        if not self.checkpoint.has_changes:
            self._growing = self.set_interval(GROWS_S, self._grow)

    def _grow(self) -> None:
        """Show what is known by now. Rows that were chosen or ordered wait until all are."""
        has_changes = self.checkpoint.has_changes
        if has_changes and self._growing is not None:
            self._growing.stop()
        if has_changes or self.list_view.choice == Choice():
            empty = self._empty_in_the_end if has_changes else "The changes are being read"
            self.list_view.show(self.shown.source(self.checkpoint), empty)

    def _entry(self) -> DeltaEntry | None:
        key = self.current_key
        return self.checkpoint.delta.entries[key.ids[0]] if isinstance(key, Ref) else None

    def action_open(self) -> None:
        """Show the bytes of a file; of anything else the panel says all there is."""
        entry = self._entry()
        if entry is None or not has_bytes(entry):
            super().action_open()
            return

        def show(window: ByteWindow) -> None:
            self.app.push_screen(ViewScreen(entry.path, window, reveal=self.reveals))

        self._read(entry, show)

    def action_save(self) -> None:
        entry = self._entry()
        if entry is None or not has_bytes(entry):
            self.notify("Only a file has bytes to save.", markup=False)
            return

        def ask(window: ByteWindow) -> None:
            ask_where_to_save(self.list_view, window, entry.path)

        self._read(entry, ask)

    def _read(self, entry: DeltaEntry, then: Callable[[ByteWindow], None]) -> None:
        """Call `then` with the bytes of a file, which a job looks for."""
        kept = self._tree

        def close_new(tree: Tree | None) -> None:
            if tree is not None and tree is not kept:
                tree.close()

        def read(progress: Progress) -> tuple[Tree | None, ByteWindow]:
            tree = self.opened.open_delta(progress) if kept is None else kept
            try:
                return tree, file_window(tree, entry.path)
            except BaseException:
                close_new(tree)
                raise

        def show(found: tuple[Tree | None, ByteWindow]) -> None:
            self._tree, window = found
            then(window)

        self.list_view.run(f"Reading {entry.path}", read, show, lambda found: close_new(found[0]))

    def on_unmount(self) -> None:
        if self._tree is not None:
            self._tree.close()
