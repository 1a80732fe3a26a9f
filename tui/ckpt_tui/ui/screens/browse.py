"""The browser: where checkpoints are on the left, what is under the cursor on the right."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.roots import add_registry, forget_registry, roots
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import BROWSER, EVERYWHERE, bound, own_key
from ckpt_tui.ui.opening import ShowCheckpoint, ShowComparison, ShowLog
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.browse_list import BrowseList
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import TYPING
from ckpt_tui.ui.widgets.marks_line import MarksLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.browse import COLUMNS
from ckpt_tui.views.browse_tree import BrowseTree, Line
from ckpt_tui.views.problem import problem_sections


class BrowseScreen(Screen[None]):
    """Folders, the own store, the stores of engines, and registries."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *EVERYWHERE,
        *bound(
            "open convert diagnose mark copy-image search-lines",
            "log compare formats add-registry forget-registry filter sort reverse inside outside"
            " copy-digest copy refresh",
            "filter search-lines",
        ),
    ]
    name_in_commands = BROWSER

    def __init__(self, folder: Path | None = None, label: str = "") -> None:
        """`label` is what the folder is called, its path without one."""
        super().__init__()
        self.places = BrowseTree(roots(folder, label))
        self.card = BrowseCard()
        self.branches = BrowseList(self.places, self.card)

    def compose(self) -> ComposeResult:
        yield MarksLine()
        with Horizontal():
            yield self.branches
            yield self.card
        yield KeyLine()

    @property
    def line(self) -> Line | None:
        """The line under the cursor."""
        return self.branches.line

    def put_cursor(self, target: str) -> None:
        """Put the cursor on a checkpoint, if it is listed."""
        for _, line in self.places.shown:
            if line.entry.target == target:
                self.branches.table.go_to(line.key)

    @on(events.ScreenResume)
    def _resumed(self) -> None:
        if self.branches.is_mounted:
            self.branches.show()

    @on(events.ScreenSuspend)
    def _suspended(self) -> None:
        self.card.abandon_job()

    # The tree

    @on(VirtualTable.RowChosen)
    def action_open(self) -> None:
        entry = self.line.entry if self.line else None
        if entry is not None and entry.kind is Kind.LOG:
            self.app.post_message(ShowLog(entry.target))
        elif entry is not None and entry.target:
            self.app.post_message(ShowCheckpoint(entry.target))
        elif self.line is not None and self.line.is_branch:
            self.branches.toggle(self.line)

    def action_look_inside(self) -> None:
        """Open a branch: a folder, the images in an archive, or what an image is made of."""
        line = self.line
        if line is not None and line.can_be_listed and not line.is_open:
            self.branches.toggle(line)

    def action_close_branch(self) -> None:
        """Close the branch under the cursor, or go to the one that the cursor is in."""
        if self.line is not None and self.line.is_open:
            self.branches.toggle(self.line)
        else:
            self.branches.go_up()

    def action_sort(self) -> None:
        column = -1 if self.places.sorted is None else self.places.sorted[0]
        self._sort((column + 1) % len(COLUMNS))

    def action_reverse(self) -> None:
        self._sort(self.places.sorted[0] if self.places.sorted else 0)

    @on(VirtualTable.HeaderChosen)
    def _header(self, message: VirtualTable.HeaderChosen) -> None:
        self._sort(message.column)

    def _sort(self, column: int) -> None:
        self.branches.table.show_sorted(*self.places.sort(column))
        self.branches.show()

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        self.places.filter(message.text)
        self.branches.show("No line has that text" if message.text else None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in TYPING and isinstance(self.focused, Input):
            return False
        return super().check_action(action, parameters)

    def action_filter(self) -> None:
        self.query_one(SearchBar).open("filter")

    def action_search(self) -> None:
        self.query_one(SearchBar).open("search")

    def action_refresh_list(self) -> None:
        branch = self.places.list_around(self.line) if self.line else None
        if branch is not None:
            self.card.forget()
            self.branches.list_again(branch)

    def action_add_registry(self) -> None:
        """Ask for a registry, and list what is in it."""
        from ckpt_tui.ui.screens.pick import AskScreen

        self.app.push_screen(AskScreen("registry", "HOST[:PORT][/REPO]"), self._add_registry)

    def _add_registry(self, text: str | None) -> None:
        if not text:
            return
        try:
            added = self.places.add(self.places.roots[-1], add_registry(text.strip()))
        except CkptError as error:
            self.card.show(problem_sections(error))
            return
        self.branches.show()
        self.branches.table.go_to(added.key)
        self.branches.list_again(added)

    def action_forget_registry(self) -> None:
        """Take the registry under the cursor from the list."""
        if self.line is None:
            return
        try:
            forget_registry(self.line.entry)
        except CkptError as error:
            self._warn(printable(str(error)))
        self.branches.list_again(self.places.roots[-1])

    # Marks

    def action_mark(self) -> None:
        """Mark what is under the cursor to be compared, or unmark it."""
        if entry := self._checkpoint("compared"):
            self.places.toggle_mark(entry.target)
            self._show_marks()

    def _show_marks(self) -> None:
        self.query_one(MarksLine).show(len(self.places.marked))
        self.branches.show()

    def action_compare(self) -> None:
        """Show what differs between the marked checkpoints, in the order of marking."""
        if len(self.places.marked) > 1:
            self.app.post_message(ShowComparison(self.places.marked))
            return
        key = own_key(self.app, "mark")
        self._warn(f"Mark two checkpoints or more: {key} marks what is under the cursor.")

    # What leads elsewhere

    def action_diagnose(self) -> None:
        """Open what is under the cursor at its diagnosis."""
        if entry := self._checkpoint("diagnosed", "; a log opens with enter"):
            self.app.post_message(ShowCheckpoint(entry.target, "Diagnosis"))

    def action_formats(self) -> None:
        if entry := self._checkpoint("restored"):
            from ckpt_tui.ui.screens.formats import FormatsScreen

            self.app.push_screen(FormatsScreen(entry.target))

    def action_convert(self) -> None:
        if entry := self._checkpoint("converted"):
            from ckpt_tui.ui.screens.convert import ConvertScreen

            self.app.push_screen(ConvertScreen(entry.target), lambda _: self.action_refresh_list())

    def action_copy_image(self) -> None:
        """Copy the image under the cursor elsewhere."""
        line = self.line
        if line is None or not line.is_image:
            self._warn("Only an image is copied, or an archive of one; c converts a checkpoint.")
            return
        from ckpt_tui.ui.screens.copy import CopyScreen

        self.app.push_screen(CopyScreen(line.entry.target), lambda _: self.action_refresh_list())

    def _checkpoint(self, done: str, more: str = "") -> Entry | None:
        """Return what is under the cursor if that can be a checkpoint; else say what is not done
        with it."""
        entry = self.line.entry if self.line else None
        if entry is not None and entry.target and entry.kind is not Kind.LOG:
            return entry
        self._warn(f"Only a checkpoint can be {done}{more}.")
        return None

    def _warn(self, text: str) -> None:
        self.notify(text, severity="warning", markup=False)

    async def action_copy(self) -> None:
        if self.line is not None:
            entry = self.line.entry
            is_part = entry.kind is Kind.PART
            text = entry.target or (entry.digest if is_part else entry.path)
            await send_to_clipboard(self.app, text, "the digest" if is_part else "the path")

    async def action_copy_digest(self) -> None:
        if self.line is not None and self.line.entry.digest:
            await send_to_clipboard(self.app, self.line.entry.digest, "the digest")
        else:
            self._warn("No digest is known of it.")

    def action_back(self) -> None:
        if self.branches.cancel_job() or self.card.cancel_job():
            return
        bar = self.query_one(SearchBar)
        if bar.is_open:
            bar.close()
        elif self.places.marked:
            self.places.marked.clear()
            self._show_marks()
        else:
            self.branches.go_up()

    def action_leave(self) -> None:
        self.app.exit()
