"""The files of this host, as CRIU would find them: for processes that shared its mounts.

Files are looked at, never changed; of programs and libraries the headers are read.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.diagnose.elf import HEAD
from ckpt_tui.diagnose.host_reading import read_text
from ckpt_tui.diagnose.rootfs import RootFile

_KINDS = {
    stat.S_IFREG: MemberKind.FILE,
    stat.S_IFDIR: MemberKind.DIRECTORY,
    stat.S_IFIFO: MemberKind.FIFO,
    stat.S_IFCHR: MemberKind.CHARACTER,
    stat.S_IFBLK: MemberKind.BLOCK,
    stat.S_IFSOCK: MemberKind.SOCKET,
}


@dataclass(frozen=True, slots=True)
class HeldLock:
    """A lock that some process of the host holds."""

    kind: str
    """FLOCK, POSIX or OFDLCK."""
    writes: bool
    pid: int
    start: int
    end: int | None
    """Last byte; None: to the end of the file."""


class HostFiles:
    """Files by their path. `root` is where / is."""

    def __init__(self, root: str | os.PathLike[str] = "/") -> None:
        self._root = os.fspath(root)

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))

    def find(self, path: str) -> RootFile | None:
        """Return the file that a path leads to, links followed."""
        try:
            status = os.stat(self._at(path))
        except (OSError, ValueError):  # a NUL in it
            return None
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), MemberKind.OTHER)
        return RootFile(path, kind, status.st_size, stat.S_IMODE(status.st_mode), "")

    def nearest(self, path: str) -> RootFile | None:
        """Return what there is of a path: itself, or the closest folder above it."""
        found = self.find(path)
        while found is None and path.strip("/"):
            path = path.rstrip("/").rpartition("/")[0]
            found = self.find(path or "/")
        return found

    def window(self, path: str) -> ByteWindow:
        """Return the start of a regular file, `HEAD` bytes; nothing of anything else."""
        try:
            descriptor = os.open(self._at(path), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError):
            return BytesWindow(b"")
        try:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            return BytesWindow(os.pread(descriptor, HEAD, 0) if is_file else b"")
        except OSError:
            return BytesWindow(b"")
        finally:
            os.close(descriptor)

    def _mount_flags(self, path: str) -> int:
        try:
            return os.statvfs(self._at(path)).f_flag
        except (OSError, ValueError):
            return 0

    def is_read_only(self, path: str) -> bool:
        """Tell whether the mount that a file is on takes no writes."""
        return bool(self._mount_flags(path) & os.ST_RDONLY)

    def is_noexec(self, path: str) -> bool:
        """Tell whether nothing on the mount that a file is on may be executed."""
        return bool(self._mount_flags(path) & os.ST_NOEXEC)

    def locks(self, path: str) -> list[HeldLock]:
        """Return the locks on a file, as /proc/locks has them."""
        try:
            status = os.stat(self._at(path))
        except (OSError, ValueError):
            return []
        device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        found = []
        for line in read_text(Path(self._root) / "proc/locks").splitlines():
            words = line.split()  # 1: FLOCK  ADVISORY  WRITE 873 00:2d:73 0 EOF
            if len(words) == 8 and words[5] == device and words[6].isdigit():
                end = int(words[7]) if words[7].isdigit() else None
                pid = int(words[4]) if words[4].isdigit() else 0
                found.append(HeldLock(words[1], words[3] == "WRITE", pid, int(words[6]), end))
        return found
