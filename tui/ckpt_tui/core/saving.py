"""Writing bytes to a file of the user's: whole or not at all, and never over another one."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, chunks

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
"""What link(2) says where the file system has no hard links, as FAT."""


@contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """Give an empty file to fill, readable by its owner only; at the end it gets the name `path`.

    Raises:
        CkptError: there is a file of that name, or it cannot be written; nothing is left behind.
    """
    target = os.path.abspath(os.path.expanduser(path))
    if os.path.lexists(target):
        raise CkptError(f"{target} is there already.", "Nothing was written.", "Use another name.")
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".ckpt-tui-", dir=os.path.dirname(target))
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # unlike a rename this fails where the file was made in the meantime
            try:
                os.link(temporary, target)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                os.replace(temporary, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary)
    except OSError as error:
        raise CkptError(f"{target} cannot be written.", f"{error.strerror}.") from error


def save_window(window: ByteWindow, path: str, progress: Progress) -> str:
    """Write a window to `path` and return the SHA-256 in hex.

    Raises:
        CkptError: as `new_file`.
        Cancelled: the caller gave up; nothing is left behind.
    """
    digest = hashlib.sha256()
    with new_file(path) as file:
        progress.start("saving", window.size)
        for piece in chunks(window):
            digest.update(piece)
            file.write(piece)
            progress.tick(len(piece))
    return digest.hexdigest()
