"""The state of the browser's tree: what is listed, open, marked, sorted and filtered."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import natural_key
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.views.listing import PLACES, note, what
from ckpt_tui.views.table import matcher

LEADING = (*PLACES, Kind.REGISTRIES, Kind.REGISTRY, Kind.REPOSITORY)
"""Entries that show at once that there is more in them."""

IMAGES = (Kind.IMAGE, Kind.TAG)


@dataclass(slots=True, eq=False)
class Line:
    """One line of the tree."""

    entry: Entry
    children: list[Line] | None = None
    """None: not listed yet."""
    is_open: bool = False
    problem: CkptError | None = None
    """Why it could not be listed."""

    @classmethod
    def of(cls, entry: Entry) -> Line:
        """Return the line of an entry; what is known to be in it is shown."""
        if entry.parts is None:
            return cls(entry)
        return cls(entry, [cls.of(part) for part in entry.parts], bool(entry.parts))

    @property
    def key(self) -> Hashable:
        """Stays the same when more becomes known of the entry."""
        return self.entry.path, self.entry.target, self.entry.name

    @property
    def note(self) -> str:
        """What is said beside the name."""
        return (self.problem.why or self.problem.what) if self.problem else note(self.entry)

    @property
    def is_image(self) -> bool:
        """Whether it is an image, or an archive of images."""
        is_one = self.entry.kind in IMAGES and bool(self.entry.target)
        return is_one or self.entry.kind is Kind.IMAGE_ARCHIVE

    @property
    def is_branch(self) -> bool:
        """Whether it shows that there is more in it."""
        return self.children is not None or self.entry.kind in LEADING or self.is_image

    @property
    def can_be_listed(self) -> bool:
        return self.is_branch or self.entry.kind is Kind.ARCHIVE

    @property
    def is_list(self) -> bool:
        """Whether it is a place of checkpoints rather than one of them."""
        return self.is_branch and not self.entry.target and self.entry.kind is not Kind.PART

    def text(self) -> str:
        """Return what a filter looks at."""
        return "\n".join((self.entry.name, self.note, what(self.entry), self.entry.digest))


def _created(line: Line) -> float:
    entry = line.entry
    return -entry.created.timestamp() if entry.created and entry.kind not in PLACES else 0.0


SORTS: tuple[Callable[[Line], Any], ...] = (
    lambda line: natural_key(line.entry.name),
    lambda line: line.entry.size or 0,
    _created,
    lambda line: (what(line.entry), natural_key(line.entry.name)),
    lambda line: line.entry.digest,
)
"""What lines sort by, for each column."""


class BrowseTree:
    """Lines under lines, of which those in open branches are shown."""

    def __init__(self, roots: Iterable[Entry]) -> None:
        """A root is listed at once, except for the stores of engines."""
        self.roots = [Line.of(entry) for entry in roots]
        self.shown: list[tuple[int, Line]] = []
        """Depth and line of what is shown."""
        self.marked: list[str] = []
        """Targets of the checkpoints to be compared, in the order in which they were marked."""
        self.sorted: tuple[int, bool] | None = None
        """Column and whether the other way; None: as it was listed."""
        self.listed: Line | None = None
        """The branch that is being listed."""
        self._waiting: list[Line] = []
        self._matches: Callable[[str], bool] | None = None
        for line in self.roots:
            entry = line.entry
            is_listed = entry.kind is not Kind.STORE and entry.parts is None
            line.is_open = is_listed or entry.kind is Kind.REGISTRIES
            if is_listed:
                self._waiting.append(line)
        self.refill()

    # What is shown

    def refill(self) -> None:
        """Work out again what is shown."""
        matches = self._matches
        self.shown = [
            (depth, line)
            for depth, line in self._walk(self.roots, 0)
            if matches is None or matches(line.text())
        ]

    def _walk(self, lines: Sequence[Line], depth: int) -> Iterator[tuple[int, Line]]:
        if depth and self.sorted and all(line.entry.kind is not Kind.PART for line in lines):
            column, other_way = self.sorted
            lines = sorted(lines, key=SORTS[column], reverse=other_way)
        for line in lines:
            yield depth, line
            if line.is_open:
                yield from self._walk(line.children or (), depth + 1)

    def filter(self, text: str) -> None:
        """Show only lines that have every word of a text; all, without any."""
        self._matches = matcher(text) if text.strip() else None
        self.refill()

    def sort(self, column: int) -> tuple[int, bool]:
        """Sort the lines of each branch by a column; again, the other way; return `sorted`."""
        self.sorted = (column, self.sorted == (column, False))
        self.refill()
        return self.sorted

    def toggle_mark(self, target: str) -> None:
        """Mark a checkpoint to be compared, or unmark it."""
        if target in self.marked:
            self.marked.remove(target)
        else:
            self.marked.append(target)

    # Finding lines

    def index_of(self, key: Hashable) -> int | None:
        """Return where a line is shown."""
        return next((i for i, (_, line) in enumerate(self.shown) if line.key == key), None)

    def line(self, key: Hashable) -> Line | None:
        """Return the line of a key, if it is shown."""
        return next((line for _, line in self.shown if line.key == key), None)

    def between(self, first: int, beyond: int) -> list[Line]:
        """Return the lines that are shown from one place to another."""
        return [line for _, line in self.shown[max(0, first) : beyond]]

    def parent(self, line: Line) -> Line | None:
        """Return the branch that a line is shown in."""
        index = self.index_of(line.key)
        if index is None:
            return None
        depth = self.shown[index][0]
        above = reversed(self.shown[:index])
        return next((other for d, other in above if d == depth - 1), None)

    def list_around(self, line: Line) -> Line | None:
        """Return the list that a line is, or the branch that it is shown in."""
        return line if line.is_list else self.parent(line)

    # Listing branches

    def toggle(self, line: Line) -> bool:
        """Open or close a branch; return whether it has to be listed for that."""
        if line.children is None:
            self.list_again(line)
            return True
        line.is_open = not line.is_open
        self.refill()
        return False

    def list_again(self, line: Line) -> None:
        """Let a branch be listed next; the one that is being listed comes again after it."""
        rest = [self.listed] if self.listed else []
        self._waiting = [line, *(one for one in (*rest, *self._waiting) if one is not line)]
        self._give_up()

    def next_to_list(self) -> Line | None:
        """Return the branch to be listed now, None if nothing waits."""
        self.listed = self._waiting.pop(0) if self._waiting else None
        return self.listed

    def _give_up(self) -> None:
        """Forget a branch of which nothing was found."""
        if self.listed is not None and not self.listed.children:
            self.listed.children = None
        self.listed = None

    def add(self, branch: Line, entry: Entry) -> Line:
        """Show an entry last in a branch, once, and return its line."""
        added = Line.of(entry)
        others = [line for line in branch.children or () if line.entry.path != entry.path]
        branch.children, branch.is_open = [*others, added], True
        branch.entry = replace(branch.entry, note="")
        self.refill()
        return added

    def collect(self, line: Line, entries: Iterable[Entry], progress: Progress) -> list[Line]:
        """Return the lines of a branch, in a thread; the first time they are there as they come.

        Hidden files are left out.
        """
        found: list[Line] = []
        if line.children is None:
            line.children = found
        hides = line.entry.kind is Kind.FOLDER
        for entry in entries:
            if not (hides and entry.name.startswith(".")):
                found.append(Line.of(entry))
            progress.tick(0)
        return found

    def show_arrived(self) -> bool:
        """Show what was found so far; return whether there is any."""
        if self.listed is None or not self.listed.children:
            return False
        self.listed.is_open = True
        self.refill()
        return True

    def arrived(self, children: list[Line]) -> None:
        """Show a branch that is listed."""
        line = self.listed
        if line is not None:
            line.children, line.is_open, line.problem = children, True, None
        self.listed = None
        self.refill()

    def failed(self, error: CkptError) -> None:
        """Note why a branch could not be listed; an archive opens as a checkpoint all the same."""
        line = self.listed
        if line is not None and line.entry.kind in (Kind.ARCHIVE, Kind.IMAGE_ARCHIVE):
            line.children = None
        elif line is not None:
            line.children, line.problem = [], error
        self.listed = None
        self.refill()

    def stopped(self) -> None:
        """List nothing more; what was found stays, and all can be listed again."""
        self._give_up()
        self._waiting = []
        self.refill()
