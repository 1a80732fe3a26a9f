"""The root filesystem of a container: an image of podman's store, and what the container changed
over it, in an overlay mount of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ckpt_tui.checkpoint.delta import DELETED
from ckpt_tui.checkpoint.filetable import file_table
from ckpt_tui.convert.base_search import search_base
from ckpt_tui.convert.inputs import NOTHING_BESIDE, source_of
from ckpt_tui.convert.rootfs import own_image
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore import podman
from ckpt_tui.restore.changes import apply_changes, delete
from ckpt_tui.restore.space import Space
from ckpt_tui.sources.oci import config_of


def root_image(opened: OpenCheckpoint, base: str, progress: Progress) -> tuple[str, str]:
    """Return the id of the image in podman's store that the root filesystem begins with, after
    pulling it if it was not there; and a sentence about it, if there is one to say.

    Raises:
        CkptError: it is not to be found.
    """
    own = own_image(opened.source)
    if own is not None and not base:
        return podman.stored(own, progress), ""
    container = opened.kind.container(opened.metadata)
    if opened.format.optimized and not base:
        name = opened.metadata.text("config.dump", "rootfsImageName")
        return podman.image_id(name) or podman.pull(name, progress), ""
    with ExitStack() as closing:
        source = source_of(opened, NOTHING_BESIDE, closing, progress)
        search = search_base(source, opened, base, progress, reach_out=True)
        if search.found is None:
            raise CkptError(
                f"The image {container.image or 'that the container ran from'} was not found:",
                search.why_not or "it is not in podman's store, beside the checkpoint or in it.",
                "Name it with --base IMAGE.",
            )
        image = search.found.image
        closing.callback(image.close)
        found = podman.stored(image, progress)
        recorded = container.image_id
        if recorded and config_of(image).digest != f"sha256:{recorded}":
            return found, f"{image.target} is not the image that the container ran from."
        return found, ""


def mount_root(
    opened: OpenCheckpoint, space: Space, lower: str, folder: Path, *, on_disk: bool
) -> None:
    """Mount folder/rootfs in a space: `lower`, and changes over it, kept in folder/changes; without
    `on_disk` in memory."""
    root, upper = folder / "rootfs", folder / "changes"
    for path in (root, upper):
        path.mkdir()
    if not (on_disk and _mounted(space, lower, root, upper)):
        space.mount("tmpfs", str(upper), "mode=0700")
        inside = Path(space.path(str(upper)))
        if not _mounted(space, lower, root, upper, inside):
            raise CkptError("The root filesystem cannot be mounted:", "overlayfs refuses.")
    found = os.stat(space.path(lower))
    os.chown(space.path(str(root)), found.st_uid, found.st_gid)
    os.chmod(space.path(str(root)), root_mode(opened) or found.st_mode & 0o7777)


def _mounted(space: Space, lower: str, root: Path, upper: Path, seen: Path | None = None) -> bool:
    for name in ("upper", "work"):
        (seen or upper).joinpath(name).mkdir(exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper}/upper,workdir={upper}/work"
    try:
        space.mount("overlay", str(root), options)
    except CkptError:
        if seen:
            raise
        return False
    return True


def root_mode(opened: OpenCheckpoint) -> int:
    """Return the permissions of the root folder as CRIU will check them, 0 if it will not: engines
    give a root that no layer names different ones."""
    for one in file_table(opened.images).objects.named("/"):
        if mode := getattr(one.message, "mode", 0):
            return int(mode) & 0o7777
    return 0


def write_changes(
    opened: OpenCheckpoint, space: Space, folder: Path, progress: Progress
) -> tuple[str, ...]:
    """Write what a legacy checkpoint has of changes to folder/rootfs; in an optimized one they are
    a layer of the image already. Returns what was left out.

    Raises:
        CkptError: they are damaged, or cannot be written.
    """
    if opened.format.optimized:
        return ()
    changes = opened.open_delta(progress)
    with _opened_root(space, folder) as root:
        if DELETED in opened.tree.members:  # first: what was deleted and made again is in both
            paths = read_document(opened.tree.window(DELETED), DELETED)
            delete(
                root, [p for p in paths if isinstance(p, str)] if isinstance(paths, list) else ()
            )
        if changes is None:
            return ()
        try:
            return apply_changes(root, changes, progress)
        finally:
            changes.close()


@contextmanager
def _opened_root(space: Space, folder: Path) -> Iterator[int]:
    root = os.open(space.path(str(folder / "rootfs")), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield root
    finally:
        os.close(root)
