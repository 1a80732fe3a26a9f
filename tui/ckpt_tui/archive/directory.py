"""A directory as a tree of members; no link in it is followed."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ckpt_tui.archive.notes import Notes
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import FileWindow

MAX_MEMBERS = 200_000
"""Entries of a directory with all below it; about 100 MiB of memory."""

MAX_DEPTH = 100
"""Folders in each other. A CRIU directory has two; each one open costs a descriptor."""

KINDS = {
    stat.S_IFREG: MemberKind.FILE,
    stat.S_IFDIR: MemberKind.DIRECTORY,
    stat.S_IFLNK: MemberKind.SYMLINK,
    stat.S_IFIFO: MemberKind.FIFO,
    stat.S_IFCHR: MemberKind.CHARACTER,
    stat.S_IFBLK: MemberKind.BLOCK,
    stat.S_IFSOCK: MemberKind.SOCKET,
}
"""File types of stat(2)."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags to open a folder that is not a link."""

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_folder(path: str | os.PathLike[str], at: int | None = None) -> int:
    """Return a descriptor of the folder at `path`, which may be a link itself, from the folder with
    the descriptor `at`.

    Raises:
        SourceUnreachable: it is absent, no folder, or may not be read.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=at)
    except (OSError, ValueError) as error:
        raise unreachable(os.fspath(path), error) from error


def open_beneath(folder: int, name: str) -> FileWindow:
    """Open the regular file of a clean `name` below a folder, following no link on the way.

    Raises:
        SourceUnreachable: it is absent, may not be read, or is not a regular file.
    """
    *folders, last = name.encode("utf-8", "surrogateescape").split(b"/")
    opened: list[int] = []
    try:
        at = folder
        for step in folders:
            at = os.open(step, FOLDER, dir_fd=at)
            opened.append(at)
        descriptor = os.open(last, _FILE, dir_fd=at)
    except (OSError, ValueError) as error:
        raise unreachable(name, error) from error
    finally:
        for step_descriptor in opened:
            os.close(step_descriptor)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceUnreachable(f"{name} cannot be read.", "It is not a regular file.")
    return FileWindow(descriptor)


def unreachable(name: str, error: OSError | ValueError) -> SourceUnreachable:
    """Return the error for a file that the system does not give us."""
    why = error.strerror if isinstance(error, OSError) else str(error)
    rights = isinstance(error, PermissionError)
    hint = "Run it as a user who may read it, root for the files of an engine." if rights else ""
    return SourceUnreachable(f"{name} cannot be read.", f"{why}.", hint)


class FileBeneath(NamedTuple):
    """A file that is opened for each read: a tree may have more files than descriptors."""

    folder: int
    name: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        file = open_beneath(self.folder, self.name)
        try:
            return file.read(offset, min(length, self.size - offset))
        finally:
            file.close()


class DirectoryTree(Tree):
    """The members below a folder, as they were when it was opened."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        progress: Progress | None = None,
        *,
        at: int | None = None,
    ) -> None:
        """Walk the folder; what cannot be read in it is a note. `at` is the descriptor of a folder
        that a relative path counts from.

        Raises:
            SourceUnreachable: the folder itself is absent or may not be read.
        """
        self.path = os.fspath(path)
        self._folder = open_folder(path, at)
        self._notes = Notes()
        members = self._members = dict[str, Member]()
        found = os.fstat(self._folder)
        self._device = found.st_dev
        self.identity = (found.st_dev, found.st_ino)
        """Equal for two trees of the same folder."""
        try:
            self._walk(self._folder, "", 0, progress or quiet())
        except OSError as error:
            os.close(self._folder)
            raise unreachable(os.fspath(path), error) from error
        except BaseException:
            os.close(self._folder)
            raise
        super().__init__(members, self._notes())

    def window(self, name: str) -> FileBeneath:
        member = self._members[name]
        if member.kind is not MemberKind.FILE:
            raise KeyError(name)
        return FileBeneath(self._folder, name, member.size)

    def linked(self, name: str, with_file: str) -> DirectoryTree:
        """Open the folder that a link in this one leads to, wherever it is. Close it when done.

        It is walked only if `with_file` is in it: a stranger's link may lead to `/`.

        Raises:
            SourceUnreachable: there is no such folder, or it may not be read.
        """
        folder = open_folder(name, self._folder)
        try:
            os.stat(with_file, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            raise unreachable(f"{name}/{with_file}", error) from error
        finally:
            os.close(folder)
        return DirectoryTree(name, at=self._folder)

    def close(self) -> None:
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _walk(self, folder: int, prefix: str, depth: int, progress: Progress) -> None:
        for entry in sorted(_names(folder)):
            progress.tick(0)
            name = prefix + entry.decode("utf-8", "surrogateescape")
            if len(self._members) >= MAX_MEMBERS:
                self._notes.add(f"It has more than {MAX_MEMBERS:,} entries; {name} was left out.")
                return
            try:
                found = os.stat(entry, dir_fd=folder, follow_symlinks=False)
                self._add(name, entry, folder, found)
                if stat.S_ISDIR(found.st_mode):
                    self._enter(name, entry, folder, found, depth, progress)
            except OSError as error:
                self._notes.add(f"{name} cannot be read: {error.strerror}.")

    def _enter(
        self,
        name: str,
        entry: bytes,
        folder: int,
        found: os.stat_result,
        depth: int,
        progress: Progress,
    ) -> None:
        if found.st_dev != self._device:
            self._notes.add(f"{name} is another file system; what is in it was left out.")
            return
        if depth >= MAX_DEPTH:
            self._notes.add(f"{name} lies too deep; what is in it was left out.")
            return
        inner = os.open(entry, FOLDER, dir_fd=folder)
        try:
            self._walk(inner, f"{name}/", depth + 1, progress)
        finally:
            os.close(inner)

    def _add(self, name: str, entry: bytes, folder: int, found: os.stat_result) -> None:
        kind = KINDS.get(stat.S_IFMT(found.st_mode), MemberKind.OTHER)
        link = b""
        if kind is MemberKind.SYMLINK:
            link = os.readlink(entry, dir_fd=folder)
        elif kind is MemberKind.FILE and not os.access(entry, os.R_OK, dir_fd=folder):
            self._notes.add(f"{name} may not be read.")
        self._members[name] = Member(
            name=name,
            kind=kind,
            size=found.st_size if kind is MemberKind.FILE else 0,
            mode=stat.S_IMODE(found.st_mode),
            uid=found.st_uid,
            gid=found.st_gid,
            mtime=found.st_mtime,
            link=link.decode("utf-8", "surrogateescape"),
            device=(os.major(found.st_rdev), os.minor(found.st_rdev)),
        )


def _names(folder: int) -> list[bytes]:
    """Return the names in a folder as bytes; the interpreter gives text, in whatever encoding."""
    return [os.fsencode(name) for name in os.listdir(folder)]
