"""A stack of image layers as one tree: what hides what, and who added it.

Whiteouts as in the OCI image specification, layer.md, "Whiteouts".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.notes import Notes
from ckpt_tui.archive.tree import ByteRange, Member, MemberKind, Tree
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow

WHITEOUT = ".wh."
"""Prefix of a name that hides the name after it in the layers below."""

OPAQUE = ".wh..wh..opq"
"""Name that hides all that the layers below have in its folder."""

_FOREIGN_WHITEOUT = ".wh..wh."
"""Prefix of other names that AUFS left in old layers; they mean nothing."""


class LayeredTree(Tree):
    """The members that a container sees of its layers, which it owns."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self.trees = tuple(trees)
        """The layers, lowest first."""
        self._members: dict[str, Member] = {}
        self._origins: dict[str, int] = {}
        self._children: defaultdict[str, set[str]] = defaultdict(set)
        self._hidden: list[dict[str, int]] = [{} for _ in self.trees]
        self._hidden_bytes = [0] * len(self.trees)
        self._replaced: list[set[str]] = [set() for _ in self.trees]
        self._notes = Notes()
        for layer, tree in enumerate(self.trees):
            for note in tree.notes:
                self._notes.add(f"Layer {layer + 1}: {note}")
            self._hide(tree, layer)
            for member in tree.members.values():
                if not is_whiteout(member.name):
                    self._put(member, layer)
        super().__init__(self._members, self._notes())

    @property
    def hidden_bytes(self) -> tuple[int, ...]:
        """For each layer, the bytes of its files that layers above hide."""
        return tuple(self._hidden_bytes)

    def hidden(self, layer: int) -> Mapping[str, int]:
        """Return the members of a layer that others hide, and the index of which."""
        return self._hidden[layer]

    def replaced(self, layer: int) -> Set[str]:
        """Return the members of a layer that were there before it."""
        return self._replaced[layer]

    def window(self, name: str) -> ByteWindow:
        return self.trees[self._origins[name]].window(name)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        by_layer: defaultdict[int, list[ByteRange]] = defaultdict(list)
        for wanted in ranges:
            if wanted.name in self._origins:
                by_layer[self._origins[wanted.name]].append(wanted)
        for layer, some in by_layer.items():
            self.trees[layer].preload(some, progress)

    def close(self) -> None:
        for tree in self.trees:
            tree.close()

    def _hide(self, tree: Tree, layer: int) -> None:
        """Apply the whiteouts of a layer, which see only the layers below, to these."""
        for name in tree.members:
            if not is_whiteout(name):
                continue
            folder, last = parent_of(name), name.rpartition("/")[2]
            if last == OPAQUE:
                for child in tuple(self._children.get(folder, ())):
                    self._remove(child, layer)
            elif not last.startswith(_FOREIGN_WHITEOUT):
                target = last.removeprefix(WHITEOUT)
                if target in ("", ".", ".."):
                    self._notes.add(f"Layer {layer + 1}: {name} names nothing that it could hide.")
                else:
                    self._remove(target if folder == ROOT else f"{folder}/{target}", layer)

    def _put(self, member: Member, layer: int) -> None:
        name = member.name
        below = self._members.get(name)
        if below is not None:
            self._replaced[layer].add(name)
        if member.kind is MemberKind.DIRECTORY:
            if below is not None and below.kind is not MemberKind.DIRECTORY:
                self._remove(name, layer)
        else:
            self._remove(name, layer)
        self._members[name] = member
        self._origins[name] = layer
        while name != ROOT:  # a folder may be there without an entry of its own
            folder = parent_of(name)
            if name in self._children[folder]:
                break
            self._children[folder].add(name)
            name = folder

    def _remove(self, name: str, layer: int) -> None:
        """Take away a member and all below it, which a layer hides."""
        self._children[parent_of(name)].discard(name)
        doomed = [name]
        while doomed:
            name = doomed.pop()
            doomed += self._children.pop(name, ())
            member = self._members.pop(name, None)
            if member is not None:
                origin = self._origins.pop(name)
                self._hidden[origin][name] = layer
                self._hidden_bytes[origin] += member.size


def is_whiteout(name: str) -> bool:
    """Tell whether a member of a layer stands for something hidden."""
    return name.rpartition("/")[2].startswith(WHITEOUT)
