"""Writing bytes to a file of the user's: whole or not at all, and never over another one."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, chunks


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
            # unlike a rename this fails where somebody made the file in the meantime
            os.link(temporary, target)
        finally:
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
