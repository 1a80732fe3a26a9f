"""Tar headers for the layers that are written here: the same member, the same bytes."""

from __future__ import annotations

import tarfile

from ckpt_tui.archive.headers import BLOCK
from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import Member, MemberKind

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

_EXTRA = "SCHILY."
"""PAX records that the header itself cannot say: extended attributes and flags."""


def header(member: Member, *, owner_names: bool = False) -> bytes:
    """Return the header blocks of `member`: ustar, with PAX records only where ustar cannot say it.

    Owner and group go by number alone, as layers want it, unless told otherwise.
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
    info.devmajor, info.devminor = member.device
    info.pax_headers = {k: v for k, v in sorted(member.pax.items()) if k.startswith(_EXTRA)}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padding(size: int) -> bytes:
    """Return the zeros that follow `size` bytes of data."""
    return bytes(-size % BLOCK)
