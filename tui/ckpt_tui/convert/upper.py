"""The upper folder of an overlay mount: what a container changed, read where it lies.

Deletions and hidden folders are told by the kernel's marks (Documentation/filesystems/
overlayfs.rst): a character device 0:0, or extended attributes in the `trusted` name space or, for
mounts of ordinary users, in `user`. Of fuse-overlayfs, which has the same and some of its own, the
mark of a hidden folder is read; where it writes owners and modes, or deletions as files `.wh.NAME`,
the folder is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ckpt_tui.archive.directory import open_beneath, open_folder, unreachable
from ckpt_tui.archive.layers import OPAQUE, WHITEOUT, overlay
from ckpt_tui.archive.names import ROOT, parent_of
from ckpt_tui.archive.tree import HeaderTree, Member, MemberKind
from ckpt_tui.convert.delta import DeltaFacts, DeltaPlan
from ckpt_tui.convert.filetree import XATTR, Content
from ckpt_tui.convert.layers import LayerWriter
from ckpt_tui.convert.names import inside, refusal, sort_key
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK

MAX_ENTRIES = 100_000
"""Entries of an upper folder; each takes about 1 KiB of memory."""

MAX_DEPTH = 200
"""Folders in each other; each one that is open costs a descriptor."""

_OVERLAY = (
    "trusted.overlay.",
    "user.overlay.",
    "user.fuseoverlayfs.",
    "user.containers.",  # override_stat of containers/storage, pkg/idtools
)
_REFUSED = {
    "redirect": "was renamed, and its content is only in the layers below",
    "metacopy": "has its data only in the layers below",
    "override_stat": "has its owner and mode in an attribute of fuse-overlayfs",
}
"""What a layer cannot say: mount options redirect_dir=on and metacopy=on make it, or what is not
read: fuse-overlayfs makes it for users who may not set owners."""

_CARRIED = ("user.", "security.capability", "security.ima")
"""Attributes that engines put into layers (containers/storage, pkg/archive)."""

_LABEL = "security.selinux"
"""The label is the engine's: it labels every container anew."""

_KINDS = {
    stat.S_IFREG: MemberKind.FILE,
    stat.S_IFDIR: MemberKind.DIRECTORY,
    stat.S_IFLNK: MemberKind.SYMLINK,
    stat.S_IFIFO: MemberKind.FIFO,
    stat.S_IFCHR: MemberKind.CHARACTER,
    stat.S_IFBLK: MemberKind.BLOCK,
}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class _Found:
    """One entry of a folder."""

    name: str
    status: os.stat_result
    attributes: Mapping[str, bytes]

    @property
    def is_whiteout(self) -> bool:
        if self.marks("whiteout"):
            return stat.S_ISREG(self.status.st_mode) and self.status.st_size == 0
        return stat.S_ISCHR(self.status.st_mode) and self.status.st_rdev == 0

    def marks(self, mark: str) -> bytes:
        """Return the value of an attribute of overlayfs, b"" where there is none."""
        found = (self.attributes.get(prefix + mark) for prefix in _OVERLAY)
        return next((value or b"y" for value in found if value is not None), b"")


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

    def _enter(self, found: _Found, folder: int, depth: int) -> None:
        self._add(found.name, self._member(found))
        if depth > MAX_DEPTH:
            raise CkptError(f"{self.path} cannot be a layer:", "its folders lie too deep.")
        inner = [
            _look(folder, name, inside(found.name, os.fsdecode(name)))
            for name in sorted(os.fsencode(name) for name in os.listdir(folder))
        ]
        gone = [one for one in inner if one.is_whiteout]
        if found.marks("opaque") == b"y":
            self._add(inside(found.name, OPAQUE), Member("", MemberKind.FILE, 0, mode=0))
        for one in gone:
            base, _, last = one.name.rpartition("/")
            name = inside(base or ROOT, WHITEOUT + last)
            self._refuse(one.name, refusal(one.name))
            self._add(name, Member("", MemberKind.FILE, 0, mode=0))
        for one in inner:
            if not one.is_whiteout:
                self._take(one, folder, depth)

    def _take(self, found: _Found, folder: int, depth: int) -> None:
        self._progress.tick(0)
        self._refuse(found.name, refusal(found.name))
        for mark, why in _REFUSED.items():
            self._refuse(found.name, why if found.marks(mark) else "")
        if stat.S_ISSOCK(found.status.st_mode):
            self._sockets += 1
        elif stat.S_ISDIR(found.status.st_mode):
            inner = os.open(os.fsencode(found.name.rpartition("/")[2]), _FOLDER, dir_fd=folder)
            try:
                self._enter(found, inner, depth + 1)
            finally:
                os.close(inner)
        else:
            self._add(found.name, self._linked(found, folder))

    def _linked(self, found: _Found, folder: int) -> Member:
        """Return the member for what is no folder: a hard link if its inode came before."""
        inode = (found.status.st_dev, found.status.st_ino)
        if found.status.st_nlink > 1:
            first = self._first.setdefault(inode, found.name)
            if first != found.name:
                return replace(self._member(found), kind=MemberKind.HARDLINK, link=first, size=0)
        member = self._member(found)
        if member.kind is MemberKind.SYMLINK:
            last = os.fsencode(found.name.rpartition("/")[2])
            return replace(member, link=os.fsdecode(os.readlink(last, dir_fd=folder)))
        return member

    def _member(self, found: _Found) -> Member:
        status = found.status
        self._times[found.name] = status.st_mtime_ns
        kind = _KINDS[stat.S_IFMT(status.st_mode)]
        kept = {}
        for name, value in found.attributes.items():
            if name.startswith(_CARRIED) and not name.startswith(_OVERLAY):
                kept[XATTR + name] = value.decode("utf-8", "surrogateescape")
            elif not name.startswith((*_OVERLAY, _LABEL)):
                self._lost[name] = self._lost.get(name, 0) + 1
        is_device = kind in (MemberKind.CHARACTER, MemberKind.BLOCK)
        return Member(
            name=found.name,
            kind=kind,
            size=status.st_size if kind is MemberKind.FILE else 0,
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            mtime=status.st_mtime_ns // 10**9,
            device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if is_device else (0, 0),
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


def _look(folder: int, entry: bytes, name: str) -> _Found:
    """Read what an entry of an open folder is; a link is looked at, not followed."""
    status = os.stat(entry, dir_fd=folder, follow_symlinks=False)
    path = b"/proc/self/fd/%d/%s" % (folder, entry)
    attributes = {
        attribute: os.getxattr(path, attribute, follow_symlinks=False)
        for attribute in os.listxattr(path, follow_symlinks=False)
    }
    return _Found(name, status, attributes)


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
        tree=overlay([HeaderTree(below), HeaderTree(upper.members)]).members,
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
            contents.append((member, hashlib.sha256().hexdigest() if is_file else ""))
            continue
        found = hashlib.sha256()
        writer.add(member, _hashed(upper.pieces(name, CHUNK), found))
        contents.append((member, found.hexdigest()))
    return contents


def _hashed(pieces: Iterator[bytes], found: hashlib._Hash) -> Iterator[bytes]:
    for piece in pieces:
        found.update(piece)
        yield piece
