"""Tar headers for the layers that are written here: the same member, the same bytes."""

from __future__ import annotations

import tarfile

from ckpt_tui.archive.headers import BLOCK
from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.errors import CkptError

END = bytes(2 * BLOCK)
"""The end of an archive."""

_TYPES = {
    MemberKind.FILE: tarfile.REGTYPE,
    MemberKind.DIRECTORY: tarfile.DIRTYPE,
    MemberKind.SYMLINK: tarfile.SYMTYPE,
    MemberKind.HARDLINK: tarfile.LNKTYPE,
    MemberKind.FIFO: tarfile.FIFOTYPE,
    MemberKind.CHARACTER: tarfile.CHRTYPE,
    MemberKind.BLOCK: tarfile.BLKTYPE,
}

MAX_DEVICE = 0o7777777
"""The highest major or minor number that a header has room for."""

_EXTRA = "SCHILY."
"""PAX records that the header itself cannot say: extended attributes and flags."""


def header(member: Member, *, owner_names: bool = False) -> bytes:
    """Return the header blocks of `member`: ustar, with PAX records only where ustar cannot say it.

    Owner and group go by number alone, as layers want it, unless told otherwise.

    Raises:
        CkptError: no header can say it.
    """
    info = tarfile.TarInfo("./" if member.name == ROOT else member.name)
    info.type = _TYPES[member.kind]
    info.size = member.size if member.kind is MemberKind.FILE else 0
    info.mode, info.uid, info.gid = member.mode, member.uid, member.gid
    if owner_names:
        info.uname, info.gname = member.uname, member.gname
    whole = int(member.mtime)
    info.mtime = whole if whole == member.mtime else member.mtime
    info.linkname = member.link
    if member.kind in (MemberKind.CHARACTER, MemberKind.BLOCK):
        info.devmajor, info.devminor = member.device
    info.pax_headers = {k: v for k, v in sorted(member.pax.items()) if k.startswith(_EXTRA)}
    try:
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    except ValueError as error:  # the name of an attribute that is no UTF-8 text
        raise CkptError(f"{member.name!r:.200} cannot be in an archive:", f"{error}.") from error


def padding(size: int) -> bytes:
    """Return the zeros that follow `size` bytes of data."""
    return bytes(-size % BLOCK)
