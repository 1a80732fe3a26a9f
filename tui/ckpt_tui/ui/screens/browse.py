"""The browser: where checkpoints are on the left, what is under the cursor on the right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count, printable
from ckpt_tui.ui.commands import BROWSER, bindings_for, own_key
from ckpt_tui.ui.jobs import JobCancelled, JobDone, JobFailed, JobHost, JobProgress
from ckpt_tui.ui.places import (
    Card,
    add_registry,
    card_of,
    forget_registry,
    list_children,
    log_card,
    roots,
)
from ckpt_tui.ui.remote import Repositories
from ckpt_tui.ui.screens.browse_opening import BrowseOpening
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.marks_line import MarksLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.browse import COLUMNS, BrowseRows, Node
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.node import inside_sections, is_looked_into, known_sections, node_sections
from ckpt_tui.views.problem import problem_sections

PAUSE_S = 0.15
"""Seconds the cursor rests on a line before it is looked into."""

LISTING, LOOKING, DESCRIBING = "Listing", "Looking into", "Asking about"

TAGS_AHEAD = 10
"""Tags below those in view that are asked about with them."""


class BrowseScreen(JobHost, BrowseOpening):
    """Folders, the own store, the stores of engines, and registries."""

    CSS_PATH = "browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings_for(BROWSER)]
    name_in_commands = BROWSER

    def __init__(self, folder: Path | None = None, label: str = "") -> None:
        """`label` is what the folder is called, its path without one."""
        super().__init__()
        self.rows = BrowseRows(roots(folder, label))
        self._waiting: list[Node] = []
        self._listed: Node | None = None
        self._looked: dict[str, Card] = {}
        self._looking = ""
        self._repositories = Repositories()

    def compose(self) -> ComposeResult:
        yield MarksLine()
        with Horizontal():
            with Vertical(classes="list"):
                yield VirtualTable(COLUMNS, self.rows, empty="Nothing to show")
                yield SearchBar()
            with Vertical(classes="card"):
                yield Facts(empty="")
                yield StackedBar(empty="")
        yield JobBar()
        yield KeyLine(BROWSER)

    def on_mount(self) -> None:
        self.table.focus()
        self._waiting = [node for node in self.rows.roots if node.is_open]
        self._list_next()

    @property
    def table(self) -> VirtualTable:
        return self.query_one(VirtualTable)

    @property
    def node(self) -> Node | None:
        """The node under the cursor."""
        row = self.table.highlighted
        return self.rows.node(row.key) if row else None

    def put_cursor(self, target: str) -> None:
        """Put the cursor on a checkpoint, if it is listed."""
        for root in self.rows.roots:
            for node in root.children or ():
                if node.target == target:
                    self.table.go_to(node.key)

    def _list_next(self) -> None:
        if self._waiting:
            self._looking = ""
            node = self._listed = self._waiting.pop(0)
            self.start_job(f"{LISTING} {node.label}", lambda p: self._list(node, p))

    def _list(self, node: Node, progress: Progress) -> list[Node]:
        """List a branch in the thread of a job; the first time, what was found so far is shown."""
        found: list[Node] = []
        if node.children is None:
            node.children = found
        for child in list_children(node, progress, self._repositories):
            found.append(child)
            progress.tick(0)
        return found

    @on(JobProgress)
    def _progressed(self) -> None:
        node = self._listed
        if node is not None and node.children:
            node.is_open = True
            self.refill()

    @on(JobDone)
    def _done(self, message: JobDone) -> None:
        if isinstance(message.result, Card):
            self._looked[self._looking] = message.result
            self._looking = ""
            self._show_card()
            self._describe()
            return
        if self._listed is not None and isinstance(message.result, list):
            self._listed.children = message.result
            self._listed.is_open = True
            self._listed = None
        self.refill()
        self._list_next()
        self._show_card()
        self._describe()

    def _describe(self) -> None:
        """Find out what the tags in view are; others cost requests that nobody needs."""
        if self._waiting or self._listed is not None or self._looking or not self.is_current:
            return
        top = self.table.scroll_offset.y
        seen = self.rows.between(top, top + self.table.size.height + TAGS_AHEAD)
        unknown = [node for node in seen if self._repositories.wants(node)]
        if unknown:
            name = f"{DESCRIBING} {human_count(len(unknown), 'tag')}"
            self.start_job(name, lambda p: self._repositories.describe(unknown, p))

    @on(JobFailed)
    def _failed(self, message: JobFailed) -> None:
        if self._listed is not None and message.name.startswith(LISTING):
            if self._listed.is_archive:  # which opens all the same
                self._listed.children = None
            else:
                self._listed.children = []
                self._listed.note = message.error.why or message.error.what
            self._listed = None
            self.refill()
            self._list_next()
        self._looking = ""
        inside = inside_sections(self.node, own_key(self.app, "inside"))
        self._show([*known_sections(self.node), *problem_sections(message.error), *inside])
        if message.name.startswith(LOOKING):
            self._describe()

    @on(JobCancelled)
    def _cancelled(self) -> None:
        if self._listed is not None and not self._listed.children:
            self._listed.children = None  # nothing is known of it
            self.refill()
        self._looking, self._listed = "", None
        self._show([Section("", [Fact("", "Stopped. Enter opens it.")])])

    @on(events.ScreenResume)
    def _resumed(self) -> None:
        self._describe()

    def refill(self) -> None:
        """Show the tree as it is now."""
        self.rows.refill()
        self.table.set_rows(self.rows)

    @on(VirtualTable.RowHighlighted)
    def _highlighted(self) -> None:
        self._show_card()
        if not self.job_running:
            self._describe()

    @on(VirtualTable.RowChosen)
    def _chosen(self) -> None:
        self.action_open()

    def _show_card(self) -> None:
        node = self.node
        if node is not None and node.opens in self._looked:
            self._show_found(self._looked[node.opens])
            return
        self._show(node_sections(node) if node else [])
        if node is not None and is_looked_into(node):
            self.set_timer(PAUSE_S, lambda: self._look_into(node))

    def _look_into(self, node: Node) -> None:
        """Look into a node if the cursor still rests on it and nothing else is under way."""
        busy = self.job_running and not self._looking
        if busy or not self.is_current or node is not self.node or node.opens in self._looked:
            return
        self._looking = node.opens
        target, log = node.target, node.log

        def look(progress: Progress) -> Card:
            return log_card(log, progress) if log else card_of(target, progress)

        self.start_job(f"{LOOKING} {node.label}", look)

    def _show_found(self, found: Card) -> None:
        self._show([*found.sections, *known_sections(self.node)])
        bar = self.query_one(StackedBar)
        bar.show(found.parts)
        bar.add_class("-there")

    def _show(self, sections: Sequence[Section]) -> None:
        self.query_one(Facts).show(sections)
        self.query_one(StackedBar).remove_class("-there")

    @on(SearchBar.FilterChanged)
    def _filter(self, message: SearchBar.FilterChanged) -> None:
        self.rows.refill(message.text)
        self.table.set_rows(self.rows, "No line has that text" if message.text else None)
        self._show_card()

    def action_open(self) -> None:
        node = self.node
        if node is None:
            return
        if node.target:
            self.open_checkpoint(node.target)
        elif node.log:
            self.open_log(node.log)
        elif node.is_branch:
            self._toggle(node)

    def action_look_inside(self) -> None:
        """Open a branch: a folder, the images in an archive, or what an image is made of."""
        node = self.node
        if node is not None and (node.is_branch or node.is_archive) and not node.is_open:
            self._toggle(node)

    def action_close_branch(self) -> None:
        """Close the branch under the cursor, or go to the one that the cursor is in."""
        node = self.node
        if node is not None and node.is_open and node.children is not None:
            self._toggle(node)
        else:
            self._go_up()

    def _go_up(self) -> None:
        if self.node is not None and (branch := self.rows.parent(self.node.key)):
            self.table.go_to(branch.key)

    def _toggle(self, node: Node) -> None:
        if node.is_open or node.children is not None:
            node.is_open = not node.is_open
            self.refill()
            self._describe()
        else:
            self._waiting = [node]
            self._list_next()

    def action_sort(self) -> None:
        column = -1 if self.rows.sorted is None else self.rows.sorted[0]
        self._sort((column + 1) % len(COLUMNS))

    def action_reverse(self) -> None:
        self._sort(self.rows.sorted[0] if self.rows.sorted else 0)

    @on(VirtualTable.HeaderChosen)
    def _header(self, message: VirtualTable.HeaderChosen) -> None:
        self._sort(message.column)

    def _sort(self, column: int) -> None:
        """Sort the lines of each branch by a column; again, the other way."""
        other_way = self.rows.sorted == (column, False)
        self.rows.sorted = (column, other_way)
        self.table.show_sorted(column, other_way)
        self.refill()
        self._describe()

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
            is_list = node.is_branch and not (node.is_image or node.is_archive)
            branch = node if is_list else self.rows.parent(node.key)
            if branch is not None:
                self._looked.clear()
                self._waiting = [branch]
                self._list_next()

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
        branch = self.rows.roots[-1]
        branch.note, branch.is_open = "", True
        branch.children = [n for n in branch.children or [] if n.path != added.path] + [added]
        self.refill()
        self.table.go_to(added.key)
        self._waiting = [added]
        self._list_next()

    def action_forget_registry(self) -> None:
        """Take the registry under the cursor from the list."""
        node = self.node
        if node is None:
            return
        try:
            forget_registry(node)
        except CkptError as error:
            self.notify(printable(str(error)), severity="warning", markup=False)
        self._waiting = [self.rows.roots[-1]]
        self._list_next()

    def action_back(self) -> None:
        if self.cancel_job():
            return
        bar = self.query_one(SearchBar)
        if bar.is_open:
            bar.close()
        elif not self.clear_marks():
            self._go_up()

    def action_leave(self) -> None:
        self.app.exit()

    def on_unmount(self) -> None:
        self._repositories.close()
