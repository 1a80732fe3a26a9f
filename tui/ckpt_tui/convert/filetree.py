"""A small model of a filesystem: what an engine has after applying layers, or a legacy delta.

It shares nothing with the planner but the rules for names, so that the two can check each other.
Data is told apart by a token: the digest of a file, or where it came from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from ckpt_tui.archive.layers import OPAQUE, WHITEOUT
from ckpt_tui.archive.names import ROOT, clean_name, parent_of
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta_names import ancestors, inside, real_name
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, quiet

XATTR = "SCHILY.xattr."
"""Prefix of the PAX records that hold extended attributes."""

Content = tuple[Member, str]
"""A member and the token of its data; the token of anything but a file is empty."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Two trees that ought to be equal and are not."""

    name: str
    expected: str
    found: str


@dataclass(slots=True)
class FileTree:
    """Names, and what lies under each."""

    nodes: dict[str, Content] = field(default_factory=dict)
    inodes: dict[str, int] = field(default_factory=dict)
    """Hard links share a number; a name without one stands alone."""
    children: dict[str, set[str]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=count)

    @classmethod
    def of_base(cls, base: Mapping[str, Member]) -> FileTree:
        """Build the tree of a merged base image; tokens are the names in it."""
        tree = cls()
        links = []
        for name, member in base.items():
            if member.kind is MemberKind.HARDLINK:
                links.append((name, member))
                continue
            tree.ensure_folders(name)
            tree.set(name, (member, f"base:{name}" if member.kind is MemberKind.FILE else ""))
        for name, member in links:
            tree.ensure_folders(name)
            tree.link(name, member.link)
        return tree

    def set(self, name: str, node: Content) -> None:
        """Put a node under `name`; what is there stays only where a folder meets a folder."""
        there = self.nodes.get(name)
        both_folders = (
            there is not None
            and there[0].kind is MemberKind.DIRECTORY
            and node[0].kind is MemberKind.DIRECTORY
        )
        if there is not None and not both_folders:
            self.remove(name)
        self.nodes[name] = node
        if name != ROOT:
            self.children.setdefault(parent_of(name), set()).add(name)

    def link(self, name: str, target: str) -> None:
        """Make `name` a second name of `target`.

        Raises:
            CkptError: there is no such target.
        """
        there = self.nodes.get(target)
        if there is None or there[0].kind is MemberKind.DIRECTORY:
            raise CkptError(f"The hard link {name} leads nowhere.")
        if name == target:
            return
        inode = self.inodes.setdefault(target, next(self._numbers))
        self.set(name, there)
        self.inodes[name] = inode

    def remove(self, name: str, *, itself: bool = True) -> None:
        """Take away what is below `name`, and `name` itself unless told otherwise."""
        waiting = [*self.children.pop(name, ())]
        if itself:
            waiting.append(name)
            self.children.get(parent_of(name), set()).discard(name)
        while waiting:
            one = waiting.pop()
            waiting.extend(self.children.pop(one, ()))
            self.nodes.pop(one, None)
            self.inodes.pop(one, None)

    def ensure_folders(self, name: str, remembered: Mapping[str, Content] | None = None) -> None:
        """Make the folders above `name` that are missing: 0755, or as remembered."""
        missing = []
        for folder in ancestors(name):
            there = self.nodes.get(folder)
            if folder == ROOT or (there and there[0].kind is MemberKind.DIRECTORY):
                break
            missing.append(folder)
        for folder in reversed(missing):
            old = (remembered or {}).get(folder)
            if old is None or old[0].kind is not MemberKind.DIRECTORY:
                old = (Member(folder, MemberKind.DIRECTORY, 0, mode=0o755), "")
            self.set(folder, old)

    def member(self, name: str) -> Member | None:
        """Return the header of `name`."""
        node = self.nodes.get(name)
        return node[0] if node else None

    def links(self) -> dict[str, str]:
        """Return for each hard-linked name the first of the names that it shares a file with."""
        first: dict[int, str] = {}
        return {name: first.setdefault(inode, name) for name, inode in sorted(self.inodes.items())}

    def describe(self, name: str, links: Mapping[str, str]) -> tuple[object, ...]:
        """Return all of `name` that has to be equal: kind, mode, owner, size, link, data …"""
        node = self.nodes.get(name)
        if node is None:
            return ("absent",)
        member, token = node
        kind = MemberKind.FILE if member.kind is MemberKind.HARDLINK else member.kind
        xattrs = tuple(sorted(i for i in member.pax.items() if i[0].startswith(XATTR)))
        link = member.link if kind is MemberKind.SYMLINK else ""
        mode = 0 if kind is MemberKind.SYMLINK else member.mode
        place = (member.uid, member.gid, member.size, link, member.device, xattrs)
        return (kind.name, oct(mode), *place, token, links.get(name, name))


def apply_layer(base: Mapping[str, Member], layer: Iterable[Content]) -> FileTree:
    """Return what a layer makes of `base` by the rules of image-spec.

    Whiteouts hide what lies below the layer, wherever they stand in it.
    """
    entries = [*layer]
    tree = FileTree.of_base(base)
    for member, _ in entries:
        folder, last = parent_of(member.name), member.name.rpartition("/")[2]
        if last == OPAQUE:
            tree.remove(folder, itself=False)
        elif last.startswith(WHITEOUT):
            tree.remove(inside(folder, last[len(WHITEOUT) :]))
    for member, token in entries:
        if not member.name.rpartition("/")[2].startswith(WHITEOUT):
            _unpack(tree, member.name, member.link, (member, token), {})
    return tree


def apply_legacy(
    base: Mapping[str, Member],
    tar: Iterable[Content],
    deleted: Sequence[str],
    progress: Progress | None = None,
) -> FileTree:
    """Return what the container had: base − deleted, then the tar.

    Raises:
        CkptError: a hard link leads nowhere, not even to what comes after it.
    """
    progress = progress or quiet()
    tree = FileTree.of_base(base)
    remembered = dict(tree.nodes)
    names = [name for raw in deleted if (name := clean_name(raw))]
    for name in [real_name(tree.member, name) for name in names]:
        tree.remove(name)
    early: dict[str, str] = {}
    for member, token in tar:
        progress.tick(0)
        name = real_name(tree.member, member.name)
        hard = member.kind is MemberKind.HARDLINK
        link = real_name(tree.member, member.link) if hard else ""
        for other in [n for n in early if _takes(name, member, n)]:
            del early[other]
        if hard and link not in tree.nodes:
            tree.ensure_folders(name, remembered)
            tree.remove(name)
            early[name] = link
            continue
        _unpack(tree, name, link, (member, token), remembered)
    for name, link in early.items():
        tree.link(name, link)
    return tree


def _takes(name: str, member: Member, other: str) -> bool:
    """Tell whether unpacking `member` at `name` takes away what is at `other`."""
    below = member.kind is not MemberKind.DIRECTORY and name in ancestors(other)
    return name == other or other in ancestors(name) or below


def _unpack(
    tree: FileTree, name: str, link: str, node: Content, remembered: Mapping[str, Content]
) -> None:
    tree.ensure_folders(name, remembered)
    if node[0].kind is MemberKind.HARDLINK:
        tree.link(name, link)
    else:
        tree.set(name, node)


def differences(expected: FileTree, found: FileTree) -> list[Mismatch]:
    """Return where two trees differ in path, kind, mode, owner, size, link, xattrs or data."""
    left, right = expected.links(), found.links()
    wrong = []
    for name in sorted(expected.nodes.keys() | found.nodes.keys()):
        should, does = expected.describe(name, left), found.describe(name, right)
        if should != does:
            wrong.append(Mismatch(name, str(should), str(does)))
    return wrong
