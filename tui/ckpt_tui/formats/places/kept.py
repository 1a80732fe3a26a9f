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
from pathlib import Path
from typing import Any

from ckpt_tui.archive.directory import unreachable
from ckpt_tui.core.document import parse_document, text_at, texts_at
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.metadata import file_time
from ckpt_tui.sources.containers import read_list
from ckpt_tui.sources.stores import CONTAINERD_ROOT, CONTAINERD_STATE, Location

LOGS = ("restore.log", "dump.log", "criu-dump.log")
"""CRIU's logs as engines name them, the more telling first."""

MAX_CONFIG = 4 << 20
"""Bytes of Docker's record of a container."""

_ID = re.compile(r"[0-9a-zA-Z][0-9a-zA-Z_.-]*")
_TASKS = "io.containerd.runtime.v2.task"


def podman_kept(location: Location, progress: Progress) -> Iterator[Entry]:
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


def docker_kept(root: str, progress: Progress) -> Iterator[Entry]:
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
                name = f"{known} {os.path.basename(folder)}"
                yield _checkpoint("docker", known, name, folder, folder, image)


def containerd_kept(root: str, progress: Progress) -> Iterator[Entry]:
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
                    folder = os.path.join(task, inner)
                    yield from _logs("containerd", os.path.basename(task), folder)


def _in_folder(container: str, folder: str, image: str) -> Iterator[Entry]:
    images = os.path.join(folder, "checkpoint")
    if os.path.lexists(os.path.join(images, "inventory.img")):
        yield _checkpoint("podman", container, container, folder, images, image)
    yield from _logs("podman", container, folder, image)


def _checkpoint(
    engine: str, container: str, name: str, path: str, images: str, image: str
) -> Entry:
    """`images` is the folder of CRIU's images in the folder that opens the checkpoint, `path`."""
    size, mtime = 0, 0.0
    with suppress(OSError):
        mtime = os.stat(images).st_mtime
        with os.scandir(images) as entries:
            size = sum(e.stat(follow_symlinks=False).st_size for e in entries if e.is_file())
    return Entry(
        Kind.CHECKPOINT,
        name,
        target=path,
        content="checkpoint",
        engine=engine,
        container=container,
        image=image,
        size=size,
        created=file_time(mtime),
    )


def _logs(engine: str, container: str, folder: str, image: str = "") -> Iterator[Entry]:
    for name in LOGS:
        path = os.path.join(folder, name)
        with suppress(OSError):
            found = os.stat(path, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield Entry(
                    Kind.LOG,
                    f"{container} {name}",
                    target=path,
                    content="log",
                    engine=engine,
                    container=container,
                    image=image,
                    size=found.st_size,
                    created=file_time(found.st_mtime),
                )


def _folders(path: str) -> list[str]:
    """Return the folders in a folder, by name."""
    try:
        with os.scandir(path) as entries:
            return sorted(e.path for e in entries if e.is_dir(follow_symlinks=False))
    except (OSError, ValueError) as error:
        raise unreachable(path, error) from error


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
