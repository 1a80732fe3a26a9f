"""Where a thing of a checkpoint leads, and who refers to it.

A key is that of a row: a pid, ("file", pid, fd), ("socket", pid, fd), ("region", pid, start),
("mount", namespace, id), ("delta", number), ("image", name); and two that no list has as rows:
("namespace", kind, id), ("thread", pid, tid).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from ckpt_tui.checkpoint.index import PATH_KINDS, Index, index_of
from ckpt_tui.checkpoint.model import Checkpoint, OpenFile, Process, Region, Socket
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.criu.kinds import kind_of
from ckpt_tui.ui.rows.tables import socket_kind

MOST = 2000
"""Links of one thing; a longer list helps nobody, and the tabs have everything."""


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that something leads to."""

    label: str
    """Printable."""
    key: Hashable


def links(checkpoint: Checkpoint, key: Hashable) -> list[Link]:
    """Return where the thing of `key` leads, the nearest first, at most `MOST`."""
    return _found(LEADS_TO, checkpoint, key)


def users(checkpoint: Checkpoint, key: Hashable) -> list[Link]:
    """Return who refers to the thing of `key`, at most `MOST`."""
    return _found(USED_BY, checkpoint, key)


Find = Callable[..., Iterator[Link]]


def _found(table: Mapping[str, Find], checkpoint: Checkpoint, key: Hashable) -> list[Link]:
    kind, arguments = ("process", (key,)) if isinstance(key, int) else ("", ())
    if isinstance(key, tuple) and key:
        kind, arguments = str(key[0]), key[1:]
    find = table.get(kind)
    if find is None:
        return []
    unique: dict[Hashable, Link] = {}
    for link in islice(find(checkpoint, index_of(checkpoint), *arguments), MOST):
        if link.key != key:
            unique.setdefault(link.key, link)
    return list(unique.values())


# Labels


def _process(process: Process, role: str = "process") -> Link:
    return Link(f"{role} {process.pid} {printable(process.comm)}".strip(), process.pid)


def _pids(index: Index, pids: Iterable[int], role: str = "process") -> Iterator[Link]:
    for pid in pids:
        if pid in index.process:
            yield _process(index.process[pid], role)


def _file(file: OpenFile) -> Link:
    words = f"process {file.pid} fd {file.fd}  {file.kind} {file.target}"
    return Link(printable(words), ("file", file.pid, file.fd))


def _socket(socket: Socket) -> Link:
    addresses = socket.local + (f" → {socket.remote}" if socket.remote else "")
    words = f"process {socket.pid} fd {socket.fd}  {socket_kind(socket)} {addresses or 'unnamed'}"
    return Link(printable(words), ("socket", socket.pid, socket.fd))


def _region(region: Region) -> Link:
    size = human_bytes(region.end - region.start)
    words = f"process {region.pid} maps {region.start:x}  {region.protection} {size} {region.path}"
    return Link(printable(words).strip(), ("region", region.pid, region.start))


def _image(checkpoint: Checkpoint, name: str, text: str = "") -> Iterator[Link]:
    if name in index_of(checkpoint).image:
        yield Link(f"{text or 'image'} {printable(name)}".strip(), ("image", name))


def _path(checkpoint: Checkpoint, index: Index, path: str) -> Iterator[Link]:
    """Yield what the checkpoint has of a path: the change of the root filesystem."""
    number = index.changes.get(path)
    if number is not None:
        entry = checkpoint.delta.entries[number]
        yield Link(f"{entry.change} {printable(entry.path)}", ("delta", number))


# Where things lead


def _from_process(checkpoint: Checkpoint, index: Index, pid: int) -> Iterator[Link]:
    process = index.process.get(pid)
    if process is None:
        return
    yield from _pids(index, (process.ppid,), "parent")
    for child in index.children.get(pid, ()):
        yield _process(child, "child")
    memory = index.memory.get(pid)
    if memory and memory.regions:
        first = memory.regions[0]
        yield Link(f"its memory, {len(memory.regions):,} regions", ("region", pid, first.start))
    for file in index.files_of.get(pid, ()):
        yield Link(f"fd {file.fd}  {printable(f'{file.kind} {file.target}')}", _file(file).key)
    if process.cgroup_set is not None:
        yield from _image(checkpoint, "cgroup.img", f"cgroup set {process.cgroup_set} in")
    if any(thread.seccomp_filters for thread in process.threads):
        yield from _image(checkpoint, "seccomp.img", "seccomp filter in")
    for kind, number in process.namespaces.items():
        for pattern in NAMESPACE_IMAGES.get(kind, ()):
            yield from _image(checkpoint, pattern.format(number), f"{kind} namespace in")
    for name in (f"core-{pid}.img", f"mm-{pid}.img", f"fdinfo-{process.files_id}.img"):
        yield from _image(checkpoint, name)


NAMESPACE_IMAGES = {
    "uts": ("utsns-{}.img",),
    "ipc": ("ipcns-var-{}.img",),
    "mnt": ("mountpoints-{}.img",),
    "net": ("netns-{}.img", "netdev-{}.img"),
    "user": ("userns-{}.img",),
    "time": ("timens-{}.img",),
    "pid": ("pidns-{}.img",),
}
"""Images of a namespace by its kind, with its id in the name."""


def _from_file(checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Iterator[Link]:
    file = index.open_file(pid, fd)
    if file is None:
        return
    socket = index.open_socket(pid, fd)
    if socket:
        yield _socket(socket)
    if file.kind in PATH_KINDS:
        yield from _path(checkpoint, index, file.target)
    if mount := index.mount_of(file):
        label = f"on the mount {printable(mount.mountpoint)}"
        yield Link(label, ("mount", mount.namespace, mount.id))
    yield from _pids(index, (pid,), "held by process")
    for other in file.shared_with:
        if found := index.open_file(*other):
            yield _file(found)


def _from_socket(_checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Iterator[Link]:
    socket = index.open_socket(pid, fd)
    if socket is None:
        return
    if socket.peer and (peer := index.open_socket(*socket.peer)):
        yield _socket(peer)
    yield from map(_socket, _other_ends(index, socket))
    if (pid, fd) in index.file:
        yield Link(f"descriptor {fd} of process {pid}", ("file", pid, fd))
    yield from _pids(index, (pid,), "held by process")


def _other_ends(index: Index, socket: Socket) -> list[Socket]:
    """Return the sockets of this checkpoint that a connected one talks to."""
    if not socket.remote:
        return []
    return index.ends.get((socket.protocol, socket.remote, socket.local), [])


def _from_region(checkpoint: Checkpoint, index: Index, pid: int, start: int) -> Iterator[Link]:
    region = index.mapped(pid, start)
    if region is None:
        return
    yield from _path(checkpoint, index, region.path)
    yield from map(_file, index.holders.get(region.path, ()))
    if region.shared_id:
        yield from _image(checkpoint, f"pagemap-shmem-{region.shared_id}.img", "shared object")
    yield from map(_region, _other_mappers(index, region))
    yield from _pids(index, (pid,), "of process")


def _other_mappers(index: Index, region: Region) -> list[Region]:
    found = index.sharers.get(region.shared_id, []) if region.shared_id else []
    paths = index.mappers.get(region.path, []) if region.path else []
    return [r for r in (*found, *paths) if r is not region]


def _from_mount(checkpoint: Checkpoint, index: Index, ns: int, mount_id: int) -> Iterator[Link]:
    mount = index.mount.get((ns, mount_id))
    if mount is None:
        return
    parent = index.mount.get((ns, mount.parent_id))
    if parent:
        yield Link(f"lies on {printable(parent.mountpoint)}", ("mount", ns, parent.id))
    if mount.dumped_bytes:
        device = _device_number(mount.device)
        yield from _image(checkpoint, f"tmpfs-dev-{device}.tar.gz.img", "contents in")
    yield from _image(checkpoint, f"mountpoints-{ns}.img")


def _device_number(device: str) -> int:
    major, _, minor = device.partition(":")
    return int(major) << 20 | int(minor)


def _from_delta(checkpoint: Checkpoint, index: Index, number: int) -> Iterator[Link]:
    path = checkpoint.delta.entries[number].path
    yield from map(_file, index.holders.get(path, ()))
    yield from map(_region, index.mappers.get(path, ()))


def _from_thread(_checkpoint: Checkpoint, index: Index, pid: int, _tid: int) -> Iterator[Link]:
    yield from _pids(index, (pid,))


def _from_namespace(checkpoint: Checkpoint, index: Index, kind: str, number: int) -> Iterator[Link]:
    found = next((n for n in checkpoint.namespaces if (n.kind, n.id) == (kind, number)), None)
    yield from _pids(index, found.pids if found else ())


# Images


def _from_image(checkpoint: Checkpoint, index: Index, name: str) -> Iterator[Link]:
    found = kind_of(name)
    if found is None or not found[1]:
        return
    kind, identity = found
    owner = IMAGE_OWNERS.get(kind.name)
    if owner is not None:
        # only ghosts and TCP streams are numbered in hexadecimal
        base = 16 if "<x " in kind.pattern else 10
        yield from owner(checkpoint, index, int(identity, base))


def _by_pid(_checkpoint: Checkpoint, index: Index, pid: int) -> Iterator[Link]:
    yield from _pids(index, (pid,))


def _by_thread(_checkpoint: Checkpoint, index: Index, tid: int) -> Iterator[Link]:
    if tid in index.process:
        yield from _pids(index, (tid,))
        return
    for process in index.process.values():
        if any(thread.tid == tid for thread in process.threads):
            yield _process(process, f"thread {tid} of process")


def _by_files_id(_checkpoint: Checkpoint, index: Index, files_id: int) -> Iterator[Link]:
    for process in index.process.values():
        if process.files_id == files_id:
            yield _process(process)


def _by_pages_id(_checkpoint: Checkpoint, index: Index, pages_id: int) -> Iterator[Link]:
    yield from _pids(index, (m.pid for m in index.memory.values() if m.pages_id == pages_id))


def _by_shared_id(_checkpoint: Checkpoint, index: Index, shared_id: int) -> Iterator[Link]:
    yield from map(_region, index.sharers.get(shared_id, ()))


def _by_inode(_checkpoint: Checkpoint, index: Index, inode: int) -> Iterator[Link]:
    yield from map(_socket, index.inodes.get(inode, ()))


def _by_device(checkpoint: Checkpoint, _index: Index, device: int) -> Iterator[Link]:
    for mount in checkpoint.mounts:
        if _device_number(mount.device) == device:
            label = f"mount {printable(mount.mountpoint)}"
            yield Link(label, ("mount", mount.namespace, mount.id))


def _in_namespace(kind: str) -> Callable[[Checkpoint, Index, int], Iterator[Link]]:
    return lambda checkpoint, index, number: _from_namespace(checkpoint, index, kind, number)


IMAGE_OWNERS: Mapping[str, Callable[[Checkpoint, Index, int], Iterator[Link]]] = {
    **dict.fromkeys(("MM", "IDS", "FS", "PAGEMAP", "CREDS", "RLIMIT", "SIGACT", "VMAS"), _by_pid),
    "CORE": _by_thread,
    "FDINFO": _by_files_id,
    "PAGES": _by_pages_id,
    "SHMEM_PAGEMAP": _by_shared_id,
    "TCP_STREAM": _by_inode,
    "TMPFS_DEV": _by_device,
    "MNTS": _in_namespace("mnt"),
    "UTSNS": _in_namespace("uts"),
    **dict.fromkeys(("IPC_VAR", "IPCNS_SHM", "IPCNS_MSG", "IPCNS_SEM"), _in_namespace("ipc")),
    **dict.fromkeys(("NETNS", "NETDEV", "IFADDR", "ROUTE", "ROUTE6", "RULE"), _in_namespace("net")),
    **dict.fromkeys(("IPTABLES", "IP6TABLES", "NFTABLES"), _in_namespace("net")),
    "USERNS": _in_namespace("user"),
    "TIMENS": _in_namespace("time"),
    "PIDNS": _in_namespace("pid"),
}
"""Kind of image to whose it is, by the number in its name."""


# Who refers to things


def _users_of_process(_checkpoint: Checkpoint, index: Index, pid: int) -> Iterator[Link]:
    yield from _pids(index, (index.process[pid].ppid,) if pid in index.process else (), "parent")
    for child in index.children.get(pid, ()):
        yield _process(child, "child")
    for file in index.files_of.get(pid, ()):
        socket = index.open_socket(pid, file.fd)
        if socket:
            if socket.peer and (peer := index.open_socket(*socket.peer)):
                yield _socket(peer)
            yield from map(_socket, _other_ends(index, socket))


def _users_of_file(checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Iterator[Link]:
    file = index.open_file(pid, fd)
    if file is None:
        return
    for other in file.shared_with:
        if found := index.open_file(*other):
            yield _file(found)
    yield from _users_of_socket(checkpoint, index, pid, fd)
    if file.kind in PATH_KINDS:
        yield from map(_file, index.holders.get(file.target, ()))
        yield from map(_region, index.mappers.get(file.target, ()))


def _users_of_socket(_checkpoint: Checkpoint, index: Index, pid: int, fd: int) -> Iterator[Link]:
    socket = index.open_socket(pid, fd)
    file = index.open_file(pid, fd)
    for other in file.shared_with if file else ():
        if found := index.open_socket(*other):
            yield _socket(found)
    if socket:
        if socket.peer and (peer := index.open_socket(*socket.peer)):
            yield _socket(peer)
        yield from map(_socket, _other_ends(index, socket))


def _users_of_region(_checkpoint: Checkpoint, index: Index, pid: int, start: int) -> Iterator[Link]:
    region = index.mapped(pid, start)
    if region:
        yield from map(_region, _other_mappers(index, region))
        yield from map(_file, index.holders.get(region.path, ()))


def _users_of_mount(checkpoint: Checkpoint, index: Index, ns: int, mount_id: int) -> Iterator[Link]:
    for process in checkpoint.processes:
        if process.namespaces.get("mnt", ns) == ns and _lives_on(index, process, ns, mount_id):
            yield _process(process)
    yield from map(_file, index.on_mount.get(mount_id, ()))
    for mount in index.mount.values():
        if (mount.namespace, mount.parent_id) == (ns, mount_id):
            yield Link(f"mount {printable(mount.mountpoint)} on it", ("mount", ns, mount.id))


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
    "image": _from_image,
    "thread": _from_thread,
    "namespace": _from_namespace,
}
"""First word of a key to where the thing leads."""

USED_BY: Mapping[str, Find] = {
    "process": _users_of_process,
    "file": _users_of_file,
    "socket": _users_of_socket,
    "region": _users_of_region,
    "mount": _users_of_mount,
    "delta": _from_delta,
    "image": _from_image,
    "namespace": _from_namespace,
}
"""First word of a key to who refers to the thing."""
