"""Trees made of other trees' members: one file, a part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ckpt_tui.archive.tree import ByteRange, Member, MemberKind, Tree
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow


class OneFile:
    """A tree of one file."""

    def __init__(self, name: str, window: ByteWindow) -> None:
        self._window = window
        self.members: Mapping[str, Member] = {name: Member(name, MemberKind.FILE, window.size)}
        self.notes: tuple[str, ...] = ()

    def window(self, name: str) -> ByteWindow:
        if name not in self.members:
            raise KeyError(name)
        return self._window

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        """Nothing to do: it can be read anywhere."""

    def close(self) -> None:
        """Whoever opened the window closes it."""


class PartTree:
    """Some members of a tree."""

    def __init__(self, tree: Tree, names: Iterable[str]) -> None:
        self._tree = tree
        self.members: Mapping[str, Member] = {name: tree.members[name] for name in names}
        self.notes: tuple[str, ...] = ()

    def window(self, name: str) -> ByteWindow:
        return self._tree.window(name)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        self._tree.preload(ranges, progress)

    def close(self) -> None:
        """Whoever opened the whole tree closes it."""
