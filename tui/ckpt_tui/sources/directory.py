"""Directories of CRIU images and unpacked checkpoints."""

from __future__ import annotations

import errno
import os
import stat

from ckpt_tui.archive.directory import DirectoryTree, unreachable
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.core.errors import NotACheckpoint, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import OpenedTree

HINT = "A checkpoint is a tar archive, perhaps packed with zstd or gzip, a folder, or an image."
"""What to try where a target holds none."""


def is_plain_directory(path: str) -> bool:
    """Tell whether a path is a directory and no OCI layout.

    Raises:
        SourceUnreachable: it is absent or may not be read.
    """
    if not stat.S_ISDIR(status_of(path).st_mode):
        return False
    return not os.path.lexists(os.path.join(path, "oci-layout"))


def open_directory(target: str, path: str, progress: Progress) -> OpenedTree:
    """Open a directory with an unpacked checkpoint or CRIU images in it."""
    tree = DirectoryTree(path, progress)
    if not tree.members:
        tree.close()
        raise NotACheckpoint(f"{path} is empty.", "", HINT)
    files = (one.size for one in tree.members.values() if one.kind is MemberKind.FILE)
    return OpenedTree(target, tree, sum(files), "plain", "directory")


def status_of(path: str) -> os.stat_result:
    """Return what the system says of a path.

    Raises:
        SourceUnreachable: it is absent or may not be read.
    """
    try:
        return os.stat(path)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOENT:
            raise SourceUnreachable(
                f"{path} cannot be read.",
                "There is no such file or folder.",
                "See `ckpt-tui --help` for how images in stores are named." if ":" in path else "",
            ) from error
        raise unreachable(path, error) from error
