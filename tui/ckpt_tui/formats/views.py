"""Trees made of other trees: one under a folder, members held in memory, several as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ckpt_tui.archive.tree import ByteRange, Member, MemberKind, Tree
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import BytesWindow, ByteWindow


class MemoryTree:
    """Small members that exist in memory only, such as a document taken out of a message."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)
        self.members: Mapping[str, Member] = {
            name: Member(name, MemberKind.FILE, len(data)) for name, data in files.items()
        }
        self.notes: tuple[str, ...] = ()

    def window(self, name: str) -> ByteWindow:
        return BytesWindow(self._files[name])

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        del ranges, progress

    def close(self) -> None:
        self._files.clear()


class JoinedTree:
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
        self.members: Mapping[str, Member] = members
        self.notes: tuple[str, ...] = tuple(n for _, tree in self._parts for n in tree.notes)

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
