"""Plans the layer that a legacy filesystem delta becomes: pure, from headers alone.

The layer gives what the container had, (base − deleted) ∪ tar, where a legacy restore gives
(base ∪ tar) − deleted. It is written in one pass over rootfs-diff.tar: its entries go through byte
for byte, and what a layer needs beside them (parent folders, whiteouts, opaque marks) stands
before them, or right behind the folder it belongs to. The rules are those of image-spec, layer.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ckpt_tui.archive.layers import OPAQUE, WHITEOUT
from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta_names import ancestors, inside, sort_key
from ckpt_tui.convert.unpacking import Survivor, TarEntry, Unpacking
from ckpt_tui.core.progress import Progress, quiet


@dataclass(frozen=True, slots=True)
class NewHeader:
    """A header written by the converter. The data of a member with a size follows as `Verbatim`."""

    member: Member


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Bytes of rootfs-diff.tar that go through as they are."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DeltaFacts:
    """What the delta does to the base image."""

    added: int = 0
    changed: int = 0
    deleted: int = 0
    remade: int = 0
    """Folders that hide what the base has in them."""
    size: int = 0
    """Bytes of content in the tar."""
    assumed: tuple[str, ...] = ()
    """Folders of which neither the tar nor the base has a header; written 0755, owner root."""
    unrecorded: tuple[str, ...] = ()
    """Folders that were removed and made again, of which the tar has no header; they get the
    base's."""
    absent: tuple[str, ...] = ()
    """Deleted names that the base does not have."""
    rescued: tuple[str, ...] = ()
    """Names that a legacy restore unpacks and then deletes again."""
    moved: tuple[tuple[str, str], ...] = ()
    """Names written through a symbolic link, and where they really lie."""


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """The layer as a list of parts, and what is to be said about it."""

    parts: tuple[NewHeader | Verbatim, ...]
    members: tuple[Member, ...]
    """Every entry of the layer in order, whiteouts included."""
    sources: tuple[int | None, ...]
    """For each of `members` the index of the tar entry that it is; None for those made."""
    tree: Mapping[str, Member]
    """Headers of base and layer together."""
    facts: DeltaFacts
    problems: tuple[str, ...]
    """Why no layer can be written, a sentence each; foreign text in them is not cleaned."""
    notes: tuple[str, ...]


def is_layer(entries: Iterable[TarEntry], deleted: Sequence[str]) -> bool:
    """Tell whether a plain rootfs-diff.tar is a layer already: it speaks of deletions itself."""
    return not deleted and any(
        part.startswith(WHITEOUT) for entry in entries for part in entry.raw_name.split("/")
    )


def plan_delta(
    entries: Sequence[TarEntry],
    deleted: Sequence[str],
    base: Mapping[str, Member] | None,
    progress: Progress | None = None,
) -> DeltaPlan:
    """Plan the layer for `entries` and the names of deleted.files on top of `base`.

    Without a base nothing can be deleted and every folder header has to be guessed; the caller
    decides whether that is good enough.

    Raises:
        Cancelled: the job was cancelled.
    """
    tree = Unpacking(base or {}, progress or quiet())
    tree.delete(deleted)
    for index, entry in enumerate(entries):
        tree.unpack(index, entry)
    tree.settle_links()
    layer = _Layer(tree, entries)
    layer.write()
    return DeltaPlan(
        tuple(layer.parts),
        tuple(layer.members),
        tuple(layer.sources),
        tree.state,
        _facts(tree, layer, entries, base is not None),
        tuple(tree.problems),
        tuple(tree.notes),
    )


def _whiteouts(tree: Unpacking) -> dict[str, list[str]]:
    """Return folder → names in it that the layer says are gone, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in tree.gone:
        if name in tree.state:
            continue
        folders = [folder for folder in ancestors(name) if folder != ROOT]
        if all(tree.is_folder(folder) and folder not in tree.hidden for folder in folders):
            found[parent_of(name)].append(name)
    return found


def _needed_folders(tree: Unpacking, whiteouts: Mapping[str, list[str]]) -> dict[str, Member]:
    """Return the folders that the layer must name although the tar does not, or names too late."""
    earliest: dict[str, int] = {}
    for name, survivor in sorted(tree.survivors.items(), key=lambda item: item[1].index):
        for folder in ancestors(name):
            if folder in earliest:
                break
            earliest[folder] = survivor.index
    used = set(earliest)
    for folder in whiteouts:
        used.update((folder, *ancestors(folder)))
    made: dict[str, Member] = {}
    for folder in used:
        survivor_there = tree.survivors.get(folder)
        if survivor_there is None and folder in tree.state:
            made[folder] = replace(tree.state[folder], name=folder, size=0)
        elif survivor_there and survivor_there.index > earliest.get(folder, survivor_there.index):
            made[folder] = survivor_there.member
    return made


class _Layer:
    """Puts the parts in order."""

    def __init__(self, tree: Unpacking, entries: Sequence[TarEntry]) -> None:
        self._tree = tree
        self._entries = entries
        self.whiteouts = _whiteouts(tree)
        self.made = _needed_folders(tree, self.whiteouts)
        self._children: dict[str, list[str]] = defaultdict(list)
        for folder in sorted(self.made, key=sort_key):
            if folder != ROOT:
                self._children[parent_of(folder)].append(folder)
        self.parts: list[NewHeader | Verbatim] = []
        self.members: list[Member] = []
        self.sources: list[int | None] = []

    def write(self) -> None:
        tree = self._tree
        held = {link.index for links in tree.held_back.values() for link in links}
        if ROOT not in tree.survivors or ROOT in self.made:
            self._make_tree(ROOT)
        for name, survivor in sorted(tree.survivors.items(), key=lambda item: item[1].index):
            if name not in self.made and survivor.index not in held:
                self._pass_on(survivor)
            for link in tree.held_back.get(survivor.index, ()):
                self._add_made(link.member, link.index)

    def _make_tree(self, folder: str) -> None:
        waiting = [folder]
        while waiting:
            name = waiting.pop()
            if name in self.made:
                survivor = self._tree.survivors.get(name)
                self._add_made(self.made[name], survivor.index if survivor else None)
            self._add_marks(name)
            waiting.extend(reversed(self._children.get(name, [])))

    def _add_marks(self, folder: str) -> None:
        """Write what is gone from `folder`."""
        if folder in self._tree.hidden and self._tree.is_folder(folder):
            self._add_made(_empty(inside(folder, OPAQUE)))
        for name in self.whiteouts.get(folder, ()):
            self._add_made(_empty(inside(folder, WHITEOUT + name.rpartition("/")[2])))

    def _pass_on(self, survivor: Survivor) -> None:
        entry = self._entries[survivor.index]
        if survivor.as_written:
            self._add_copied(entry.start, entry.end)
            self.members.append(survivor.member)
            self.sources.append(survivor.index)
        else:
            self._add_made(survivor.member, survivor.index)
            if entry.end > entry.data:
                self._add_copied(entry.data, entry.end)
        if survivor.member.kind is MemberKind.DIRECTORY:
            self._add_marks(survivor.member.name)
            for folder in self._children.get(survivor.member.name, ()):
                self._make_tree(folder)

    def _add_made(self, member: Member, source: int | None = None) -> None:
        self.parts.append(NewHeader(member))
        self.members.append(member)
        self.sources.append(source)

    def _add_copied(self, start: int, end: int) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Verbatim) and last.end == start:
            self.parts[-1] = Verbatim(last.start, end)
        else:
            self.parts.append(Verbatim(start, end))


def _empty(name: str) -> Member:
    return Member(name, MemberKind.FILE, 0, mode=0)


def _facts(
    tree: Unpacking, layer: _Layer, entries: Sequence[TarEntry], has_base: bool
) -> DeltaFacts:
    changed = sum(1 for name in tree.survivors if name in tree.base)
    gone = set(tree.gone)
    return DeltaFacts(
        added=len(tree.survivors) - changed,
        changed=changed,
        deleted=sum(len(names) for names in layer.whiteouts.values()),
        remade=sum(1 for folder in tree.hidden if tree.is_folder(folder)),
        size=sum(entry.member.size for entry in entries),
        assumed=tuple(sorted(tree.assumed, key=sort_key)),
        unrecorded=tuple(
            folder
            for folder in sorted(tree.hidden - tree.assumed, key=sort_key)
            if tree.is_folder(folder) and folder not in tree.survivors
        ),
        absent=tuple(tree.absent) if has_base else (),
        rescued=tuple(
            name
            for name in sorted(tree.survivors, key=sort_key)
            if name in gone or not gone.isdisjoint(ancestors(name))
        ),
        moved=tuple(tree.moved),
    )
