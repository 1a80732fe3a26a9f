"""The browser's tree as rows: places, folders, archives, images in a layout."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.text import Text

from ckpt_tui.core.text import human_bytes, human_duration, printable
from ckpt_tui.ui.rows.meanings import OPEN, SHUT
from ckpt_tui.ui.rows.table import Column, Row

COLUMNS = (
    Column("WHERE", share=4, shrink="middle"),
    Column("SIZE", width=9, align="right"),
    Column("AGE", width=6, align="right", optional=True),
    Column("WHAT", width=10, optional=True),
)

PREVIEW_LIMIT = 256 << 20
"""Bytes of a packed archive above which the card waits for a key: reading it takes a while."""


@dataclass(slots=True)
class Node:
    """One line of the tree. `target` opens it as a checkpoint, "" for what only leads to others;
    `path` is what lists its children."""

    label: str
    path: str
    target: str = ""
    what: str = ""
    size: int = 0
    mtime: float = 0
    note: str = ""
    is_open: bool = False
    children: list[Node] | None = field(default=None)
    """None: not listed yet."""

    @property
    def is_branch(self) -> bool:
        return self.children is not None or not self.target

    @property
    def key(self) -> Hashable:
        return (self.path, self.target, self.label)


class BrowseRows:
    """The open part of the tree, flattened."""

    def __init__(self, roots: Sequence[Node], now: datetime | None = None) -> None:
        self.roots = roots
        self._now = now or datetime.now(UTC)
        self._lines: list[tuple[int, Node]] = []
        self._needle = ""
        self.marked = "-"
        """Target of the checkpoint that is marked to be compared, `-` for none."""
        self.refill()

    def refill(self, needle: str | None = None) -> None:
        """Flatten again, after a branch was opened or closed; keep only lines with `needle`."""
        self._needle = self._needle if needle is None else needle.lower()
        self._lines = [
            (depth, node)
            for depth, node in self._walk(self.roots, 0)
            if not self._needle or self._needle in node.label.lower()
        ]

    def _walk(self, nodes: Sequence[Node], depth: int) -> Iterator[tuple[int, Node]]:
        for node in nodes:
            yield depth, node
            if node.is_open:
                yield from self._walk(node.children or (), depth + 1)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int, /) -> Row:
        depth, node = self._lines[index]
        leaf = "● " if node.target == self.marked else "  "
        mark = f"{OPEN if node.is_open else SHUT} " if node.is_branch else leaf
        label = Text("  " * depth + mark)
        label.append(printable(node.label), "heading" if not depth else "")
        if node.note:
            label.append(f"  {printable(node.note)}", "muted")
        return Row(
            key=node.key,
            cells=(
                label,
                human_bytes(node.size) if node.size else "",
                self._age(node.mtime),
                printable(node.what),
            ),
        )

    def _age(self, mtime: float) -> str:
        return human_duration(max(0.0, self._now.timestamp() - mtime)) if mtime else ""

    def index_of(self, key: Hashable, /) -> int | None:
        return next((i for i, (_, node) in enumerate(self._lines) if node.key == key), None)

    def node(self, key: Hashable) -> Node | None:
        """Return the node of a row."""
        return next((node for _, node in self._lines if node.key == key), None)

    def parent(self, key: Hashable) -> Node | None:
        """Return the branch that a row is in."""
        index = self.index_of(key)
        if index is None:
            return None
        depth = self._lines[index][0]
        above = reversed(self._lines[:index])
        return next((node for d, node in above if d == depth - 1), None)
