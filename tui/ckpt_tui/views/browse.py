"""The browser's tree as rows, and what the card says of a line before anything is opened."""

from __future__ import annotations

from collections.abc import Hashable

from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_bytes, human_count, printable, some_bytes
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.views import listing
from ckpt_tui.views.browse_tree import LEADING, BrowseTree, Line
from ckpt_tui.views.facts import Fact, Section, known
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.table import Column, Row

COLUMNS = (
    Column("WHERE", share=4, least=36, shrink="middle"),
    Column("SIZE", width=9, align="right"),
    Column("AGE", width=6, align="right", optional=True),
    Column("WHAT", width=10, optional=True),
    Column("DIGEST", width=12, optional=True),
)

PREVIEW_LIMIT = 256 << 20
"""Bytes of a packed archive above which the card waits for a key: reading it takes a while."""

OTHER_IMAGES = ("image", "index", "artifact")
"""Contents that are looked into only when they are opened."""


class BrowseRows:
    """The lines that a tree shows, as rows."""

    def __init__(self, tree: BrowseTree) -> None:
        """Ages are those of this moment."""
        self._tree = tree
        self._now = listing.now()

    def __len__(self) -> int:
        return len(self._tree.shown)

    def __getitem__(self, index: int, /) -> Row:
        depth, line = self._tree.shown[index]
        entry = line.entry
        label = styled(f"{self._sign(line)} ".rjust(2 * depth + 2))
        label += (printable(entry.name), "heading" if not depth else "")
        if line.note:
            label += (f"  {printable(line.note)}", "muted")
        age = listing.age(entry, self._now)
        known = (some_bytes(entry.size), age, listing.what(entry), listing.digest(entry))
        return Row(line.key, (label, *map(printable, known)))

    def _sign(self, line: Line) -> str:
        marked = self._tree.marked
        if line.entry.target in marked:
            return f"●{marked.index(line.entry.target) + 1}"
        return (OPEN if line.is_open else SHUT) if line.is_branch else ""

    def index_of(self, key: Hashable, /) -> int | None:
        return self._tree.index_of(key)


def is_looked_into(entry: Entry) -> bool:
    """Return whether the card opens what is under the cursor by itself."""
    is_other = entry.kind is Kind.TAG or entry.content in OTHER_IMAGES or entry.problem is not None
    return bool(entry.target) and not is_other and (entry.size or 0) <= PREVIEW_LIMIT


def line_sections(line: Line) -> list[Section]:
    """Return what the card says of a line that was not looked into."""
    entry = line.entry
    rest = known_sections(entry)
    first: tuple[str, ...] = ()
    if not entry.target and entry.kind in LEADING:
        first = "" if entry.kind is Kind.REGISTRIES else entry.path, _branch_text(line)
    elif entry.target and entry.content in ("image", "index"):
        first = ("Not marked as a checkpoint: enter looks for one.",)
    elif entry.target and (entry.size or 0) > PREVIEW_LIMIT:
        first = entry.name, "Large: enter opens it, with progress and a way to stop."
    elif entry.target and not rest:
        first = (entry.name,)
    return [Section("", known(*(("", printable(text)) for text in first))), *rest]


def known_sections(entry: Entry) -> list[Section]:
    """Return what is known of an entry without opening it: digest, type and the like."""
    one = entry.descriptor
    labelled = (
        ("", str(entry.problem) if entry.problem else ""),
        ("target", entry.target if entry.target != entry.path else ""),
        ("role", entry.role),
        ("digest", entry.digest),
        ("type", entry.artifact_type),
        ("size", human_bytes(entry.size or 0) if entry.kind is Kind.PART else ""),
        ("namespace", entry.namespace),
        ("engine", entry.engine if entry.target else ""),
        ("container", entry.container),
        ("of", entry.image),
        ("CRIU", entry.criu),
        *(sorted(one.annotations.items()) if one and entry.role else ()),
    )
    facts = known(*((printable(label), printable(value)) for label, value in labelled))
    return [Section("", facts)] if facts else []


def inside_sections(entry: Entry, key: str) -> list[Section]:
    """Return the way into an archive of images that does not open by itself."""
    if entry.kind is not Kind.IMAGE_ARCHIVE:
        return []
    return [Section("", [Fact("", f"{key} lists the images in it.")])]


def _branch_text(line: Line) -> str:
    if line.note and line.children is not None:
        return printable(line.note)
    if line.children is None:
        return "Enter lists its entries."
    count = human_count(len(line.children), "entry", "entries")
    return count if line.children else "No checkpoints found."
