"""Looking things up in a checkpoint: dictionaries, built once, that a million entries fit."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from ckpt_tui.checkpoint.model import (
    Checkpoint,
    ImageFile,
    Mount,
    Namespace,
    OpenFile,
    Process,
    ProcessMemory,
    Region,
    Socket,
)
from ckpt_tui.core.progress import Progress, quiet

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

PATH_KINDS = ("regular", "directory", "device", "fifo", "tty", "memfd")
"""Kinds of descriptors whose target is a path."""


class Index:
    """Where each thing of one checkpoint is in its tuples, and who refers to what.

    It holds parts of the checkpoint, never the checkpoint itself, which it would keep alive.
    Numbers are positions in `files`, `sockets`, `regions` and `Checkpoint.delta.entries`.
    """

    def __init__(self, checkpoint: Checkpoint, progress: Progress) -> None:
        progress.start("looking up who refers to what")
        self.files = files = checkpoint.files
        self.sockets = sockets = checkpoint.sockets
        regions = [region for memory in checkpoint.memory for region in memory.regions]
        self.regions: Sequence[Region] = regions
        """Of all processes, in the order of `Checkpoint.memory`."""
        self.process: Mapping[int, Process] = {p.pid: p for p in checkpoint.processes}
        self.memory: Mapping[int, ProcessMemory] = {m.pid: m for m in checkpoint.memory}
        self.mount: Mapping[tuple[int, int], Mount] = {
            (m.namespace, m.id): m for m in checkpoint.mounts
        }
        self.namespace: Mapping[tuple[str, int], Namespace] = {
            (n.kind, n.id): n for n in checkpoint.namespaces
        }
        self.cgroup: Mapping[tuple[str, str], int] = _numbers(
            checkpoint.cgroup_directories, lambda d: (d.hierarchy, d.path)
        )
        """Places in `Checkpoint.cgroup_directories` by hierarchy and path."""
        self.file: Mapping[tuple[int, int], int] = _numbers(files, lambda f: (f.pid, f.fd))
        self.socket: Mapping[tuple[int, int], int] = _numbers(sockets, lambda s: (s.pid, s.fd))
        self.region: Mapping[tuple[int, int], int] = _numbers(regions, lambda r: (r.pid, r.start))
        progress.tick(0)
        self.children = _groups(checkpoint.processes, lambda p: p.ppid)
        self.files_of = _groups(files, lambda f: f.pid)
        progress.tick(0)
        self.holders = _groups(files, lambda f: f.target if f.kind in PATH_KINDS else None)
        """Descriptors by the path they have open."""
        self.on_mount = _groups(files, lambda f: f.mount_id)
        progress.tick(0)
        self.mappers = _groups(regions, lambda r: r.path or None)
        """Regions by the path behind them."""
        self.sharers = _groups(regions, lambda r: r.shared_id or None)
        """Regions by the shared object behind them."""
        self.ends = _groups(
            sockets, lambda s: (s.protocol, s.local, s.remote) if s.remote else None
        )
        """Connected sockets by protocol, local and remote address."""
        self.inodes = _groups(sockets, lambda s: s.inode or None)
        self.image: Mapping[str, ImageFile] = {i.name: i for i in checkpoint.images}
        self.noted = frozenset(note.where for note in checkpoint.notes)
        """What notes are about."""
        self.changes = _numbers(checkpoint.delta.entries, lambda e: e.path)
        """Changes of the root filesystem by path."""
        progress.tick(0)

    def open_file(self, pid: int, fd: int) -> OpenFile | None:
        """Return one descriptor."""
        number = self.file.get((pid, fd))
        return None if number is None else self.files[number]

    def open_socket(self, pid: int, fd: int) -> Socket | None:
        """Return one socket descriptor."""
        number = self.socket.get((pid, fd))
        return None if number is None else self.sockets[number]

    def mount_of(self, file: OpenFile) -> Mount | None:
        """Return the mount that a file is on, by the mount namespace of who holds it."""
        if file.mount_id is None:
            return None
        process = self.process.get(file.pid)
        namespace = process.namespaces.get("mnt", 0) if process else 0
        found = self.mount.get((namespace, file.mount_id))
        return found or next((m for (_, i), m in self.mount.items() if i == file.mount_id), None)

    def mapped(self, pid: int, start: int) -> Region | None:
        """Return the region of a process that starts at an address."""
        number = self.region.get((pid, start))
        return None if number is None else self.regions[number]


def _numbers(things: Iterable[T], key: Callable[[T], K]) -> dict[K, int]:
    return {key(thing): number for number, thing in enumerate(things)}


def _groups(things: Iterable[T], key: Callable[[T], K | None]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for thing in things:
        found = key(thing)
        if found is not None:
            groups.setdefault(found, []).append(thing)
    return groups


_BUILT: dict[int, Index] = {}


def index_of(checkpoint: Checkpoint, progress: Progress | None = None) -> Index:
    """Return the index of a checkpoint: built on the first call, kept as long as it lives.

    A second for a million descriptors: a job that opens a checkpoint should be the first to ask.
    """
    found = _BUILT.get(id(checkpoint))
    if found is None:
        found = _BUILT[id(checkpoint)] = Index(checkpoint, progress or quiet())
        weakref.finalize(checkpoint, _BUILT.pop, id(checkpoint), None)
    return found
