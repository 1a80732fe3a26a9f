"""CRIU's logs near a checkpoint: in its archive, beside it, or in the local store of its engine."""

from __future__ import annotations

import os
import re
import stat
from datetime import datetime
from itertools import chain
from pathlib import Path

from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.window import ByteWindow, FileWindow
from ckpt_tui.sources.stores import locations

INSIDE = ("restore.log", "checkpoint/restore.log", "dump.log", "checkpoint/dump.log")
"""Members that are logs, the more telling first: a dump that is here went well."""

RUN_ROOT = Path("/run/containers/storage")
"""Where CRI-O has the folders of containers whose logs podman has in its store."""

_CONTAINER_ID = re.compile(r"[0-9a-f]{64}", re.ASCII)


def log_in(tree: Tree) -> tuple[str, ByteWindow] | None:
    """Return the name and the bytes of a log among the members of a checkpoint."""
    for name in INSIDE:
        member = tree.members.get(name)
        if member is not None and member.kind is MemberKind.FILE:
            return name, tree.window(name)
    return None


def log_beside(path: str) -> Path | None:
    """Return the log that lies beside a checkpoint: `web.restore.log`, `restore.log`, …

    A file named after the checkpoint counts before one that only lies in the same folder.
    """
    here = Path(path)
    folder = here.parent if here.is_file() else here
    stem = here.name.split(".")[0]
    names = [f"{stem}.restore.log", "restore.log", f"{stem}.dump.log", "dump.log"]
    return next((folder / n for n in names if (folder / n).is_file()), None)


def log_in_store(container_id: str, dumped: datetime | None) -> Path | None:
    """Return the restore.log that podman or CRI-O has of a container; an older one than the dump
    is of another checkpoint."""
    if not _CONTAINER_ID.fullmatch(container_id) or dumped is None:
        return None
    stores = ((where.root, where.driver) for where in locations())
    for root, driver in chain(stores, [(RUN_ROOT, "overlay")]):
        path = root / f"{driver}-containers" / container_id / "userdata" / "restore.log"
        try:
            if path.stat().st_mtime >= dumped.timestamp():
                return path
        except OSError:
            continue
    return None


def open_log(path: str | Path) -> FileWindow:
    """Open a log file.

    Raises:
        SourceUnreachable: it is absent, no regular file, or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SourceUnreachable(f"{path} cannot be read:", f"{error.strerror}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceUnreachable(
            f"{path} cannot be read:",
            "It is not a regular file.",
            "`--log -` reads standard input.",
        )
    return FileWindow(descriptor)
