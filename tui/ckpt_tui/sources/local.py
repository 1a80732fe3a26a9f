"""Files, layouts and standard input: what they hold is told by their content."""

from __future__ import annotations

import os
import stat

from ckpt_tui.archive.archive_tree import ArchiveTree, Taker, open_archive
from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.directory import DirectoryTree, unreachable
from ckpt_tui.archive.spill import unlinked_file
from ckpt_tui.core.errors import NotACheckpoint, UsageError
from ckpt_tui.core.log_heads import HEAD, is_log
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, FileWindow
from ckpt_tui.sources.base import Opened, OpenedImage, OpenedTree
from ckpt_tui.sources.directory import HINT, status_of
from ckpt_tui.sources.docker_archive import is_docker_archive, open_docker_image
from ckpt_tui.sources.oci import LayoutStore, choose, is_layout, open_image

_FOREIGN = (
    (b"gVisorSF", "It is a checkpoint of gVisor, which CRIU cannot restore."),
    (b"\x7fELF", "It is a program or a core dump."),
    (b"PK\x03\x04", "It is a zip archive: unpack it first."),
    (b"\xfd7zXZ\x00", "It is compressed with xz: unpack it with `xz -d` first."),
    (b"BZh", "It is compressed with bzip2: unpack it with `bzip2 -d` first."),
    (b"{", "It looks like JSON: name the layout's folder, or the archive it is from."),
)
"""First bytes of files that people confuse with checkpoints, and what to tell them."""

_USTAR = slice(257, 262)


def open_path(target: str, progress: Progress, taker: Taker | None = None) -> Opened:
    """Open a file by what is in it, or an OCI layout; members of an archive go to `taker` too."""
    found = status_of(target)
    if stat.S_ISDIR(found.st_mode):
        return open_layout(target, target, "", progress)
    if stat.S_ISFIFO(found.st_mode):
        return _opened(target, _spooled(_descriptor(target), progress), "", progress)
    return open_file(target, target, "", progress, taker)


def open_file(
    target: str, path: str, wanted: str, progress: Progress, taker: Taker | None = None
) -> Opened:
    """Open a regular file; `wanted` names an image where it is an archive of a layout."""
    if not stat.S_ISREG(status_of(path).st_mode):
        raise NotACheckpoint(f"{path} is not a checkpoint.", "It is neither a file nor a folder.")
    return _opened(target, FileWindow(_descriptor(path)), wanted, progress, taker)


def open_layout(target: str, path: str, wanted: str, progress: Progress) -> OpenedImage:
    """Open an image of an OCI layout in a directory."""
    store = LayoutStore(DirectoryTree(path, progress))
    try:
        if not is_layout(store.tree):
            raise NotACheckpoint(
                f"{path} is not an OCI layout.", "It has no oci-layout or no index.json."
            )
        return open_image(target, store, choose(store, wanted, target))
    except BaseException:
        store.close()
        raise


def open_stdin(target: str, progress: Progress, taker: Taker | None = None) -> Opened:
    """Open what comes on standard input, spooled into a file without a name; see `open_path`."""
    if os.isatty(0):
        raise UsageError(
            "Nothing is piped into standard input.", "", f"Try `ckpt-tui inspect {target} < FILE`."
        )
    try:
        pipe = os.dup(0)
    except OSError as error:
        raise unreachable("standard input", error) from error
    return _opened(target, _spooled(pipe, progress), "", progress, taker)


def open_images(path: str, progress: Progress) -> ArchiveTree:
    """Open an archive of images: a layout, or what `docker save` writes.

    Raises:
        NotACheckpoint: it holds no images.
    """
    tree = _archive(path, FileWindow(_descriptor(path)), progress)
    if is_layout(tree) or is_docker_archive(tree):
        return tree
    tree.close()
    raise NotACheckpoint(
        f"{path} holds no images.",
        "It is not an OCI layout in an archive, and none of `docker save`.",
        f"`ckpt-tui inspect {path}` says what it is.",
    )


def _archive(
    target: str, file: FileWindow, progress: Progress, taker: Taker | None = None
) -> ArchiveTree:
    try:
        _expect_archive(target, file)
        name = "standard input" if target == "-" else os.path.basename(target)
        return open_archive(file, name, progress, file.close, taker)
    except BaseException:
        file.close()
        raise


def _opened(
    target: str, file: FileWindow, wanted: str, progress: Progress, taker: Taker | None = None
) -> Opened:
    tree = _archive(target, file, progress, taker)
    try:
        return _tree_or_image(target, tree, wanted)
    except BaseException:
        tree.close()
        raise


def _tree_or_image(target: str, tree: ArchiveTree, wanted: str) -> Opened:
    if is_layout(tree):
        store = LayoutStore(tree)
        return open_image(target, store, choose(store, wanted, target))
    if is_docker_archive(tree):
        return open_docker_image(target, tree, wanted)
    if wanted:
        raise NotACheckpoint(f"{target} is not an archive of images.", "", HINT)
    return OpenedTree(target, tree, tree.packed_size, tree.compression, "archive")


def _expect_archive(target: str, file: FileWindow) -> None:
    head = file.read(0, 512)
    if not head:
        raise NotACheckpoint(f"{target} is empty.", "It has no bytes.", HINT)
    if sniff(head) != "plain" or head[_USTAR] == b"ustar":
        return
    for magic, why in _FOREIGN:
        if head.startswith(magic):
            raise NotACheckpoint(f"{target} is not a checkpoint.", why, HINT)
    if is_log(file.read(0, HEAD)):
        why = "It is a log of CRIU or an engine."
        hint = f"`ckpt-tui diagnose {target}` says what went wrong."
        raise NotACheckpoint(f"{target} is not a checkpoint.", why, hint)


def _descriptor(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise unreachable(path, error) from error


def _spooled(descriptor: int, progress: Progress) -> FileWindow:
    """Copy a pipe to its end into a file without a name; closes the pipe."""
    progress.start("reading standard input")
    with open(descriptor, "rb", buffering=0) as pipe, unlinked_file() as file:
        try:
            while piece := pipe.read(CHUNK):
                file.write(piece)
                progress.tick(len(piece))
            file.flush()
        except OSError as error:
            raise unreachable("standard input", error) from error
        return FileWindow(os.dup(file.fileno()))
