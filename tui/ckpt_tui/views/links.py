"""Where a thing of a checkpoint leads, and who refers to it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import overload

from ckpt_tui.checkpoint.index import PATH_KINDS, Index, index_of
from ckpt_tui.checkpoint.model import Checkpoint, OpenFile, Process, Region, Socket
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.slots import Some
from ckpt_tui.core.text import printable
from ckpt_tui.views.image_links import (
    NAMESPACE_IMAGES,
    device_number,
    member_links,
    owner_links,
)
from ckpt_tui.views.isolation import parent_of
from ckpt_tui.views.link_labels import (
    Lead,
    Leads,
    cgroup_links,
    descriptor_link,
    each,
    file_link,
    ghost_links,
    image_links,
    namespace_links,
    path_links,
    pid_links,
    process_link,
    region_link,
    socket_link,
)

MOST = 2000
"""Leads of one thing that are made at once; a longer list helps nobody, and the tabs have all."""


def links(checkpoint: Checkpoint, key: Hashable) -> Sequence[Lead]:
    """Return where the thing of `key` leads, the nearest first, what there is very much of last."""
    return _found(LEADS_TO, checkpoint, key)


def users(checkpoint: Checkpoint, key: Hashable) -> Sequence[Lead]:
    """Return who refers to the thing of `key`, what there is very much of last."""
    return _found(USED_BY, checkpoint, key)


MANY = 200
"""Leads from which on they are made when they are seen, each by itself."""

Find = Callable[..., Leads]


class Joined(Sequence[Lead]):
    """Some lists, one behind the other, whose links may be made when asked for."""

    def __init__(self, lists: Sequence[Sequence[Lead]]) -> None:
        self._lists = lists
        self._ends = list(accumulate(map(len, lists)))

    def __len__(self) -> int:
        return self._ends[-1]

    @overload
    def __getitem__(self, index: int, /) -> Lead: ...

    @overload
    def __getitem__(self, index: slice, /) -> list[Lead]: ...

    def __getitem__(self, index: int | slice, /) -> Lead | list[Lead]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        number = bisect_right(self._ends, index)
        return self._lists[number][index - self._ends[number]]  # from its end


def _found(table: Mapping[str, Find], checkpoint: Checkpoint, key: Hashable) -> Sequence[Lead]:
    find = table.get(key.kind) if isinstance(key, Ref) else None
    if not isinstance(key, Ref) or find is None:
        return []
    unique: dict[Ref, Lead] = {}
    many: list[Sequence[Lead]] = []
    for found in find(checkpoint, index_of(checkpoint), *key.ids):
        if isinstance(found, Some) and len(found) >= MANY:
            many.append(found)
            continue
        for link in (found,) if isinstance(found, Lead) else found:
            if link.ref != key and len(unique) < MOST:
                unique.setdefault(link.ref, link)
    few = list(unique.values())
    return Joined((few, *many)) if many else few


# Where things lead


def _from_process(checkpoint: Checkpoint, index: Index, pid: int) -> Leads:
    process = index.process.get(pid)
    if process is None:
        return
    yield from pid_links(index, (process.ppid,), "parent")
    for child in index.children.get(pid, ()):
        yield process_link(child, "child")
    memory = index.memory.get(pid)
    if memory and memory.regions:
        first = memory.regions[0]
        yield Lead(f"its memory, {len(memory.regions):,} regions", Ref.region(pid, first.start))
    yield each(index.files_of.get(pid, ()), descriptor_link)
    for kind, number in process.namespaces.items():
        yield from namespace_links(index, kind, number)
    yield from _cgroups_of(checkpoint, index, process)
    if process.cgroup_set is not None:
        yield from image_links(checkpoint, "cgroup.img", f"cgroup set {process.cgroup_set} in")
    if any(thread.seccomp_filters for thread in process.threads):
        yield from image_links(checkpoint, "seccomp.img", "seccomp filter in")
    yield from image_links(checkpoint, f"core-{pid}.img")
    for thread in process.threads[1:]:
        yield from image_links(checkpoint, f"core-{thread.tid}.img", f"thread {thread.tid} in")
    for name in (f"mm-{pid}.img", f"fdinfo-{process.files_id}.img"):
        yield from image_links(checkpoint, name)


def _cgroups_of(checkpoint: Checkpoint, index: Index, process: Process) -> Leads:
    for one in checkpoint.cgroups:
        if one.id == process.cgroup_set:
            for place in one.paths.items():
                yield from cgroup_links(index, *place)


def _from_file(checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Leads:
    file = index.open_file(pid, fd)
    if file is None:
        return
    socket = index.open_socket(pid, fd)
    if socket:
        yield socket_link(socket)
    if image := index.ghost_image(file):
        yield from ghost_links((image,))
    if file.kind in PATH_KINDS:
        yield from path_links(checkpoint, index, file.target)
    if mount := index.mount_of(file):
        label = f"on the mount {printable(mount.mountpoint)}"
        yield Lead(label, Ref.mount(mount.namespace, mount.id))
    yield from pid_links(index, (pid,), "held by process")
    yield each(index.sharing(file), file_link)
    process = index.process.get(pid)
    if process is not None:
        yield from image_links(checkpoint, f"fdinfo-{process.files_id}.img", "descriptor in")
    yield from image_links(checkpoint, "files.img", f"open file {file.object_id} in")


def _from_socket(_checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Leads:
    socket = index.open_socket(pid, fd)
    if socket is None:
        return
    if socket.peer and (peer := index.open_socket(*socket.peer)):
        yield socket_link(peer)
    yield from map(socket_link, _other_ends(index, socket))
    if (pid, fd) in index.file:
        yield Lead(f"descriptor {fd} of process {pid}", Ref.file(pid, fd))
    yield from pid_links(index, (pid,), "held by process")


def _other_ends(index: Index, socket: Socket) -> Sequence[Socket]:
    """Return the sockets of this checkpoint that a connected one talks to."""
    if not socket.remote:
        return []
    return index.ends.get((socket.protocol, socket.remote, socket.local), [])


def _from_region(checkpoint: Checkpoint, index: Index, pid: int, start: int) -> Leads:
    region = index.mapped(pid, start)
    if region is None:
        return
    yield from path_links(checkpoint, index, region.path)
    yield from ghost_links(index.ghosts_at(region.path))
    yield each(index.holders.get(region.path, ()), file_link)
    if region.shared_id:
        yield from image_links(checkpoint, f"pagemap-shmem-{region.shared_id}.img", "shared object")
    memory = index.memory.get(pid)
    if region.dumped and memory is not None:
        yield from image_links(checkpoint, f"pages-{memory.pages_id}.img", "its pages in")
        yield from image_links(checkpoint, f"pagemap-{pid}.img", "and their map in")
    yield each(_other_mappers(index, region), region_link)
    yield from pid_links(index, (pid,), "of process")


def _other_mappers(index: Index, region: Region) -> list[Region]:
    found = index.sharers.get(region.shared_id, []) if region.shared_id else []
    paths = index.mappers.get(region.path, []) if region.path else []
    alike = (r for r in paths if not region.shared_id or r.shared_id != region.shared_id)
    return [r for r in (*found, *alike) if r is not region]


def _from_mount(checkpoint: Checkpoint, index: Index, ns: int, mount_id: int) -> Leads:
    mount = index.mount.get((ns, mount_id))
    if mount is None:
        return
    parent = index.mount.get((ns, mount.parent_id))
    if parent:
        yield Lead(f"lies on {printable(parent.mountpoint)}", Ref.mount(ns, parent.id))
    if mount.dumped_bytes:
        device = device_number(mount.device)
        yield from image_links(checkpoint, f"tmpfs-dev-{device}.tar.gz.img", "contents in")
    yield from namespace_links(index, "mnt", ns)
    yield from image_links(checkpoint, f"mountpoints-{ns}.img")


def _from_delta(checkpoint: Checkpoint, index: Index, number: int) -> Leads:
    path = checkpoint.delta.entries[number].path
    yield each(index.holders.get(path, ()), file_link)
    yield each(index.mappers.get(path, ()), region_link)


def _from_thread(checkpoint: Checkpoint, index: Index, pid: int, tid: int) -> Leads:
    if pid in index.process:
        yield from pid_links(index, (pid,))
        yield from image_links(checkpoint, f"core-{tid}.img")


def _from_namespace(checkpoint: Checkpoint, index: Index, kind: str, number: int) -> Leads:
    if (kind, number) not in index.namespace:
        return
    yield from member_links(checkpoint, index, kind, number)
    if kind == "mnt":
        for mount in checkpoint.mounts:
            if mount.namespace == number:
                label = f"mount {printable(mount.mountpoint)}"
                yield Lead(label, Ref.mount(number, mount.id))
    for pattern in NAMESPACE_IMAGES.get(kind, ()):
        yield from image_links(checkpoint, pattern.format(number))


def _from_cgroup(checkpoint: Checkpoint, index: Index, number: int) -> Leads:
    if 0 <= number < len(checkpoint.cgroup_directories):
        found = checkpoint.cgroup_directories[number]
        if above := parent_of(found, index.cgroup):
            yield from cgroup_links(index, *above, role="below")
        yield pid_links(index, found.pids)
        yield from image_links(checkpoint, "cgroup.img")


def _users_of_cgroup(checkpoint: Checkpoint, index: Index, number: int) -> Leads:
    if 0 <= number < len(checkpoint.cgroup_directories):
        found = checkpoint.cgroup_directories[number]
        yield pid_links(index, found.pids)
        for below in checkpoint.cgroup_directories:
            if parent_of(below, index.cgroup) == (found.hierarchy, found.path):
                yield from cgroup_links(index, below.hierarchy, below.path)


# Who refers to things


def _users_of_process(_checkpoint: Checkpoint, index: Index, pid: int) -> Leads:
    yield from pid_links(
        index, (index.process[pid].ppid,) if pid in index.process else (), "parent"
    )
    for child in index.children.get(pid, ()):
        yield process_link(child, "child")
    for file in index.files_of.get(pid, ()):
        socket = index.open_socket(pid, file.fd)
        if socket:
            if socket.peer and (peer := index.open_socket(*socket.peer)):
                yield socket_link(peer)
            yield from map(socket_link, _other_ends(index, socket))


def _users_of_file(checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Leads:
    file = index.open_file(pid, fd)
    if file is None:
        return
    yield each(index.sharing(file), file_link)
    yield from _users_of_socket(checkpoint, index, pid, fd)
    if file.kind in PATH_KINDS:
        yield each(index.others_at(file), file_link)
        yield from map(region_link, index.mappers.get(file.target, ()))


def _users_of_socket(_checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Leads:
    socket = index.open_socket(pid, fd)
    file = index.open_file(pid, fd)
    if socket and file:
        yield each(index.sharing(file), partial(_socket_of, index))
    if socket:
        if socket.peer and (peer := index.open_socket(*socket.peer)):
            yield socket_link(peer)
        yield from map(socket_link, _other_ends(index, socket))


def _socket_of(index: Index, file: OpenFile) -> Lead:
    socket = index.open_socket(file.pid, file.fd)
    return socket_link(socket) if socket else file_link(file)


def _users_of_region(_checkpoint: Checkpoint, index: Index, pid: int, start: int) -> Leads:
    region = index.mapped(pid, start)
    if region:
        yield each(_other_mappers(index, region), region_link)
        yield each(index.holders.get(region.path, ()), file_link)


def _users_of_mount(checkpoint: Checkpoint, index: Index, ns: int, mount_id: int) -> Leads:
    for process in checkpoint.processes:
        if process.namespaces.get("mnt", ns) == ns and _lives_on(index, process, ns, mount_id):
            yield process_link(process)
    yield each(index.on_mount.get(mount_id, ()), file_link)
    for mount in index.mount.values():
        if (mount.namespace, mount.parent_id) == (ns, mount_id):
            yield Lead(f"mount {printable(mount.mountpoint)} on it", Ref.mount(ns, mount.id))


def _lives_on(index: Index, process: Process, ns: int, mount_id: int) -> bool:
    """Return whether a process has its working directory on a mount, told by the paths."""
    point = (
        index.mount[ns, mount_id].mountpoint.rstrip("/") if (ns, mount_id) in index.mount else ""
    )
    return bool(point) and f"{process.cwd}/".startswith(f"{point}/")


LEADS_TO: Mapping[str, Find] = {
    "process": _from_process,
    "file": _from_file,
    "socket": _from_socket,
    "region": _from_region,
    "mount": _from_mount,
    "delta": _from_delta,
    "image": owner_links,
    "thread": _from_thread,
    "namespace": _from_namespace,
    "cgroup": _from_cgroup,
}
"""Kind of a `Ref` to where it leads."""

USED_BY: Mapping[str, Find] = {
    "process": _users_of_process,
    "file": _users_of_file,
    "socket": _users_of_socket,
    "region": _users_of_region,
    "mount": _users_of_mount,
    "delta": _from_delta,
    "image": owner_links,
    "namespace": member_links,
    "cgroup": _users_of_cgroup,
}
"""Kind of a `Ref` to what refers to it."""
