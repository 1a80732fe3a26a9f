"""What the marks in an upper folder say of an entry, in the words of each that makes them.

Deletions and hidden folders are told by the kernel's marks (Documentation/filesystems/
overlayfs.rst): a character device 0:0, or extended attributes in the `trusted` name space or, for
mounts of ordinary users, in `user`. fuse-overlayfs (its main.c and utils.c) has the same in name
spaces of its own, and two more: a deletion as an empty file `.wh.NAME` where it may make no device,
and owner, mode and kind as `UID:GID:MODE[:TYPE]` in `override_stat` where it may set none
(containers/storage, pkg/idtools: what the container sees, before any mapping).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.directory import KINDS
from ckpt_tui.archive.layers import WHITEOUT
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.convert.header_writer import MAX_DEVICE

FUSE = ("user.fuseoverlayfs.", "security.fuseoverlayfs.", "user.containers.override_")
"""Attributes that fuse-overlayfs alone writes."""

MARKS = ("trusted.overlay.", "user.overlay.", *FUSE)
"""Attributes of the mount; the container never saw them."""

_OPENED = ("trusted.overlay.", "user.overlay.", "user.fuseoverlayfs.")

_STATS = (
    "user.containers.override_stat",
    "user.fuseoverlayfs.override_stat",
    "security.fuseoverlayfs.override_stat",
)
"""The first that is there counts, as in fuse-overlayfs."""

_SECURITY = "user.containers.override_security."
"""Before the name of an attribute that only root may set."""

_STAT = re.compile(
    rb"(\d{1,10}):(\d{1,10}):([0-7]{1,7})"
    rb"(?::(?:(file|dir|symlink|pipe|socket)|(block|char)-(\d{1,10})-(\d{1,10})))?"
)

_TYPES = {
    b"file": MemberKind.FILE,
    b"dir": MemberKind.DIRECTORY,
    b"symlink": MemberKind.SYMLINK,
    b"pipe": MemberKind.FIFO,
    b"socket": MemberKind.SOCKET,
    b"block": MemberKind.BLOCK,
    b"char": MemberKind.CHARACTER,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the container saw of an entry."""

    kind: MemberKind
    mode: int
    uid: int
    gid: int
    device: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class UpperEntry:
    """One entry of a folder as it lies there."""

    name: str
    status: os.stat_result
    attributes: Mapping[str, bytes]

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def is_whiteout(self) -> bool:
        """Whether it says that its name was deleted."""
        if self.mark("whiteout"):
            return self._is_empty_file
        return stat.S_ISCHR(self.status.st_mode) and self.status.st_rdev == 0

    @property
    def is_named_mark(self) -> bool:
        """Whether it is a mark by its name, if fuse-overlayfs made it."""
        return self.last.startswith(WHITEOUT) and self._is_empty_file

    @property
    def is_of_fuse(self) -> bool:
        """Whether fuse-overlayfs wrote attributes of it."""
        return any(name.startswith(FUSE) for name in self.attributes)

    def mark(self, name: str) -> bytes:
        """Return the value of an attribute of overlayfs, b"" where there is none."""
        found = (self.attributes.get(prefix + name) for prefix in _OPENED)
        return next((value or b"y" for value in found if value is not None), b"")

    def seen(self) -> Seen | None:
        """Return what the container saw; None where `override_stat` is not to be understood."""
        status = self.status
        kind = KINDS[stat.S_IFMT(status.st_mode)]
        is_device = kind in (MemberKind.CHARACTER, MemberKind.BLOCK)
        rdev = status.st_rdev if is_device else 0
        device = os.major(rdev), os.minor(rdev)
        value = next((self.attributes[n] for n in _STATS if n in self.attributes), None)
        if value is None:
            return Seen(kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, device)
        match = _STAT.fullmatch(value)
        if match is None:
            return None
        uid, gid, mode, plain, special, major, minor = match.groups()
        named = _TYPES.get(plain or special, kind)
        if named is not kind and (not self._is_empty_file or plain in (b"dir", b"symlink")):
            return None
        if special:
            device = int(major), int(minor)
        # in the layer 0:0 would be a deletion
        if special and (device == (0, 0) or max(device) > MAX_DEVICE):
            return None
        return Seen(named, stat.S_IMODE(int(mode, 8)), int(uid), int(gid), device)

    def carried(self) -> dict[str, bytes]:
        """Return the attributes that the container saw."""
        found = {n: v for n, v in self.attributes.items() if not n.startswith(MARKS)}
        for name, value in self.attributes.items():
            if name.startswith(_SECURITY):
                found["security." + name.removeprefix(_SECURITY)] = value
        return found

    @property
    def _is_empty_file(self) -> bool:
        return stat.S_ISREG(self.status.st_mode) and self.status.st_size == 0
