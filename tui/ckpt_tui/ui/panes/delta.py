"""Filesystem: what the container changed, and the contents of the files it wrote."""

from __future__ import annotations

from typing import ClassVar

from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.model import DeltaEntry
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.ui.panes.list_pane import ListPane
from ckpt_tui.ui.saving import ask_where_to_save
from ckpt_tui.ui.screens.view import SAVING, ViewScreen


class DeltaPane(ListPane):
    """The tab Filesystem. The archive of changes is opened when a file is first looked into."""

    ACTIONS: ClassVar[frozenset[str]] = ListPane.ACTIONS | {"reveal", "save"}

    _tree: Tree | None = None

    def _entry(self) -> DeltaEntry | None:
        key = self.current_key
        return self.checkpoint.delta.entries[key[1]] if isinstance(key, tuple) else None

    def choose(self) -> None:
        """Show the bytes of a file; of anything else the panel says all there is."""
        entry = self._entry()
        if entry is None or not _has_bytes(entry):
            super().choose()
            return

        def show(window: ByteWindow) -> None:
            self.app.push_screen(ViewScreen(entry.path, window, reveal=self._reveal))

        self.run_job(f"Reading {entry.path}", lambda progress: self._window(entry, progress), show)

    def save(self) -> None:
        entry = self._entry()
        if entry is None or not _has_bytes(entry):
            self.notify("Only a file has bytes to save.", markup=False)
            return

        def ask(window: ByteWindow) -> None:
            ask_where_to_save(self, window, entry.path, SAVING)

        self.run_job(f"Reading {entry.path}", lambda progress: self._window(entry, progress), ask)

    def job_result(self, name: str, result: object) -> None:
        if name == SAVING:
            self.notify(f"Saved. SHA-256 {result}", markup=False, timeout=15)

    def _window(self, entry: DeltaEntry, progress: Progress) -> ByteWindow:
        """Return the bytes of a file. Runs in a thread, the only one that opens the archive."""
        if self._tree is None:
            self._tree = self.opened.open_delta(progress)
        name = entry.path.lstrip("/")
        members = self._tree.members if self._tree else {}
        for _ in range(len(members)):
            member = members.get(name)
            if member is None or member.kind is not MemberKind.HARDLINK:
                break
            name = member.link
        if self._tree is None or name not in members:
            raise CkptError(f"{entry.path} is not among the changes that were saved.")
        try:
            return self._tree.window(name)
        except KeyError:
            raise CkptError(f"{entry.path} has no bytes.") from None

    def on_unmount(self) -> None:
        if self._tree is not None:
            self._tree.close()


def _has_bytes(entry: DeltaEntry) -> bool:
    return entry.change != "deleted" and entry.kind in ("file", "hard link")
