"""The layers of a root filesystem with their files: who added, changed and deleted what, and the
bytes that are carried along though a higher layer hides them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from ckpt_tui.archive.layers import OPAQUE, WHITEOUT, LayeredTree, is_whiteout
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.checkpoint.differences import How
from ckpt_tui.checkpoint.model import Delta


@dataclass(frozen=True, slots=True)
class LayerFile:
    """What a layer does with one file."""

    path: str
    """Without a leading slash."""
    how: How
    size: int = 0
    hidden_by: int | None = None
    """Index of the layer that replaces or deletes it."""


@dataclass(frozen=True, slots=True)
class StackLayer:
    """One layer, the lowest of a root filesystem first."""

    role: str
    """base or delta."""
    digest: str = ""
    """Empty for the changes in a legacy checkpoint."""
    media_type: str = ""
    packed: int = 0
    created: datetime | None = None
    command: str = ""
    """What made it, as the history of the image has it."""
    files: tuple[LayerFile, ...] = field(default=(), repr=False)

    @property
    def plain(self) -> int:
        """Bytes of its files."""
        return sum(file.size for file in self.files)

    @property
    def wasted(self) -> int:
        """Bytes of its files that no container sees."""
        return sum(file.size for file in self.files if file.hidden_by is not None)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many files it added, changed and deleted."""
        return Counter(file.how for file in self.files)


def delta_tree(delta: Delta) -> Tree:
    """Return what a container changed in the form of a layer: deletions as whiteouts."""
    return Tree({member.name: member for member in _delta_members(delta)})


def _delta_members(delta: Delta) -> Iterator[Member]:
    kinds = {"file": MemberKind.FILE, "directory": MemberKind.DIRECTORY}
    for entry in delta.entries:
        path = entry.path.lstrip("/")
        if entry.change != "deleted":
            yield Member(path, kinds.get(entry.kind, MemberKind.OTHER), entry.size)
            continue
        folder, _, name = path.rpartition("/")
        # an opaque folder hides what was in it, and not itself
        hidden = f"{path}/{OPAQUE}" if entry.kind else f"{folder}/{WHITEOUT}{name}"
        yield Member(hidden.lstrip("/"), MemberKind.FILE, 0)


def stacked(layers: Sequence[tuple[StackLayer, Tree]]) -> tuple[StackLayer, ...]:
    """Return the layers, lowest first, with their files."""
    tree = LayeredTree([one for _, one in layers])
    return tuple(
        replace(layer, files=tuple(_files(one.members, tree, number)))
        for number, (layer, one) in enumerate(layers)
    )


def _files(members: Mapping[str, Member], tree: LayeredTree, layer: int) -> Iterator[LayerFile]:
    hidden, replaced = tree.hidden(layer), tree.replaced(layer)
    for name, member in members.items():
        if is_whiteout(name):
            folder, _, last = name.rpartition("/")
            if last == OPAQUE:
                yield LayerFile(folder, "deleted")
            elif not last.startswith(WHITEOUT * 2):
                gone = f"{folder}/{last.removeprefix(WHITEOUT)}"
                yield LayerFile(gone.lstrip("/"), "deleted")
        elif member.kind is not MemberKind.DIRECTORY:
            how: How = "changed" if name in replaced else "added"
            yield LayerFile(name, how, member.size, hidden.get(name))
