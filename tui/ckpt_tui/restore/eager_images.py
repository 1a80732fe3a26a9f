"""A folder of images for a restore that reads them all at once."""

from __future__ import annotations

from pathlib import Path

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import chunks
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore.lazy_images import write_lazy_images


def eager_images(opened: OpenCheckpoint, folder: Path, progress: Progress) -> Path:
    """Return a folder with the images of a checkpoint: where they lie, or else `folder`, to which
    they are written byte for byte. Those of a chain are joined.

    Raises:
        CkptError: the folder cannot be written.
    """
    if opened.images.previous is not None:
        write_lazy_images(opened, folder, progress, is_lazy=False)
        return folder
    if isinstance(opened.tree, DirectoryTree):
        return Path(opened.target.removeprefix("dir:")).absolute() / opened.kind.images
    images = opened.images
    names = [name for name in images.file_names if name not in ("", ".", "..")]
    progress.start("writing images", sum(images.size(name) for name in names))
    images.preload_pages(progress)
    try:
        folder.mkdir(mode=0o700)
        for name in names:
            with (folder / name).open("xb") as file:
                for piece in chunks(images.window(name)):
                    file.write(piece)
                    progress.tick(len(piece))
    except OSError as error:
        raise CkptError(f"{folder} cannot be written.", f"{error.strerror or error}.") from error
    return folder
