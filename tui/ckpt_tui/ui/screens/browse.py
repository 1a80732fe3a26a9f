"""The browser: where checkpoints are on the left, what is under the cursor on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Static

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import BROWSER, DIAGNOSIS_TAB, bindings_for
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed, JobHost
from ckpt_tui.ui.places import Card, add_registry, card_of, list_children, roots
from ckpt_tui.ui.rows.browse import COLUMNS, PREVIEW_LIMIT, BrowseRows, Node
from ckpt_tui.ui.rows.facts import Fact, Section
from ckpt_tui.ui.rows.problem import problem_sections
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable

PAUSE_S = 0.15
"""Seconds the cursor rests on a line before it is looked into."""

LISTING, LOOKING = "Listing", "Looking into"


class BrowseScreen(JobHost, Screen[None]):
    """Folders, the own store, podman's storage and kubelet's folder."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(BROWSER)]
    name_in_commands = BROWSER

    def __init__(self, folder: Path | None = None, label: str = "") -> None:
        """`label` is what the folder is called, its path without one."""
        super().__init__()
        self._rows = BrowseRows(roots(folder, label))
        self._waiting: list[Node] = []
        self._listed: Node | None = None
        self._looked: dict[str, Card] = {}
        self._looking = ""

    def compose(self) -> ComposeResult:
        yield Static(" ckpt-tui", id="title")
        with Horizontal():
            with Vertical(classes="list"):
                yield VirtualTable(COLUMNS, self._rows, empty="Nothing to show")
                yield SearchBar()
            with Vertical(classes="card"):
                yield Facts(empty="")
                yield StackedBar(empty="")
        yield JobBar()
        yield KeyLine(BROWSER)

    def on_mount(self) -> None:
        self.table.focus()
        self._waiting = [node for node in self._rows.roots if node.is_open]
        self._list_next()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        row = self.table.highlighted
        return self._rows.node(row.key) if row else None

    def put_cursor(self, target: str) -> None:
        """Put the cursor on a checkpoint, if it is listed."""
        for root in self._rows.roots:
            for node in root.children or ():
                if node.target == target:
                    self.table.go_to(node.key)

    def _list_next(self) -> None:
        if self._waiting:
            self._looking = ""
            node = self._listed = self._waiting.pop(0)
            self.start_job(f"{LISTING} {node.label}", lambda p: list_children(node, p))

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if isinstance(message.result, Card):
            self._looked[self._looking] = message.result
            self._show_card()
            return
        if self._listed is not None and isinstance(message.result, list):
            self._listed.children = message.result
            self._listed.is_open = True
            self._refill()
        self._list_next()
        self._show_card()

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self._listed is not None and message.name.startswith(LISTING):
            self._listed.children = []
            self._listed.note = message.error.why or message.error.what
            self._refill()
            self._list_next()
        self._show(problem_sections(message.error))

    @on(JobCancelled)
    def _cancelled(self) -> None:
        self._show([Section("", [Fact("", "Stopped. Enter opens it.")])])

    def _refill(self) -> None:
        self._rows.refill()
        self.table.set_rows(self._rows)

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._show_card()

    @on(VirtualTable.RowChosen)
    def _chosen(self) -> None:
        self.action_open()

    def _show_card(self) -> None:
        node = self.node
        if node is None:
            self._show([])
        elif not node.target:
            self._show(
                [Section("", [Fact("", printable(node.path)), Fact("", _branch_text(node))])]
            )
        elif node.target in self._looked:
            self._show_found(self._looked[node.target])
        elif node.size > PREVIEW_LIMIT:
            text = "Large: enter opens it, with progress and a way to stop."
            self._show([Section("", [Fact("", printable(node.label)), Fact("", text)])])
        else:
            self._show([Section("", [Fact("", printable(node.label))])])
            self.set_timer(PAUSE_S, lambda: self._look_into(node))

    def _look_into(self, node: Node) -> None:
        """Look into a node if the cursor still rests on it and nothing else is under way."""
        busy = self.job_running and not self._looking
        if busy or not self.is_current or node is not self.node or node.target in self._looked:
            return
        self._looking = node.target
        target = node.target

        def look(progress: Progress) -> Card:
            return card_of(target, progress)

        self.start_job(f"{LOOKING} {node.label}", look)

    def _show_found(self, found: Card) -> None:
        self._show(found.sections)
        bar = self.query_one(StackedBar)
        bar.show(found.parts)
        bar.add_class("-there")

    def _show(self, sections: Sequence[Section]) -> None:
        self.query_one(Facts).show(sections)
        self.query_one(StackedBar).remove_class("-there")

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        self._rows.refill(message.text)
        self.table.set_rows(self._rows, "No line has that text" if message.text else None)

    def action_open(self) -> None:
        node = self.node
        if node is None:
            return
        if node.target and not node.children:
            self._open(node.target)
        elif node.is_open:
            node.is_open = False
            self._refill()
        elif node.children is not None:
            node.is_open = True
            self._refill()
        else:
            self._waiting = [node]
            self._list_next()

    def _open(self, target: str, tab: int = 1) -> None:
        from ckpt_tui.ui.screens.checkpoint import CheckpointScreen

        self.cancel_quietly()
        self.app.push_screen(CheckpointScreen(target, tab))

    def action_diagnose(self) -> None:
        """Open what is under the cursor at its diagnosis."""
        node = self.node
        if node is not None and node.target:
            self._open(node.target, DIAGNOSIS_TAB)

    def action_formats(self) -> None:
        target = self.node.target if self.node else ""
        if target:
            from ckpt_tui.ui.screens.formats import FormatsScreen

            self.cancel_quietly()
            self.app.push_screen(FormatsScreen(target))

    def action_mark(self) -> None:
        """Mark what is under the cursor; with another one marked, compare the two."""
        target = self.node.target if self.node else ""
        if not target:
            self.notify("Only checkpoints can be compared.", severity="warning", markup=False)
            return
        marked, self._rows.marked = self._rows.marked, "-"
        if marked == "-":
            self._rows.marked = target
            self.notify("Marked: space on another one compares the two.", markup=False)
        elif marked != target:
            from ckpt_tui.ui.screens.compare import CompareScreen

            self.cancel_quietly()
            self.app.push_screen(CompareScreen(marked, target))
        self._refill()

    def cancel_quietly(self) -> None:
        """Stop looking into what is under the cursor: something else is about to be shown."""
        self._looking = ""
        self.cancel_job()

    def action_filter(self) -> None:
        self.query_one(SearchBar).open("filter")

    def action_search(self) -> None:
        self.query_one(SearchBar).open("search")

    def action_refresh_list(self) -> None:
        node = self.node
        if node is not None:
            branch = node if node.is_branch else self._rows.parent(node.key)
            if branch is not None:
                self._looked.clear()
                self._waiting = [branch]
                self._list_next()

    def action_convert(self) -> None:
        node = self.node
        if node is None or not node.target:
            self.notify("Only a checkpoint can be converted.", severity="warning", markup=False)
            return
        from ckpt_tui.ui.screens.convert import ConvertScreen

        self.cancel_quietly()
        self.app.push_screen(ConvertScreen(node.target), lambda _: self.action_refresh_list())

    def action_copy_image(self) -> None:
        """Copy the image under the cursor elsewhere."""
        node = self.node
        if node is None or not node.target.startswith(("oci:", "docker://")):
            self.notify(
                "Only an image in a layout or registry is copied; c converts an archive to one.",
                severity="warning",
                markup=False,
            )
            return
        from ckpt_tui.ui.screens.copy import CopyScreen

        self.cancel_quietly()
        self.app.push_screen(CopyScreen(node.target), lambda _: self.action_refresh_list())

    def action_add_registry(self) -> None:
        """Ask for a registry, and list what is in it."""
        from ckpt_tui.ui.screens.pick import AskScreen

        self.app.push_screen(AskScreen("registry", "HOST[:PORT][/REPO]"), self._add_registry)

    def _add_registry(self, text: str | None) -> None:
        if not text:
            return
        try:
            added = add_registry(text.strip())
        except CkptError as error:
            self._show(problem_sections(error))
            return
        branch = self._rows.roots[-1]
        branch.note, branch.is_open = "", True
        branch.children = [n for n in branch.children or [] if n.path != added.path] + [added]
        self._refill()
        self.table.go_to(added.key)
        self._waiting = [added]
        self._list_next()

    async def action_copy(self) -> None:
        if self.node is not None:
            await send_to_clipboard(self.app, self.node.target or self.node.path, "the path")

    def action_back(self) -> None:
        if self.cancel_job():
            return
        bar = self.query_one(SearchBar)
        if bar.is_open:
            bar.close()
            return
        node = self.node
        if node is not None:
            branch = self._rows.parent(node.key)
            if branch is not None:
                self.table.go_to(branch.key)

    def action_leave(self) -> None:
        self.app.exit()


def _branch_text(node: Node) -> str:
    if node.note:
        return printable(node.note)
    if node.children is None:
        return "Enter lists what is in it."
    return f"{len(node.children)} entries" if node.children else "No checkpoint in it."
