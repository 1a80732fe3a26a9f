"""What is in a folder, for a person who looks for checkpoints: cheap, and never below it."""

from __future__ import annotations

import enum
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.directory import unreachable
from ckpt_tui.core.paths import own_store
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.stores import MARKS

_HEAD = 512
_USTAR = slice(257, 262)
_IMAGES = re.compile(rb"(blobs/|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64})")
"""First member of an OCI layout in an archive, or of what `docker save` writes."""
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class EntryKind(enum.Enum):
    """What an entry of a folder may be; the value is what a list shows."""

    FOLDER = "folder"
    LAYOUT = "OCI layout"
    CHECKPOINT = "checkpoint folder"
    ARCHIVE = "archive"
    STORE = "own store"
    ENGINE = "engine's store"


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder to go into, or something that may be a checkpoint."""

    name: str
    """Bytes that are no UTF-8 are surrogate escapes."""
    path: str
    """What `resolve` takes."""
    kind: EntryKind
    size: int
    """Bytes of an archive, 0 for folders."""
    mtime: float
    compression: str = ""
    """zstd, gzip or plain, of an archive."""
    holds_images: bool = False
    """Whether an archive begins as those of images do; a packed one does not show it."""


_MARKS = (
    ("oci-layout", EntryKind.LAYOUT),
    ("inventory.img", EntryKind.CHECKPOINT),
    ("checkpoint/inventory.img", EntryKind.CHECKPOINT),
    *((mark, EntryKind.ENGINE) for mark, _ in MARKS),
)
"""Files by which a folder is more than a folder."""


def list_folder(path: str, progress: Progress) -> Iterator[FolderEntry]:
    """Yield the sub-folders of a folder and the files that by their first bytes may be checkpoints.

    In the order of the file system, so that the first come at once; costs a read of 512 bytes for
    each file. What may not be read is passed over. Progress counts entries.

    Raises:
        SourceUnreachable: the folder itself may not be read.
    """
    try:
        entries = os.scandir(path or ".")
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error
    with entries:
        for entry in entries:
            progress.tick()
            try:
                found = entry.stat()
            except OSError:  # a dangling link, or gone meanwhile
                continue
            if listed := _listed(entry.name, entry.path, found):
                yield listed


def is_folder_of_checkpoints(path: str) -> bool:
    """Whether a path is a folder to look around in, and no checkpoint or layout itself.

    Images without their inventory are a damaged checkpoint, and no such folder.
    """
    try:
        names = os.listdir(path)
    except (OSError, ValueError):
        return False
    if any(name == "config.dump" or name.endswith(".img") for name in names):
        return False
    return bool(names) and _kind(path) in (EntryKind.FOLDER, EntryKind.ENGINE)


def own_store_entry() -> FolderEntry | None:
    """Return the program's own store, or None as long as nothing is in it."""
    path = own_store()
    try:
        found = os.stat(path / "oci-layout")
    except OSError:
        return None
    return FolderEntry(path.name, str(path), EntryKind.STORE, 0, found.st_mtime)


def _listed(name: str, path: str, found: os.stat_result) -> FolderEntry | None:
    if stat.S_ISDIR(found.st_mode):
        return FolderEntry(name, path, _kind(path), 0, found.st_mtime)
    if not stat.S_ISREG(found.st_mode):
        return None
    head = _head(path)
    compression = sniff(head)
    if compression == "plain" and head[_USTAR] != b"ustar":
        return None
    return FolderEntry(
        name,
        path,
        EntryKind.ARCHIVE,
        found.st_size,
        found.st_mtime,
        compression,
        holds_images=bool(_IMAGES.match(head.removeprefix(b"./"))),
    )


def _kind(folder: str) -> EntryKind:
    marks = (kind for mark, kind in _MARKS if os.path.exists(os.path.join(folder, mark)))
    return next(marks, EntryKind.FOLDER)


def _head(path: str) -> bytes:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, _HEAD, 0)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
