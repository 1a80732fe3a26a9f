"""Looking things up in a checkpoint: dictionaries, built once, that a million entries fit."""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar, overload

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
from ckpt_tui.checkpoint.openfiles import Files, Sockets
from ckpt_tui.checkpoint.slots import Slots, Some
from ckpt_tui.core.progress import Progress, quiet

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class Lookup(Generic[K, V]):
    """The part of a mapping that looking up needs; what is found may be made when asked for."""

    def __init__(self, find: Callable[[K], V | None]) -> None:
        self._find = find

    @overload
    def get(self, key: K, /) -> V | None: ...

    @overload
    def get(self, key: K, default: D, /) -> V | D: ...

    def get(self, key: K, default: D | None = None, /) -> V | D | None:
        """Return what is found by a key, or the default."""
        found = self._find(key)
        return default if found is None else found

    def __contains__(self, key: K, /) -> bool:
        return self._find(key) is not None


PATH_KINDS = ("regular", "directory", "device", "fifo", "tty", "memfd")
"""Kinds of descriptors whose target is a path."""


class Index:
    """Where each thing of one checkpoint is in its tuples, and who refers to what.

    It holds parts of the checkpoint, never the checkpoint itself, which it would keep alive.
    Numbers are positions in `files`, `sockets`, `regions` and `Checkpoint.delta.entries`.
    """

    def __init__(self, checkpoint: Checkpoint, progress: Progress) -> None:
        progress.start("looking up who refers to what")
        files, sockets = checkpoint.files, checkpoint.sockets
        assert isinstance(files, Files)
        assert isinstance(sockets, Sockets)
        self.files, self.sockets = files, sockets
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
        """Places in `cgroup_directories` by hierarchy and path."""
        self.cgroup_directories = checkpoint.cgroup_directories
        self.cgroup_paths = {group.id: group.paths for group in checkpoint.cgroups}
        """Hierarchy to path, by the id of a cgroup set."""
        self.file = Lookup(files.number)
        self.socket = Lookup(sockets.number)
        self.region: Mapping[tuple[int, int], int] = _numbers(regions, lambda r: (r.pid, r.start))
        progress.tick(0)
        self.children = _groups(checkpoint.processes, lambda p: p.ppid)
        on_mount: dict[int, array[int]] = {}
        self.deleted = 0
        """Descriptors of files whose path is gone."""
        for number, (mount_id, deleted) in enumerate(files.mounts()):
            progress.tick(0)
            self.deleted += deleted
            if mount_id is not None:
                on_mount.setdefault(mount_id, array("I")).append(number)
        self.on_mount: Lookup[int, Sequence[OpenFile]] = Lookup(
            lambda mount: Some(files.__getitem__, on_mount[mount]) if mount in on_mount else None
        )
        self.mappers = _groups(regions, lambda r: r.path or None)
        """Regions by the path behind them."""
        self.sharers = _groups(regions, lambda r: r.shared_id or None)
        """Regions by the shared object behind them."""
        ends, inodes = Slots(), Slots()
        self.open_sockets = self.established = 0
        """Sockets, and the TCP connections among them; one that several descriptors hold counts
        once."""
        seen: set[int] = set()
        for number, socket in enumerate(sockets):
            progress.tick(0)
            if not socket.inode or socket.inode not in seen:
                seen.add(socket.inode)
                self.open_sockets += 1
                self.established += socket.state == "ESTABLISHED"
            if socket.remote:
                ends.add(hash(_ends(socket)), number)
            if socket.inode:
                inodes.add(socket.inode, number)
        self.ends = Lookup(_found(sockets, ends, _ends))
        """Connected sockets by protocol, local and remote address."""
        self.inodes = Lookup(_found(sockets, inodes, lambda s: s.inode))
        self.image: Mapping[str, ImageFile] = {i.name: i for i in checkpoint.images}
        self.noted = frozenset(note.where for note in checkpoint.notes)
        """What notes are about."""
        changes = checkpoint.delta.entries if checkpoint.has_changes else ()
        self.changes = _numbers(changes, lambda e: e.path)
        """Changes of the root filesystem by path; none until all are known."""
        self.gone = sum(entry.change == "deleted" for entry in changes)
        """Deletions among them."""
        self.largest_change = max((entry.size for entry in changes), default=0)
        """Bytes of the largest file among them."""
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


def _ends(socket: Socket) -> tuple[str, str, str]:
    return socket.protocol, socket.local, socket.remote


def _found(
    sockets: Sequence[Socket], slots: Slots, key: Callable[[Socket], K]
) -> Callable[[K], Sequence[Socket] | None]:
    """Return what finds sockets by a key of which only the hash is kept: they may be made when
    asked for."""

    def find(sought: K) -> Sequence[Socket] | None:
        numbers = [n for n in slots.of(hash(sought)) if key(sockets[n]) == sought]
        return Some(sockets.__getitem__, numbers) if numbers else None

    return find


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
