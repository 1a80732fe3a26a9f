"""What is mounted into a container from outside: made, unpacked, or copied where it is to be."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.checkpoint.delta import DEVSHM
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore.bundle import Bind, Origin
from ckpt_tui.restore.changes import apply_changes
from ckpt_tui.restore.space import Space

SHM = "/dev/shm"

HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost\n"

MAX_COPY = 64 << 20
"""Bytes of a file of the host that is copied for a trial."""


def make_binds(
    opened: OpenCheckpoint, binds: Iterable[Bind], space: Space, folder: Path, progress: Progress
) -> tuple[str, ...]:
    """Make the sources of all mounts below folder/binds. Returns what differs from the dump, a
    sentence each.

    Raises:
        CkptError: something asked for is not there, or cannot be made.
    """
    notes = []
    for bind in binds:
        place = folder / f"binds{bind.destination}"
        if bind.origin is Origin.GIVEN:
            if not os.path.exists(bind.source):
                raise CkptError(f"{bind.source} for {bind.destination} is not there.")
            continue
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if bind.origin is Origin.COPY:
                notes.append(_copy(bind, place, space, folder))
            elif bind.origin is Origin.VOLUME:
                place.mkdir()
                _unpack(opened, f"volumes/{bind.source}.tar", place, progress)
            else:
                _make(opened, bind.destination, place, progress)
        except OSError as error:
            raise CkptError(f"{place} cannot be made:", f"{error.strerror or error}.") from error
    return tuple(notes)


def _make(opened: OpenCheckpoint, destination: str, place: Path, progress: Progress) -> None:
    """Make what every engine makes for a container."""
    if destination == SHM:
        place.mkdir(mode=0o1777)
        place.chmod(0o1777)
        _unpack(opened, DEVSHM, place, progress)
        return
    name = opened.metadata.text("spec.dump", "hostname")
    texts = {"/etc/hosts": f"{HOSTS}127.0.1.1\t{name}\n" if name else HOSTS, "/etc/hostname": name}
    place.write_text(texts.get(destination, ""), errors="replace")
    place.chmod(0o644)


def _unpack(opened: OpenCheckpoint, member: str, place: Path, progress: Progress) -> None:
    if member not in opened.tree.members:
        return
    tree = open_archive(opened.tree.window(member), member, progress)
    root = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        apply_changes(root, tree, progress)
    finally:
        os.close(root)
        tree.close()


def _copy(bind: Bind, place: Path, space: Space, folder: Path) -> str:
    """Give a trial what the host has, so that nothing it writes reaches the host: over a folder
    lies an overlay, and a file is copied. What is not there, or neither, is empty."""
    what = f"{bind.source} of the host at {bind.destination}"
    try:
        found = os.stat(bind.source)
    except OSError:
        place.mkdir()
        return f"{what} is not there, and an empty folder instead."
    if stat.S_ISDIR(found.st_mode):
        place.mkdir()
        changes = folder / f"copies{bind.destination}"
        changes.mkdir(parents=True)
        space.mount("tmpfs", str(changes), "mode=0700")
        for name in ("upper", "work"):
            os.mkdir(space.path(f"{changes}/{name}"))
        options = f"lowerdir={bind.source},upperdir={changes}/upper,workdir={changes}/work"
        space.mount("overlay", str(place), options)
        return f"{what} is a copy."
    if stat.S_ISREG(found.st_mode) and found.st_size <= MAX_COPY:
        shutil.copy2(bind.source, place)
        return f"{what} is a copy."
    place.touch()
    return f"{what} is left out, and an empty file instead."
