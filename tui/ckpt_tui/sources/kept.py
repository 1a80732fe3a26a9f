"""What engines keep of containers that were checkpointed: images and logs of CRIU, in their stores.

Where each keeps them: podman, libpod/container.go (`CheckpointPath`), and containers/storage,
containers.go; Docker, daemon/checkpoint.go; containerd, cmd/containerd-shim-runc-v2/process.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckpt_tui.archive.directory import unreachable
from ckpt_tui.core.document import parse_document, text_at, texts_at
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.containers import read_list
from ckpt_tui.sources.stores import CONTAINERD_ROOT, CONTAINERD_STATE, Location

LOGS = ("restore.log", "dump.log", "criu-dump.log")
"""CRIU's logs as engines name them, the more telling first."""

MAX_CONFIG = 4 << 20
"""Bytes of Docker's record of a container."""

_ID = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z_.-]*")
_TASKS = "io.containerd.runtime.v2.task"


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint or a log that an engine keeps of a container."""

    container: str
    """Its name, or its id where it has none."""
    name: str
    """Of the checkpoint, where it has one; of a log, its file."""
    path: str
    """The folder of the checkpoint, or the log."""
    is_log: bool
    size: int
    """Bytes of the log, or of the files of the checkpoint."""
    mtime: float
    image: str = ""


def podman_kept(location: Location, progress: Progress) -> Iterator[Kept]:
    """Yield what podman and CRI-O keep: checkpoints that were not exported, and logs.

    Raises:
        SourceUnreachable: the store may not be read.
        DamagedInput: its list of containers is damaged.
    """
    folder = location.root / f"{location.driver}-containers"
    for name in ("containers.json", "volatile-containers.json"):
        try:
            containers = read_list(folder / name)
        except FileNotFoundError:
            continue
        for one in containers:
            progress.tick()
            identity = text_at(one, "id")
            if not _ID.fullmatch(identity):
                continue
            known = next(iter(texts_at(one, "names")), identity[:12])
            metadata = _parsed(text_at(one, "metadata").encode("utf-8", "surrogateescape"))
            image = text_at(metadata, "image-name")
            yield from _in_folder(known, str(folder / identity / "userdata"), image)


def docker_kept(root: str, progress: Progress) -> Iterator[Kept]:
    """Yield the checkpoints of Docker's containers.

    Raises:
        SourceUnreachable: its folder may not be read.
    """
    for container in _folders(os.path.join(root, "containers")):
        progress.tick()
        with suppress(SourceUnreachable):  # a container without checkpoints
            found = [*_folders(os.path.join(container, "checkpoints"))]
            config = _config(os.path.join(container, "config.v2.json")) if found else None
            known = text_at(config, "Name").lstrip("/") or os.path.basename(container)[:12]
            for folder in found:
                image = text_at(config, "Config", "Image")
                yield _checkpoint(known, os.path.basename(folder), folder, folder, image)


def containerd_kept(root: str, progress: Progress) -> Iterator[Kept]:
    """Yield the logs that containerd keeps of dumps and restores that failed.

    Raises:
        SourceUnreachable: its folder may not be read.
    """
    places = [os.path.join(root, _TASKS)]
    if os.path.realpath(root) == CONTAINERD_ROOT:
        places.append(os.path.join(CONTAINERD_STATE, _TASKS))
    for place in places:
        if not os.path.lexists(place):
            continue
        for space in _folders(place):
            for task in _folders(space):
                progress.tick()
                for inner in ("", "work", "criu-work"):
                    yield from _logs(os.path.basename(task), os.path.join(task, inner))


def _in_folder(container: str, folder: str, image: str) -> Iterator[Kept]:
    images = os.path.join(folder, "checkpoint")
    if os.path.lexists(os.path.join(images, "inventory.img")):
        yield _checkpoint(container, "", folder, images, image)
    yield from _logs(container, folder, image)


def _checkpoint(container: str, name: str, path: str, images: str, image: str) -> Kept:
    """`images` is the folder of CRIU's images in the folder that opens the checkpoint, `path`."""
    size = 0
    with suppress(OSError), os.scandir(images) as entries:
        size = sum(e.stat(follow_symlinks=False).st_size for e in entries if e.is_file())
    return Kept(container, name, path, False, size, _mtime(images), image)


def _logs(container: str, folder: str, image: str = "") -> Iterator[Kept]:
    for name in LOGS:
        path = os.path.join(folder, name)
        with suppress(OSError):
            found = os.stat(path, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield Kept(container, name, path, True, found.st_size, found.st_mtime, image)


def _folders(path: str) -> list[str]:
    """Return the folders in a folder, by name."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.path for e in entries if e.is_dir(follow_symlinks=False))
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error


def _mtime(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def _config(path: str) -> Any:
    try:
        data = Path(path).read_bytes() if os.path.getsize(path) <= MAX_CONFIG else b""
    except OSError:
        return None
    return _parsed(data)


def _parsed(data: bytes) -> Any:
    try:
        return parse_document(data, "the record")
    except (CkptError, DamagedInput):
        return None
