"""A tree of members: what an archive, a directory and a stack of layers have in common."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow


class MemberKind(enum.Enum):
    """What a member is; the value is the letter that `ls -l` and tar listings use."""

    FILE = "-"
    DIRECTORY = "d"
    SYMLINK = "l"
    HARDLINK = "h"
    FIFO = "p"
    CHARACTER = "c"
    BLOCK = "b"
    SOCKET = "s"
    OTHER = "?"


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tree."""

    name: str
    """Path from the root of the tree, cleaned: no leading `./` or `/`, no trailing `/`, no `..`.
    The root folder itself, where the tree has an entry for it, is `.`.
    Bytes that are no UTF-8 are carried as surrogate escapes."""
    kind: MemberKind
    size: int
    """Bytes of content; 0 for everything but files."""
    mode: int = 0o644
    """Permission bits, setuid, setgid and sticky included; no file type bits."""
    uid: int = 0
    gid: int = 0
    uname: str = ""
    gname: str = ""
    mtime: float = 0
    """Seconds since 1970."""
    link: str = ""
    """Target of a symbolic link as written; of a hard link the cleaned name of the member."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device."""
    pax: Mapping[str, str] = field(default_factory=dict)
    """PAX records as the archive has them, extended attributes included (`SCHILY.xattr.…`)."""


class ByteRange(NamedTuple):
    """A range of one member that is about to be read."""

    name: str
    offset: int
    length: int


class Tree:
    """Members by name, with their bytes within reach; of this class itself, without their bytes.

    Members whose names would lead outside of the tree (`..`, absolute, NUL) are not among
    `members`; each left out, renamed or doubled one has a sentence in `notes`.
    """

    def __init__(self, members: Mapping[str, Member], notes: tuple[str, ...] = ()) -> None:
        self.members = members
        """In the order in which they are stored."""
        self.notes = notes
        """What was odd about the tree, a sentence each; foreign text in them is not cleaned."""
        self.was_read = False
        """Whether opening it has read all of it and compared it with a checksum or digest."""

    def window(self, name: str) -> ByteWindow:
        """Return the bytes of one regular file.

        In a compressed archive this may decompress it again, once, into a spill file on the first
        read of a large member.

        Raises:
            KeyError: there is no regular file of that name.
        """
        raise KeyError(name)

    def preload(self, ranges: Iterable[ByteRange], progress: Progress) -> None:
        """Make the coming reads of `ranges` cheap, in one pass where one is needed."""

    def close(self) -> None:
        """Let go of files and spill files."""


class WindowTree(Tree):
    """Files whose bytes are at hand already; the caller closes their windows."""

    def __init__(self, files: Mapping[str, ByteWindow]) -> None:
        super().__init__({n: Member(n, MemberKind.FILE, w.size) for n, w in files.items()})
        self._files = files

    def window(self, name: str) -> ByteWindow:
        return self._files[name]
