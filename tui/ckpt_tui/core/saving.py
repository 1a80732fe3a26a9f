"""Writing bytes to a file of the user's: whole or not at all, and never over another one."""

from __future__ import annotations

import hashlib
import os
import tempfile

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, chunks


def save_window(window: ByteWindow, path: str, progress: Progress) -> str:
    """Write a window to `path`, readable by its owner only, and return the SHA-256 in hex.

    Raises:
        CkptError: there is a file of that name, or it cannot be written; nothing is left behind.
        Cancelled: the caller gave up; nothing is left behind.
    """
    target = os.path.abspath(os.path.expanduser(path))
    if os.path.lexists(target):
        raise CkptError(f"{target} is there already.", "Nothing was written.", "Use another name.")
    digest = hashlib.sha256()
    progress.start("saving", window.size)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=".ckpt-tui-", dir=os.path.dirname(target))
        try:
            with os.fdopen(descriptor, "wb") as file:
                for piece in chunks(window):
                    digest.update(piece)
                    file.write(piece)
                    progress.tick(len(piece))
                file.flush()
                os.fsync(file.fileno())
            # unlike a rename this fails where somebody made the file in the meantime
            os.link(temporary, target)
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise CkptError(f"{target} cannot be written.", f"{error.strerror}.") from error
    return digest.hexdigest()
