"""The files that CRIU compares with the root filesystem before it restores."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.model import Mount

OWN_PATH = re.compile("/(?:proc|dev/pts)/[0-9]{1,10}(?:/|$)")
"""What comes into being with the processes: their folders in /proc, the far ends of their
terminals."""


@dataclass(frozen=True, slots=True)
class ValidatedFile:
    """A file on the root filesystem that some process had open, mapped, or as its directory."""

    id: int
    """Of the file object in files.img."""
    path: str
    """Absolute inside the container."""
    size: int | None
    """Recorded size; None where CRIU compares none, as for directories and append-only files."""
    mode: int | None
    """File type and permission bits; None in images before the mode was recorded."""
    build_id: bytes = b""


def validated_files(table: FileTable, mounts: tuple[Mount, ...]) -> Iterator[ValidatedFile]:
    """Yield the files whose size and mode must be as at the dump (CRIU criu/files-reg.c,
    validate_file): on the root mount, not external, and with a path that was not deleted."""
    roots = {m.id for m in mounts if m.mountpoint == "/"}
    for found in table.objects.values():
        message = found.message
        if found.type != "REG" or found.id in table.ghosts or message.ext:
            continue
        if roots and message.HasField("mnt_id") and message.mnt_id not in roots:
            continue
        path = "/" + table.path(found.id).lstrip("/")
        if OWN_PATH.match(path):
            continue
        mode = int(message.mode) if message.HasField("mode") else None
        regular = mode is None or stat.S_ISREG(mode)
        yield ValidatedFile(
            id=found.id,
            path=path,
            size=int(message.size) if message.HasField("size") and regular else None,
            mode=mode,
            build_id=b"".join((w & 0xFFFFFFFF).to_bytes(4, "little") for w in message.build_id),
        )
