"""The tab Sizes: a treemap to go down in, the same parts as a list, and what the pages hold."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterator, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.checkpoint.layerstack import StackLayer
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.pagecount import PageCounts, count_checkpoint
from ckpt_tui.checkpoint.sizetree import SizeNode, bytes_after, place_of, size_trees
from ckpt_tui.convert.rootfs import rootfs_layers
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import printable
from ckpt_tui.formats.comparing import load
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.ui.commands import bound, own_key
from ckpt_tui.ui.panes.pane import Pane
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.widgets.list_view import COPY_ONLY, ListView
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.treemap import Treemap
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.choice import MANY
from ckpt_tui.views.size_rows import COLUMNS, about, count_parts, crumbs, node_rows, part_of
from ckpt_tui.views.table import Row, plain

READING = "Reading the layers"
"""The job that reads an image."""

MOST_TILES = 1500
"""Parts that may get a tile: more than fit on any screen."""


class SizesPane(Pane):
    """Where the bytes are; `b` divides them another way."""

    DEFAULT_CSS = """
    SizesPane {
        & #crumbs { height: 1; color: $muted; }
        & Treemap { width: 3fr; }
        & .parts { width: 2fr; border-left: solid $border-blurred; }
        & #about { height: auto; max-height: 4; padding: 0 1; color: $muted; }
        & StackedBar { margin: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bound(
        "used-by count-pages", "pager copy copy-row count-with breakdown"
    )

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint) -> None:
        shown = ListView(COLUMNS, empty="", copied=self._bytes_of, without=COPY_ONLY)
        super().__init__(opened, checkpoint, shown)
        tree = opened.tree
        layers = [t.members for t in tree.trees] if isinstance(tree, LayeredTree) else []
        self._roots = size_trees(checkpoint, tree.members, opened.kind.images, layers, self._rootfs)
        self._way: list[SizeNode] = [*self._roots[:1]]
        """From the root to what is shown."""
        self._inside: Sequence[SizeNode] = ()
        self._entered: list[Sequence[SizeNode]] = []
        """What each node of the way consists of, to come back to."""
        self._layers: Sequence[StackLayer] | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="crumbs")
        with Horizontal():
            yield Treemap()
            with Vertical(classes="parts"):
                yield self.list_view
                yield Static(id="about")
                key = own_key(self.app, "count-pages")
                yield StackedBar(empty=f"{key} counts zero and equal pages")

    def on_mount(self) -> None:
        self._enter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        return action not in ("go_to", "used_by") or self.current_key is not None

    def take_focus(self) -> None:
        self.query_one(Treemap).focus()

    @property
    def node(self) -> SizeNode | None:
        """What is under the cursor."""
        key = self.list_view.current_key
        return self._inside[key] if isinstance(key, int) else None

    @property
    def current_key(self) -> Hashable:
        return self.node.ref if self.node else None

    def _enter(self, chosen: str = "") -> None:
        """Show what the last node of the way consists of, with the cursor on the part `chosen`."""
        node = self._way[-1] if self._way else None
        if node is None or node.inside is None:
            self._show((), "")
        elif node.is_slow and self._layers is None:

            def failed(error: CkptError) -> None:
                self._show((), "", printable(str(error)))
                self.list_view.job_failed(error)

            self._show((), "", f"{READING} …")
            self.list_view.run(
                READING,
                node.inside,
                lambda nodes: self._show(nodes, chosen),
                failed=failed,
                stopped=lambda: self._show((), "", f"{READING} was stopped"),
            )
        elif not self.checkpoint.is_loaded or self._is_long:
            if node.component == "delta" and not self.checkpoint.has_changes:
                self.notify("The changes are being read: these are some of them.", markup=False)
            self.list_view.run("Adding up", node.inside, lambda nodes: self._show(nodes, chosen))
        else:
            self._show(node.inside(quiet()), chosen)

    @property
    def _is_long(self) -> bool:
        """Whether adding up takes longer than a frame."""
        return max(len(self.opened.tree.members), len(self.checkpoint.delta.entries)) > MANY

    def _rootfs(self, progress: Progress) -> Sequence[StackLayer]:
        """Return the layers of the root filesystem, read once. Runs in a thread."""
        if self._layers is None:
            self._layers = rootfs_layers(self.opened, self.checkpoint, "", progress)
        return self._layers

    def _show(self, nodes: Sequence[SizeNode], chosen: str, empty: str = "No bytes") -> None:
        """Show the parts, or in words why there are none."""
        self._inside = nodes
        self._entered[max(0, len(self._way) - 1) :] = [nodes]
        number = place_of(nodes, chosen) if chosen else 0
        names = [root.name for root in self._roots]
        self.query_one("#crumbs", Static).update(
            Content(crumbs(self._way, names, own_key(self.app, "breakdown")))
        )
        table = self.list_view.table
        table.set_rows(node_rows(nodes))
        table.cursor = number
        self._show_about()  # the table tells of another row only if its key is another
        more = max(0, len(nodes) - MOST_TILES)
        self.query_one(Treemap).show(
            [part_of(node) for node in nodes[:MOST_TILES]],
            min(number, MOST_TILES),
            (more, bytes_after(nodes, MOST_TILES)) if more else (0, 0),
            empty,
        )

    def _show_about(self) -> None:
        self.query_one("#about", Static).update(Content(about(self.node)))

    @on(Treemap.TileHighlighted)
    def _tile(self, message: Treemap.TileHighlighted) -> None:
        message.stop()
        if message.index >= 0:
            self.list_view.table.cursor = message.index

    @on(VirtualTable.RowHighlighted)
    def _row(self, message: VirtualTable.RowHighlighted) -> None:
        message.stop()
        self._show_about()
        if self.list_view.table.has_focus:
            self.query_one(Treemap).chosen = message.index

    @on(Treemap.TileChosen)
    def _tile_chosen(self, message: Treemap.TileChosen) -> None:
        message.stop()
        if message.index < 0:
            self.list_view.table.focus()
        else:
            self.action_open()

    def action_open(self) -> None:
        node = self.node
        if node is None:
            return
        if node.inside is not None:
            self._way.append(node)
            self._enter()
        else:
            self.follow(node.ref)

    def back(self) -> bool:
        if self.list_view.back():
            return True
        if len(self._way) < 2:
            return False
        left = self._way.pop()
        if len(self._entered) >= len(self._way):
            self._show(self._entered[len(self._way) - 1], left.name)
        else:
            self._enter(left.name)
        return True

    def action_next_breakdown(self) -> None:
        if self._roots:
            number = self._roots.index(self._way[0])
            self._way = [self._roots[(number + 1) % len(self._roots)]]
            self._enter()

    def action_count_pages(self) -> None:
        dump = self.opened.images, self.checkpoint
        self.list_view.run(
            "Counting pages", lambda progress: count_checkpoint(dump, progress), self._counted
        )

    def action_count_pages_with(self) -> None:
        """Ask for another checkpoint, and count what it has, too."""

        def count(target: str | None) -> None:
            if target:
                self.list_view.run(
                    "Counting pages", partial(self._count_with, target), self._counted
                )

        folder = os.path.dirname(self.opened.target)
        question = AskScreen("shared with", "a path or TARGET", f"{folder}/" if folder else "")
        self.app.push_screen(question, count)

    def _count_with(self, target: str, progress: Progress) -> PageCounts:
        """Runs in a thread."""
        other, checkpoint = load(target, progress)
        try:
            dump = self.opened.images, self.checkpoint
            return count_checkpoint(dump, progress, [(other.images, checkpoint)])
        finally:
            other.close()

    def _counted(self, counts: PageCounts) -> None:
        self.query_one(StackedBar).show(count_parts(counts))
        if not counts.complete:
            said = "There were more contents than are remembered: some duplicates count as unique."
            self.notify(said, severity="warning", markup=False)

    def _bytes_of(self, row: Row) -> str:
        return str(self._inside[row.key].bytes) if isinstance(row.key, int) else ""

    async def action_copy(self) -> None:
        await self.list_view.action_copy()

    async def action_copy_row(self) -> None:
        await self.list_view.action_copy_row()

    def page_lines(self) -> Iterator[str]:
        rows = node_rows(self._inside)
        return ("  ".join(map(plain, rows[number].cells)) for number in range(len(rows)))
