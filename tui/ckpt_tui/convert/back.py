"""From an optimized image back to the archive of its engine."""

from __future__ import annotations

import os
from pathlib import Path

from ckpt_tui.convert.restore_archive import RestoredArchive, restore_archive
from ckpt_tui.convert.rootfs import own_image
from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.formats.images import is_delta
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.sources.oci import image_layers


def convert_back(target: str, path: Path, progress: Progress) -> RestoredArchive:
    """Write the archive at `path` that the image `target` was made from.

    Raises:
        UsageError: it is not an optimized image, or the file exists.
        CkptError: the image lacks something, or the file cannot be written.
    """
    if os.path.lexists(path):  # a link that leads nowhere, too
        raise UsageError(f"{path} exists already.", "", "Remove it, or name another file.")
    opened = open_checkpoint(target, progress)
    try:
        if not opened.format.optimized:
            raise UsageError(
                f"{target} is not an optimized image.", "Only those have a way back in them."
            )
        return restore_archive(opened.tree, _delta_blob(opened), path, progress)
    finally:
        opened.close()


def _delta_blob(opened: OpenCheckpoint) -> ByteWindow | None:
    """Return the blob of the delta layer in the rootfs image beside the checkpoint image."""
    image = own_image(opened.source)
    for layer in image_layers(image) if image else ():
        if is_delta(layer.descriptor):
            return layer.window()
    return None
