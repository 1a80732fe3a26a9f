"""Follows, in headers alone, what deleting and then unpacking does to a root filesystem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ckpt_tui.archive.names import ROOT, clean_name, parent_of
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta_names import ancestors, real_name, refusal, sort_key
from ckpt_tui.convert.header_writer import MAX_DEVICE
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress

REPLACEMENT = "\ufffd"
"""What Go's JSON encoder writes for bytes that are no UTF-8: the name they were in is lost."""


@dataclass(frozen=True, slots=True)
class TarEntry:
    """One entry of rootfs-diff.tar and where it lies, in bytes from the start of that file."""

    member: Member
    raw_name: str
    """The name as written."""
    start: int
    """First byte of the headers, extended ones included."""
    data: int
    end: int
    """First byte after the data and its padding."""


@dataclass(slots=True)
class Survivor:
    """A tar entry that is still there after all others were unpacked."""

    index: int
    member: Member
    as_written: bool
    """Whether its own header can stay; otherwise `member` is written anew."""


@dataclass(frozen=True, slots=True)
class HardLink:
    """A hard link as it was met."""

    index: int
    name: str
    target: str
    is_early: bool
    """Whether it came before its target, of which the base has none either."""
    file_index: int | None
    """The entry of the file itself, if that came before: the target may be a link to it."""


class Unpacking:
    """The tree as it becomes, and which entries of the tar are left in it."""

    def __init__(self, base: Mapping[str, Member], progress: Progress) -> None:
        self._progress = progress
        self._children: dict[str, set[str]] = defaultdict(set)
        self.base = _with_all_folders(base)
        """The base image's tree; every folder above a member is in it."""
        self.state: dict[str, Member] = {}
        """The tree after what was done so far."""
        self.survivors: dict[str, Survivor] = {}
        self.gone: list[str] = []
        """Deleted names of the base; nothing below another one."""
        self.hidden: set[str] = set()
        """Folders of the base that were deleted or replaced: nothing in them is to be seen."""
        self.links: list[HardLink] = []
        self._file_index: dict[int, int] = {}
        """Index of a hard link → that of the file it leads to."""
        self._lost: dict[int, Survivor] = {}
        """Index of a file → it, where its name is gone and a link may still lead to it."""
        self.held_back: dict[int, list[Survivor]] = defaultdict(list)
        """Index of an entry → hard links to it that came before it."""
        self.assumed: set[str] = set()
        self.absent: list[str] = []
        self.moved: list[tuple[str, str]] = []
        self.problems: list[str] = []
        self.notes: list[str] = []
        for name, member in self.base.items():
            self._put(name, member)

    def delete(self, names: Sequence[str]) -> None:
        """Take the names of deleted.files out of the base."""
        found: set[str] = set()
        for raw in names:
            self._progress.tick(0)
            name = self._deleted_name(raw)
            if not name:
                continue
            if name in self.base:
                found.add(name)
            elif REPLACEMENT in name:
                self.notes.append(
                    f"The deletion of {raw!r} is lost: its name was no UTF-8 text, and the "
                    "engine wrote a replacement sign instead."
                )
            else:
                self.absent.append(name)
        self.gone = sorted((n for n in found if found.isdisjoint(ancestors(n))), key=sort_key)
        for name in self.gone:
            if self.is_folder(name):
                self.hidden.add(name)
            self._remove(name)

    def _deleted_name(self, raw: str) -> str:
        name = clean_name(raw)
        reason = refusal(raw) or ("is empty" if not name else "")
        if name == ROOT:
            reason = "names the root itself"
        if reason or not name:
            self.problems.append(f"The deleted name {raw!r} {reason}.")
            return ""
        try:
            return real_name(self.base.get, name)
        except CkptError as error:
            self.problems.append(str(error))
            return ""

    def unpack(self, index: int, entry: TarEntry) -> None:
        """Do to the tree what unpacking this entry does."""
        self._progress.tick(0)
        member = entry.member
        reason = _entry_refusal(entry)
        if reason:
            self.problems.append(f"The entry {entry.raw_name!r} of rootfs-diff.tar {reason}.")
            return
        link = member.link
        try:
            name = real_name(self.state.get, member.name)
            if member.kind is MemberKind.HARDLINK:
                link = real_name(self.state.get, member.link)
        except CkptError as error:
            self.problems.append(str(error))
            return
        if name != member.name:
            self.moved.append((member.name, name))
        self._imply_parents(name)
        if member.kind is MemberKind.HARDLINK:
            self._add_link(index, name, link)
        as_written = name == member.name and link == member.link
        placed = member if as_written else replace(member, name=name, link=link)
        self._place(name, Survivor(index, placed, as_written))

    def _add_link(self, index: int, name: str, target: str) -> None:
        there = self.survivors.get(target)
        file_index = None
        if there and there.member.kind is MemberKind.HARDLINK:
            file_index = self._file_index.get(there.index)
        elif there and there.member.kind is not MemberKind.DIRECTORY:
            file_index = there.index
        if file_index is not None:
            self._file_index[index] = file_index
        is_early = there is None and target not in self.state
        self.links.append(HardLink(index, name, target, is_early, file_index))

    def _imply_parents(self, name: str) -> None:
        """Make the folders that `name` needs, with the base's header where there is one."""
        missing = []
        for folder in ancestors(name):
            if folder == ROOT or self.is_folder(folder):
                break
            missing.append(folder)
        for folder in reversed(missing):
            if folder in self.state:
                self._replace(folder)
            old = self.base.get(folder)
            if old is None or old.kind is not MemberKind.DIRECTORY:
                old = Member(folder, MemberKind.DIRECTORY, 0, mode=0o755)
                self.assumed.add(folder)
            self._put(folder, old)

    def _place(self, name: str, survivor: Survivor) -> None:
        merges = survivor.member.kind is MemberKind.DIRECTORY and self.is_folder(name)
        before = self.survivors.get(name)
        if merges and before:
            before.as_written = before.as_written and before.member == survivor.member
            before.member = survivor.member
        else:
            if name in self.state and not merges:
                self._replace(name)
            self.survivors[name] = survivor
        self.assumed.discard(name)
        self._put(name, survivor.member)

    def is_folder(self, name: str) -> bool:
        """Tell whether `name` is a folder in the tree as it is."""
        there = self.state.get(name)
        return there is not None and there.kind is MemberKind.DIRECTORY

    def _replace(self, name: str) -> None:
        old = self.base.get(name)
        if self.is_folder(name) and old is not None and old.kind is MemberKind.DIRECTORY:
            self.hidden.add(name)
        self._remove(name)

    def _put(self, name: str, member: Member) -> None:
        self.state[name] = member
        if name != ROOT:
            self._children[parent_of(name)].add(name)

    def _remove(self, name: str) -> None:
        """Take `name` and all below it out of the tree."""
        self._children[parent_of(name)].discard(name)
        waiting = [name]
        while waiting:
            one = waiting.pop()
            waiting.extend(self._children.pop(one, ()))
            self.state.pop(one, None)
            gone = self.survivors.pop(one, None)
            if gone is not None and self._file_index:
                self._lost[gone.index] = gone
            self.assumed.discard(one)

    def settle_links(self) -> None:
        """Refuse the hard links that would not mean in a layer what they mean in the tar.

        Where a later entry took the first name of a file, a link to it becomes the file.
        """
        names = {survivor.index: name for name, survivor in self.survivors.items()}
        for link in self.links:
            own = self.survivors.get(link.name)
            if own is None or own.index != link.index:
                continue
            if link.file_index is not None:
                first = names.setdefault(link.file_index, link.name)
                self._settle(link, own, first)
                continue
            there = self.survivors.get(link.target)
            if there is None or there.member.kind is MemberKind.DIRECTORY:
                problem = f"{link.target!r}, which is not a file of rootfs-diff.tar"
            elif there.member.kind is MemberKind.HARDLINK:
                problem = "a link that comes after it"
            elif not link.is_early:
                problem = f"{link.target!r} of the base image, which a later entry replaces"
            else:
                self.held_back[there.index].append(own)
                continue
            self.problems.append(f"The hard link {link.name!r} leads to {problem}.")

    def _settle(self, link: HardLink, own: Survivor, first: str) -> None:
        """Let a link lead to `first`, or be the file if that is its own name."""
        assert link.file_index is not None
        if first == link.name:
            lost = self._lost[link.file_index]
            own = Survivor(lost.index, replace(lost.member, name=first), as_written=False)
            self.survivors[first] = own
        elif own.member.link != first:
            own.member, own.as_written = replace(own.member, link=first), False
        self.state[link.name] = own.member


def _with_all_folders(base: Mapping[str, Member]) -> dict[str, Member]:
    """Add the folders that an engine makes where a layer names a file and not its folder."""
    known = dict(base)
    for name in [*known]:
        for folder in ancestors(name):
            if folder in known:
                break
            if folder != ROOT:  # the root of a layer without `./` has the mode of the one below
                known[folder] = Member(folder, MemberKind.DIRECTORY, 0, mode=0o755)
    return known


def _entry_refusal(entry: TarEntry) -> str:
    """Return why an entry cannot go into a layer, as half a sentence; empty if it can."""
    member = entry.member
    reason = refusal(entry.raw_name)
    if reason:
        return reason
    if member.name == ROOT and member.kind is not MemberKind.DIRECTORY:
        return "has no name"
    if member.kind in (MemberKind.OTHER, MemberKind.SOCKET):
        return "is of a kind that a layer cannot carry"
    if not all(0 <= number <= MAX_DEVICE for number in member.device):
        return "is a device of a number that a layer cannot carry"
    if member.kind is MemberKind.HARDLINK:
        reason = refusal(member.link) or (
            "" if clean_name(member.link) not in (None, ROOT) else "is not a file"
        )
        return f"is a hard link whose target {reason}" if reason else ""
    return ""
