"""Folders as places: the checkpoints and folders in them, told by their first bytes."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.directory import unreachable
from ckpt_tui.core.errors import NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import natural_key
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.metadata import file_time
from ckpt_tui.sources.stores import MARKS

_HEAD = 512
_USTAR = slice(257, 262)
_IMAGES = re.compile(rb"(blobs/|oci-layout|index\.json|manifest\.json|repositories|[0-9a-f]{64})")
"""First member of an OCI layout in an archive, or of what `docker save` writes."""
_ARCHIVE_NAMES = (".tar", ".tar.zst", ".tar.gz", ".tgz")
"""Ends of names of which a file is expected to be an archive."""
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_MARKS = (
    ("oci-layout", Kind.LAYOUT),
    ("inventory.img", Kind.CHECKPOINT),
    ("checkpoint/inventory.img", Kind.CHECKPOINT),
    *((mark, Kind.STORE) for mark, _ in MARKS),
)
"""Files by which a folder is more than a folder."""


def list_folder(path: str, progress: Progress) -> Iterator[Entry]:
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
    return bool(names) and _kind(path) in (Kind.FOLDER, Kind.STORE)


def folder_at(target: str) -> Entry:
    """Return the folder at a path, whether it is there or not."""
    return Entry(Kind.FOLDER, os.path.basename(target), target)


def children(folder: Entry, progress: Progress) -> list[Entry]:
    """Return the entries of a folder by name, folders to go into last."""
    found = list_folder(folder.path, progress)
    return sorted(found, key=lambda entry: (entry.kind is Kind.FOLDER, natural_key(entry.name)))


def _listed(name: str, path: str, found: os.stat_result) -> Entry | None:
    created = file_time(found.st_mtime)
    if stat.S_ISDIR(found.st_mode):
        kind = _kind(path)
        target = path if kind is Kind.CHECKPOINT else ""
        return Entry(kind, name, path, target, created=created)
    if not stat.S_ISREG(found.st_mode):
        return None
    head = _head(path)
    compression = sniff(head)
    problem = None
    if compression == "plain" and head[_USTAR] != b"ustar":
        if not name.endswith(_ARCHIVE_NAMES):
            return None
        state = "is not a tar archive" if found.st_size else "is empty"
        problem = NotACheckpoint(f"{name} {state}.")
    return Entry(
        Kind.IMAGE_ARCHIVE if _IMAGES.match(head.removeprefix(b"./")) else Kind.ARCHIVE,
        name,
        path,
        path,
        compression=compression,
        size=found.st_size,
        created=created,
        problem=problem,
    )


def _kind(folder: str) -> Kind:
    marks = (kind for mark, kind in _MARKS if os.path.exists(os.path.join(folder, mark)))
    return next(marks, Kind.FOLDER)


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
