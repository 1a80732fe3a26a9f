"""The upper folder of an overlay mount: what a container changed, read where it lies.

What its marks mean, those of the kernel and those of fuse-overlayfs, is in `upper_marks`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ckpt_tui.archive.directory import FOLDER, open_beneath, open_folder, unreachable
from ckpt_tui.archive.layers import OPAQUE, WHITEOUT, LayeredTree
from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.delta import DeltaFacts, DeltaPlan
from ckpt_tui.convert.delta_names import inside, refusal, sort_key
from ckpt_tui.convert.digest import Digest, hashed
from ckpt_tui.convert.filetree import XATTR, Content
from ckpt_tui.convert.layer_writer import LayerWriter
from ckpt_tui.convert.upper_marks import UpperEntry
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK

MAX_ENTRIES = 100_000
"""Entries of an upper folder; each takes about 1 KiB of memory."""

MAX_DEPTH = 200
"""Folders in each other; each one that is open costs a descriptor."""

_REFUSED = {
    "redirect": "was renamed, and its content is only in the layers below",
    "metacopy": "has its data only in the layers below",
}
"""What a layer cannot say: mount options redirect_dir=on and metacopy=on make it."""

_CARRIED = ("user.", "security.capability", "security.ima")
"""Attributes that engines put into layers (containers/storage, pkg/archive)."""

_LABEL = "security.selinux"
"""The label is the engine's: it labels every container anew."""


class UpperFolder:
    """The entries of an upper folder as a layer has them, whiteouts included. Close it."""

    def __init__(self, path: str, progress: Progress) -> None:
        """Walk the folder.

        Raises:
            SourceUnreachable: it, or something in it, is absent or may not be read.
            CkptError: there is too much of it.
        """
        self.path = path
        self.members: dict[str, Member] = {}
        """In the order of the layer: each folder before its marks, these before what it holds."""
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._times: dict[str, int] = {}
        self._first: dict[tuple[int, int], str] = {}
        self._lost: dict[str, int] = {}
        self._sockets = 0
        self._named_marks: list[str] = []
        self._is_of_fuse = False
        self._progress = progress
        self._folder = open_folder(path)
        try:
            self._enter(_look(self._folder, b".", ROOT), self._folder, 0)
        except OSError as error:
            self.close()
            raise unreachable(path, error) from error
        except BaseException:
            self.close()
            raise
        if not self._is_of_fuse:  # of any other mount these are files of the container
            for name in self._named_marks:
                self._refuse(name, refusal(name))
        self.notes += [
            f"{count:,} entries of {path} have the attribute {name}, which layers do not carry."
            for name, count in self._lost.items()
        ]
        if self._sockets:
            self.notes.append(f"{self._sockets:,} sockets of {path} are left out: CRIU makes them.")

    def pieces(self, name: str, length: int) -> Iterator[bytes]:
        """Yield the bytes of a file in pieces of `length`."""
        window = open_beneath(self._folder, name)
        try:
            offset = 0
            while piece := window.read(offset, length):
                self._progress.tick(len(piece))
                yield piece
                offset += len(piece)
        finally:
            window.close()

    def check(self) -> None:
        """Raise CkptError if something in the folder changed since it was walked."""
        again = UpperFolder(self.path, self._progress)
        again.close()
        before, after = self._state(), again._state()
        name = next((n for n in before | after if before.get(n) != after.get(n)), "")
        if name:
            raise CkptError(
                f"{self.path} changed while it was read:",
                f"{name}.",
                "Stop the container, or convert what a dump left stopped.",
            )

    def _state(self) -> dict[str, tuple[Member, int]]:
        return {name: (m, self._times.get(name, 0)) for name, m in self.members.items()}

    def close(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _enter(self, found: UpperEntry, folder: int, depth: int) -> None:
        self._add(found.name, self._member(found))
        if depth > MAX_DEPTH:
            raise CkptError(f"{self.path} cannot be a layer:", "its folders lie too deep.")
        inner = [
            _look(folder, name, inside(found.name, os.fsdecode(name)))
            for name in sorted(os.fsencode(name) for name in os.listdir(folder))
        ]
        marks, rest = self._marks_among(inner)
        if found.mark("opaque") == b"y" or OPAQUE in marks:
            self._add(inside(found.name, OPAQUE), Member("", MemberKind.FILE, 0, mode=0))
        for mark in sorted(marks - {OPAQUE}, key=os.fsencode):
            self._add(inside(found.name, mark), Member("", MemberKind.FILE, 0, mode=0))
        for one in rest:
            self._take(one, folder, depth)

    def _marks_among(self, inner: list[UpperEntry]) -> tuple[set[str], list[UpperEntry]]:
        """Return the marks as a layer names them, and the entries that are none."""
        marks, rest = set(), []
        for one in inner:
            if one.is_whiteout:
                self._refuse(one.name, refusal(one.name))
                marks.add(WHITEOUT + one.last)
            elif one.is_named_mark:
                hidden = one.last.removeprefix(WHITEOUT)
                if one.last != OPAQUE:
                    self._refuse(one.name, refusal(hidden) if hidden else "hides no name")
                self._named_marks.append(one.name)
                marks.add(one.last)
            else:
                rest.append(one)
        return marks, rest

    def _take(self, found: UpperEntry, folder: int, depth: int) -> None:
        self._progress.tick(0)
        self._refuse(found.name, refusal(found.name))
        for mark, why in _REFUSED.items():
            self._refuse(found.name, why if found.mark(mark) else "")
        if stat.S_ISDIR(found.status.st_mode):
            inner = os.open(os.fsencode(found.last), FOLDER, dir_fd=folder)
            try:
                self._enter(found, inner, depth + 1)
            finally:
                os.close(inner)
            return
        member = self._linked(found, folder)
        if member.kind is MemberKind.SOCKET:
            self._sockets += 1
        else:
            self._add(found.name, member)

    def _linked(self, found: UpperEntry, folder: int) -> Member:
        """Return the member for what is not a folder: a hard link if its inode came before."""
        inode = (found.status.st_dev, found.status.st_ino)
        if found.status.st_nlink > 1:
            first = self._first.setdefault(inode, found.name)
            if first != found.name:
                return replace(self._member(found), kind=MemberKind.HARDLINK, link=first, size=0)
        member = self._member(found)
        if member.kind is MemberKind.SYMLINK:
            link = os.readlink(os.fsencode(found.last), dir_fd=folder)
            return replace(member, link=os.fsdecode(link))
        return member

    def _member(self, found: UpperEntry) -> Member:
        status, seen = found.status, found.seen()
        self._times[found.name] = status.st_mtime_ns
        self._is_of_fuse = self._is_of_fuse or found.is_of_fuse
        kept = {}
        for name, value in found.carried().items():
            if name.startswith(_CARRIED):
                kept[XATTR + name] = value.decode("utf-8", "surrogateescape")
            elif not name.startswith(_LABEL):
                self._lost[name] = self._lost.get(name, 0) + 1
        if seen is None:
            self._refuse(found.name, "has an owner and mode of fuse-overlayfs that make no sense")
            return Member(found.name, MemberKind.OTHER, 0)
        return Member(
            name=found.name,
            kind=seen.kind,
            size=status.st_size if seen.kind is MemberKind.FILE else 0,
            mode=seen.mode,
            uid=seen.uid,
            gid=seen.gid,
            mtime=status.st_mtime_ns // 10**9,
            device=seen.device,
            pax=kept,
        )

    def _add(self, name: str, member: Member) -> None:
        if len(self.members) >= MAX_ENTRIES:
            raise CkptError(
                f"{self.path} is too large to plan:", f"it has more than {MAX_ENTRIES:,} entries."
            )
        self.members[name] = replace(member, name=name)

    def _refuse(self, name: str, why: str) -> None:
        if why:
            self.problems.append(f"The entry {name!r} of {self.path} {why}.")


def _look(folder: int, entry: bytes, name: str) -> UpperEntry:
    """Read what an entry of an open folder is; a link is looked at, not followed."""
    status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
    path = b"/proc/self/fd/%d/%s" % (folder, entry)
    attributes = {
        attribute: os.getxattr(path, attribute, follow_symlinks=False)
        for attribute in os.listxattr(path, follow_symlinks=False)
    }
    return UpperEntry(name, status, attributes)


def plan_upper(upper: UpperFolder, base: Mapping[str, Member] | None) -> DeltaPlan:
    """Plan the layer for an upper folder on top of `base`: its entries as they are, in order."""
    below = base or {}
    members = tuple(upper.members.values())
    plain = [m for m in members if not m.name.rpartition("/")[2].startswith(WHITEOUT)]
    opaque = sum(m.name.rpartition("/")[2] == OPAQUE for m in members)
    changed = sum(m.name in below for m in plain if m.kind is not MemberKind.DIRECTORY)
    added = sum(m.name not in below for m in plain)
    return DeltaPlan(
        parts=(),
        members=members,
        sources=(None,) * len(members),
        tree=LayeredTree([Tree(below), Tree(upper.members)]).members,
        facts=DeltaFacts(
            added=added,
            changed=changed,
            deleted=len(members) - len(plain) - opaque,
            remade=opaque,
            size=sum(m.size for m in members),
        ),
        problems=tuple(upper.problems),
        notes=tuple(upper.notes),
    )


def deleted_names(upper: UpperFolder, base: Mapping[str, Member]) -> list[str]:
    """Return what a legacy archive's deleted.files says for the layer: no folder that lives on."""
    found = []
    opaque = []
    for name in upper.members:
        folder, _, last = name.rpartition("/")
        if last == OPAQUE:
            opaque.append(folder or ROOT)
        elif last.startswith(WHITEOUT):
            found.append(inside(folder or ROOT, last.removeprefix(WHITEOUT)))
    children = [(parent_of(name), name) for name in base if name != ROOT]
    for folder in opaque:
        found += [n for above, n in children if above == folder and n not in upper.members]
    return [f"/{name}" for name in sorted(found, key=sort_key)]


def write_upper(upper: UpperFolder, writer: LayerWriter) -> list[Content]:
    """Write the layer; return its entries with the digests of the files.

    Raises:
        CkptError: a file has another size than before.
    """
    contents: list[Content] = []
    for name, member in upper.members.items():
        if member.kind is not MemberKind.FILE or not member.size:
            writer.add(member, ())
            is_file = member.kind is MemberKind.FILE
            contents.append((member, Digest().hexdigest() if is_file else ""))
            continue
        found = Digest()
        writer.add(member, hashed(upper.pieces(name, CHUNK), found))
        contents.append((member, found.hexdigest()))
    return contents
