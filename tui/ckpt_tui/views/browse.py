"""The browser's tree as rows: places, folders, archives, images, and what images are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_bytes, human_duration, printable, short_digest
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.table import Column, Row, matcher

COLUMNS = (
    Column("WHERE", share=4, least=36, shrink="middle"),
    Column("SIZE", width=9, align="right"),
    Column("AGE", width=6, align="right", optional=True),
    Column("WHAT", width=10, optional=True),
    Column("DIGEST", width=12, optional=True),
)

PREVIEW_LIMIT = 256 << 20
"""Bytes of a packed archive above which the card waits for a key: reading it takes a while."""

_NUMBERS = re.compile(r"(\d{1,18})")


@dataclass(slots=True)
class Node:
    """One line of the tree."""

    label: str
    path: str
    """What lists its children; of an image, where it is listed."""
    target: str = ""
    """Opens it as a checkpoint; empty for what only leads to others."""
    what: str = ""
    size: int = 0
    mtime: float = 0
    note: str = ""
    is_open: bool = False
    children: list[Node] | None = field(default=None)
    """None: not listed yet."""
    digest: str = ""
    log: str = ""
    """Path of a log of CRIU."""
    facts: Sequence[tuple[str, str]] = ()
    """What the card says without opening anything."""
    is_image: bool = False
    """Whether there are manifests and layers in it to look at."""
    is_part: bool = False
    """Whether it is a layer or the like, which neither opens nor leads on."""
    is_archive: bool = False
    """Whether it is a file in which there may be images to look at."""
    holds_images: bool = False
    """Whether that is likely."""
    is_known: bool = True
    """False for a tag of which nothing but its name is known yet."""

    @property
    def is_branch(self) -> bool:
        leads = not (self.target or self.is_part or self.log)
        return self.children is not None or self.is_image or self.holds_images or leads

    @property
    def opens(self) -> str:
        """What enter opens: a checkpoint or a log."""
        return self.target or self.log

    @property
    def key(self) -> Hashable:
        return (self.path, self.opens, self.label)


SORTS: tuple[Callable[[Node], Any], ...] = (
    lambda node: natural(node.label),
    lambda node: node.size,
    lambda node: -node.mtime,
    lambda node: (node.what, natural(node.label)),
    lambda node: node.digest,
)
"""What nodes sort by, for each column."""


def natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key that puts v9 before v10."""
    parts = _NUMBERS.split(text.casefold())
    return [(p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in parts if p]


class BrowseRows:
    """The open part of the tree, flattened."""

    def __init__(self, roots: Sequence[Node], now: datetime | None = None) -> None:
        self.roots = roots
        self._now = now or datetime.now(UTC)
        self._lines: list[tuple[int, Node]] = []
        self._matches: Callable[[str], bool] | None = None
        self.sorted: tuple[int, bool] | None = None
        """Column and whether the other way; None: as it was listed."""
        self.marked: list[str] = []
        """Targets of the checkpoints to be compared, in the order in which they were marked."""
        self.refill()

    def refill(self, needle: str | None = None) -> None:
        """Flatten again, after a branch was opened or closed; keep only lines with `needle`."""
        if needle is not None:
            self._matches = matcher(needle) if needle.strip() else None
        self._lines = [
            (depth, node)
            for depth, node in self._walk(self.roots, 0)
            if self._matches is None
            or self._matches("\n".join((node.label, node.note, node.what, node.digest)))
        ]

    def _walk(self, nodes: Sequence[Node], depth: int) -> Iterator[tuple[int, Node]]:
        if depth and self.sorted is not None and not any(node.is_part for node in nodes):
            column, other_way = self.sorted
            nodes = sorted(nodes, key=SORTS[column], reverse=other_way)
        for node in nodes:
            yield depth, node
            if node.is_open:
                yield from self._walk(node.children or (), depth + 1)

    def toggle_mark(self, target: str) -> None:
        """Mark a checkpoint to be compared, or unmark it."""
        if target in self.marked:
            self.marked.remove(target)
        else:
            self.marked.append(target)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int, /) -> Row:
        depth, node = self._lines[index]
        label = styled(f"{self._sign(node)} ".rjust(2 * depth + 2))
        label += (printable(node.label), "heading" if not depth else "")
        if node.note:
            label += (f"  {printable(node.note)}", "muted")
        return Row(
            key=node.key,
            cells=(
                label,
                human_bytes(node.size) if node.size else "",
                self._age(node.mtime),
                printable(node.what),
                printable(short_digest(node.digest)) if node.digest else "",
            ),
        )

    def _sign(self, node: Node) -> str:
        if node.target in self.marked:
            return f"●{self.marked.index(node.target) + 1}"
        return (OPEN if node.is_open else SHUT) if node.is_branch else ""

    def _age(self, mtime: float) -> str:
        return human_duration(max(0.0, self._now.timestamp() - mtime)) if mtime else ""

    def index_of(self, key: Hashable, /) -> int | None:
        return next((i for i, (_, node) in enumerate(self._lines) if node.key == key), None)

    def node(self, key: Hashable) -> Node | None:
        """Return the node of a row."""
        return next((node for _, node in self._lines if node.key == key), None)

    def between(self, first: int, beyond: int) -> list[Node]:
        """Return the nodes of some lines."""
        return [node for _, node in self._lines[max(0, first) : beyond]]

    def parent(self, key: Hashable) -> Node | None:
        """Return the branch that a row is in."""
        index = self.index_of(key)
        if index is None:
            return None
        depth = self._lines[index][0]
        above = reversed(self._lines[:index])
        return next((node for d, node in above if d == depth - 1), None)
