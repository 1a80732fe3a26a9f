"""Trees made of other trees: one under a folder, some members, several as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ckpt_tui.archive.tree import ByteRange, Member, Tree, WindowTree
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import BytesWindow, ByteWindow


class MemoryTree(WindowTree):
    """Small members that exist in memory only, such as a document taken out of a message."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        super().__init__({name: BytesWindow(data) for name, data in files.items()})


class JoinedTree(Tree):
    """Trees side by side, each under a folder of its own (`checkpoint/`, or "" for the root)."""

    def __init__(self, parts: Iterable[tuple[str, Tree]]) -> None:
        self._parts = tuple(parts)
        self._places: dict[str, tuple[Tree, str]] = {}
        members: dict[str, Member] = {}
        for folder, tree in self._parts:
            for name, member in tree.members.items():
                full = f"{folder}{name}" if name != "." else folder.rstrip("/") or name
                members[full] = dataclasses.replace(member, name=full)
                self._places[full] = (tree, name)
        super().__init__(members, tuple(n for _, tree in self._parts for n in tree.notes))

    def window(self, name: str) -> ByteWindow:
        tree, inner = self._places[name]
        return tree.window(inner)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        wanted: dict[int, list[ByteRange]] = {}
        for one in ranges:
            if one.name in self._places:
                tree, inner = self._places[one.name]
                wanted.setdefault(id(tree), []).append(ByteRange(inner, one.offset, one.length))
        for _, tree in self._parts:
            if id(tree) in wanted:
                tree.preload(wanted[id(tree)], progress)

    def close(self) -> None:
        for _, tree in self._parts:
            tree.close()


class PartTree(Tree):
    """Some members of a tree, which its owner closes."""

    def __init__(self, tree: Tree, names: Iterable[str]) -> None:
        super().__init__({name: tree.members[name] for name in names})
        self._tree = tree

    def window(self, name: str) -> ByteWindow:
        return self._tree.window(name)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        self._tree.preload(ranges, progress)
