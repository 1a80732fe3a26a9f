"""What a container changed, written over the root filesystem of its image.

Names come from the checkpoint: each folder on the way is opened in the one above it, and no link is
followed, so nothing is written outside of the root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ckpt_tui.archive.directory import FOLDER
from ckpt_tui.archive.layers import OPAQUE, WHITEOUT
from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.filetree import XATTR
from ckpt_tui.convert.upper_marks import MARKS
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import chunks

_ATTRIBUTES = ("user.", "security.capability")
"""Attributes that are the container's; those of overlayfs instruct the kernel."""

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def apply_changes(root: int, changes: Tree, progress: Progress) -> tuple[str, ...]:
    """Write the members of a tree below the folder with the descriptor `root`; those that a layer
    uses for deletions delete. Returns what was left out, a sentence each.

    Raises:
        CkptError: a name leads through a link, or the files cannot be written.
    """
    progress.start("writing the changes", sum(m.size for m in changes.members.values()))
    notes = []
    for name, member in changes.members.items():
        progress.tick(0)
        try:
            note = _apply(root, changes, member, progress)
        except OSError as error:
            raise CkptError(f"{name} cannot be written:", f"{error.strerror or error}.") from error
        if note:
            notes.append(note)
    for member in reversed([*changes.members.values()]):  # after what is in them was written
        if member.kind is MemberKind.DIRECTORY:
            with _parent(root, member.name) as (folder, last), contextlib.suppress(OSError):
                times = (member.mtime, member.mtime)
                os.utime(last, times, dir_fd=folder, follow_symlinks=False)
    return tuple(notes)


def delete(root: int, paths: Iterable[str]) -> None:
    """Delete what is at these paths below `root`, as far as it is there."""
    for path in paths:
        name = path.strip("/")
        if name and ".." not in name.split("/"):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                _delete(root, name)


def _apply(root: int, changes: Tree, member: Member, progress: Progress) -> str:
    folder_name, _, last = member.name.rpartition("/")
    if last == OPAQUE:
        with _folder(root, folder_name or ROOT) as folder:
            for inner in os.listdir(folder):
                _remove(folder, inner)
        return ""
    if last.startswith(WHITEOUT):
        delete(root, [f"{folder_name}/{last.removeprefix(WHITEOUT)}"])
        return ""
    if member.kind in (MemberKind.CHARACTER, MemberKind.BLOCK, MemberKind.OTHER):
        return f"{member.name} is a device and was left out."
    with _parent(root, member.name, makes=True) as (folder, last):
        if member.kind is MemberKind.DIRECTORY:
            _make_folder(folder, last)
        else:
            _remove(folder, last)
            _make(root, folder, last, changes, member, progress)
        if member.kind is not MemberKind.HARDLINK:
            _give_attributes(folder, last, member)
    return ""


def _make(
    root: int, folder: int, last: str, changes: Tree, member: Member, progress: Progress
) -> None:
    if member.kind is MemberKind.SYMLINK:
        os.symlink(member.link, last, dir_fd=folder)
    elif member.kind is MemberKind.HARDLINK:
        with _parent(root, member.link) as (there, name):
            os.link(name, last, src_dir_fd=there, dst_dir_fd=folder, follow_symlinks=False)
    elif member.kind is MemberKind.FIFO:
        os.mkfifo(last, 0o600, dir_fd=folder)
    elif member.kind is MemberKind.FILE:
        with os.fdopen(os.open(last, _NEW_FILE, 0o600, dir_fd=folder), "wb") as file:
            for piece in chunks(changes.window(member.name)):
                if piece.count(0) == len(piece):  # large files of a container are often sparse
                    file.seek(len(piece), os.SEEK_CUR)
                else:
                    file.write(piece)
                progress.tick(len(piece))
            file.truncate()


def _make_folder(folder: int, last: str) -> None:
    if last == ROOT:
        return
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
            return
        _remove(folder, last)
    os.mkdir(last, 0o700, dir_fd=folder)


def _give_attributes(folder: int, last: str, member: Member) -> None:
    os.chown(last, member.uid, member.gid, dir_fd=folder, follow_symlinks=False)
    if member.kind is MemberKind.SYMLINK:
        return
    path = f"/proc/self/fd/{folder}/{last}"
    for key, value in member.pax.items():
        name = key.removeprefix(XATTR)
        if name != key and name.startswith(_ATTRIBUTES) and not name.startswith(MARKS):
            data = value.encode("utf-8", "surrogateescape")
            os.setxattr(path, name, data, follow_symlinks=False)
    os.chmod(last, member.mode, dir_fd=folder)  # last: to change the owner clears setuid
    if member.kind is not MemberKind.DIRECTORY:
        os.utime(last, (member.mtime, member.mtime), dir_fd=folder, follow_symlinks=False)


@contextmanager
def _parent(root: int, name: str, *, makes: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder that a name is in, and give the last part of the name."""
    above, _, last = name.rpartition("/")
    with _folder(root, above or ROOT, makes=makes) as folder:
        yield folder, last


@contextmanager
def _folder(root: int, name: str, *, makes: bool = False) -> Iterator[int]:
    at = os.dup(root)
    try:
        for step in name.split("/"):
            if makes and step != ROOT:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(step, 0o755, dir_fd=at)
            inner = os.open(step, FOLDER, dir_fd=at)
            os.close(at)
            at = inner
        yield at
    finally:
        os.close(at)


def _delete(root: int, name: str) -> None:
    with _parent(root, name) as (folder, last):
        _remove(folder, last)


def _remove(folder: int, name: str) -> None:
    """Remove an entry of a folder, with all that is in it."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(found.st_mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)
