"""What a part of a checkpoint leads to, and what refers to it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any

from ckpt_tui.checkpoint.cgroups import cgroup_above
from ckpt_tui.checkpoint.image_owners import NAMESPACE_IMAGES, device_number, owners
from ckpt_tui.checkpoint.index import PATH_KINDS, Index, index_of
from ckpt_tui.checkpoint.model import (
    CgroupDirectory,
    Checkpoint,
    DeltaEntry,
    Mount,
    Namespace,
    OpenFile,
    Process,
    Region,
    SeccompFilter,
    Socket,
)
from ckpt_tui.checkpoint.ref import Kind, Ref
from ckpt_tui.checkpoint.relations import (
    Related,
    Relation,
    each,
    to_cgroup,
    to_change,
    to_file,
    to_image,
    to_mount,
    to_namespace,
    to_processes,
    to_recovered,
    to_region,
    to_socket,
)
from ckpt_tui.checkpoint.slots import Some

MOST = 2000
"""Relations of one part that are made at once; a longer list is not read, and the tabs have
all."""

MANY = 200
"""Relations from which on they are made when they are seen, each by itself."""

Find = Callable[[Index, Any], Related]
"""Finds what a part is related to."""


def leads_of(checkpoint: Checkpoint, ref: Ref) -> Sequence[Relation]:
    """Return what a part leads to, the nearest first, what there is very much of last."""
    return _found(LEADS_TO, checkpoint, ref)


def users_of(checkpoint: Checkpoint, ref: Ref) -> Sequence[Relation]:
    """Return what refers to a part, what there is very much of last."""
    return _found(USED_BY, checkpoint, ref)


def part_of(checkpoint: Checkpoint, ref: Ref) -> Any:
    """Return the part that a `Ref` stands for, None if the checkpoint does not have it; of an
    image its name, of a thread its process."""
    find = PARTS.get(ref.kind)
    return find(checkpoint, index_of(checkpoint), *ref.ids) if find else None


def _found(table: Mapping[Kind, Find], checkpoint: Checkpoint, ref: Ref) -> Sequence[Relation]:
    find, part = table.get(ref.kind), part_of(checkpoint, ref)
    if find is None or part is None:
        return ()
    unique: dict[Ref, Relation] = {}
    many: list[Sequence[Relation]] = []
    for found in find(index_of(checkpoint), ref if ref.kind == "thread" else part):
        if isinstance(found, Some) and len(found) >= MANY:
            many.append(found)
            continue
        for relation in (found,) if isinstance(found, Relation) else found:
            if relation.ref != ref and len(unique) < MOST:
                unique.setdefault(relation.ref, relation)
    few = tuple(unique.values())
    return joined((few, *many)) if many else few


def joined(lists: Sequence[Sequence[Relation]]) -> Some[Relation]:
    """Return some lists, one behind the other, whose items are made when asked for."""
    ends = list(accumulate(map(len, lists)))

    def item(index: int) -> Relation:
        number = bisect_right(ends, index)
        return lists[number][index - ends[number]]  # from its end

    return Some(item, range(ends[-1]))


def _process(index: Index, process: Process) -> Related:
    pid = process.pid
    memory = index.memory.get(pid)
    if memory and memory.regions:
        many = len(memory.regions)
        largest = max(memory.regions, key=lambda region: region.dumped)
        said = f"its memory, {many:,} region{'s' * (many != 1)}, the largest"
        yield Relation(Ref.region(pid, largest.start), said, is_named=False)
    yield from _family(index, process)
    yield each(index.files.of(pid), lambda f: Relation(Ref.file(pid, f.fd), "fd"))
    for kind, number in process.namespaces.items():
        yield from to_namespace(index, kind, number)
    if process.cgroup_set is not None:
        for place in index.cgroup_paths.get(process.cgroup_set, {}).items():
            yield from to_cgroup(index, *place)
        yield from to_image(index, "cgroup.img", f"cgroup set {process.cgroup_set} in")
    if any(thread.seccomp_filters for thread in process.threads):
        yield from to_image(index, "seccomp.img", "seccomp filter in")
    yield from to_image(index, f"core-{pid}.img")
    for thread in process.threads[1:]:
        yield from to_image(index, f"core-{thread.tid}.img", f"thread {thread.tid} in")
    for name in (f"mm-{pid}.img", f"fdinfo-{process.files_id}.img"):
        yield from to_image(index, name)


def _family(index: Index, process: Process) -> Related:
    yield from to_processes(index, (process.ppid,), "parent")
    for child in index.children.get(process.pid, ()):
        yield Relation(Ref.process(child.pid), "child")


def _file(index: Index, file: OpenFile) -> Related:
    socket = index.open_socket(file.pid, file.fd)
    if socket:
        yield to_socket(socket)
    if image := index.files.ghost_image(file.object_id):
        yield from to_recovered((image,))
    if file.kind in PATH_KINDS:
        yield from to_change(index, file.target)
    if mount := index.mount_of(file):
        yield to_mount(mount, "on the mount")
    yield from to_processes(index, (file.pid,), "held by process")
    yield each(index.files.sharing(file), to_file)
    process = index.process.get(file.pid)
    if process is not None:
        yield from to_image(index, f"fdinfo-{process.files_id}.img", "descriptor in")
    yield from to_image(index, "files.img", f"open file {file.object_id} in")


def _socket(index: Index, socket: Socket) -> Related:
    yield from _other_ends(index, socket)
    place = (socket.pid, socket.fd)
    if place in index.file:
        said = f"descriptor {socket.fd} of process {socket.pid}"
        yield Relation(Ref.file(*place), said, is_named=False)
    yield from to_processes(index, (socket.pid,), "held by process")


def _other_ends(index: Index, socket: Socket) -> Related:
    """Yield the sockets of this checkpoint that a connected one talks to."""
    if socket.peer and (peer := index.open_socket(*socket.peer)):
        yield to_socket(peer)
    if socket.remote:
        ends = index.ends.get((socket.protocol, socket.remote, socket.local), ())
        yield from map(to_socket, ends)


def _region(index: Index, region: Region) -> Related:
    yield from to_change(index, region.path)
    yield from to_recovered(index.files.ghosts_at(region.path))
    yield each(index.files.at_path(region.path), to_file)
    if region.shared_id:
        yield from to_image(index, f"pagemap-shmem-{region.shared_id}.img", "shared object")
    memory = index.memory.get(region.pid)
    if region.dumped and memory is not None:
        yield from to_image(index, f"pages-{memory.pages_id}.img", "its pages in")
        yield from to_image(index, f"pagemap-{region.pid}.img", "and their map in")
    yield each(_other_mappers(index, region), to_region)
    yield from to_processes(index, (region.pid,), "of process")


def _other_mappers(index: Index, region: Region) -> list[Region]:
    found = index.sharers.get(region.shared_id, []) if region.shared_id else []
    paths = index.mappers.get(region.path, []) if region.path else []
    alike = (r for r in paths if not region.shared_id or r.shared_id != region.shared_id)
    return [r for r in (*found, *alike) if r is not region]


def _mount(index: Index, mount: Mount) -> Related:
    parent = index.mount.get((mount.namespace, mount.parent_id))
    if parent:
        yield to_mount(parent, "lies on")
    if mount.dumped_bytes:
        name = f"tmpfs-dev-{device_number(mount.device)}.tar.gz.img"
        yield from to_image(index, name, "contents in")
    yield from to_namespace(index, "mnt", mount.namespace)
    yield from to_image(index, f"mountpoints-{mount.namespace}.img")


def _change(index: Index, entry: DeltaEntry) -> Related:
    yield each(index.files.at_path(entry.path), to_file)
    yield each(index.mappers.get(entry.path, ()), to_region)


def _thread(index: Index, ref: Ref) -> Related:
    pid, tid = ref.ids
    yield from to_processes(index, (pid,))
    yield from to_image(index, f"core-{tid}.img")


def _namespace(index: Index, namespace: Namespace) -> Related:
    yield from _members(index, namespace)
    if namespace.kind == "mnt":
        for mount in index.mount.values():
            if mount.namespace == namespace.id:
                yield to_mount(mount)
    for pattern in NAMESPACE_IMAGES.get(namespace.kind, ()):
        yield from to_image(index, pattern.format(namespace.id))


def _members(index: Index, group: Namespace | CgroupDirectory) -> Related:
    yield to_processes(index, group.pids)


def _cgroup(index: Index, directory: CgroupDirectory) -> Related:
    if above := cgroup_above(directory, index.cgroup):
        yield from to_cgroup(index, *above, role="below")
    yield from _members(index, directory)
    yield from to_image(index, "cgroup.img")


def _users_of_cgroup(index: Index, directory: CgroupDirectory) -> Related:
    yield from _members(index, directory)
    for below in index.cgroup_directories:
        if cgroup_above(below, index.cgroup) == (directory.hierarchy, directory.path):
            yield from to_cgroup(index, below.hierarchy, below.path)


def _users_of_process(index: Index, process: Process) -> Related:
    yield from _family(index, process)
    for file in index.files.of(process.pid):
        socket = index.open_socket(process.pid, file.fd)
        if socket:
            yield from _other_ends(index, socket)


def _users_of_file(index: Index, file: OpenFile) -> Related:
    yield each(index.files.sharing(file), to_file)
    socket = index.open_socket(file.pid, file.fd)
    if socket:
        yield from _users_of_socket(index, socket)
    if file.kind in PATH_KINDS:
        yield each(index.files.at_path(file.target, but=file), to_file)
        yield from map(to_region, index.mappers.get(file.target, ()))


def _users_of_socket(index: Index, socket: Socket) -> Related:
    file = index.open_file(socket.pid, socket.fd)
    if file:
        yield each(index.files.sharing(file), lambda other: _socket_or_file(index, other))
    yield from _other_ends(index, socket)


def _socket_or_file(index: Index, file: OpenFile) -> Relation:
    socket = index.open_socket(file.pid, file.fd)
    return to_socket(socket) if socket else to_file(file)


def _users_of_region(index: Index, region: Region) -> Related:
    yield each(_other_mappers(index, region), to_region)
    yield each(index.files.at_path(region.path), to_file)


def _users_of_mount(index: Index, mount: Mount) -> Related:
    for process in index.process.values():
        if process.namespaces.get("mnt", mount.namespace) == mount.namespace:
            point = mount.mountpoint.rstrip("/")
            if point and f"{process.cwd}/".startswith(f"{point}/"):  # its folder, by the paths
                yield Relation(Ref.process(process.pid))
    yield each(index.on_mount.get(mount.id, ()), to_file)
    for other in index.mount.values():
        if (other.namespace, other.parent_id) == (mount.namespace, mount.id):
            yield to_mount(other, "mount {} on it")


def _filtered(index: Index, found: SeccompFilter) -> Related:
    """Find the processes of which a thread has a filter."""
    numbers = set(found.numbers)
    pids = [
        process.pid
        for process in index.process.values()
        if any(not numbers.isdisjoint(thread.seccomp_filters) for thread in process.threads)
    ]
    yield from to_processes(index, pids)
    yield from to_image(index, "seccomp.img")


PARTS: Mapping[Kind, Callable[..., Any]] = {
    "process": lambda _, index, pid: index.process.get(pid),
    "thread": lambda _, index, pid, _tid: index.process.get(pid),
    "file": lambda _, index, pid, fd: index.open_file(pid, fd),
    "socket": lambda _, index, pid, fd: index.open_socket(pid, fd),
    "region": lambda _, index, pid, start: index.mapped(pid, start),
    "mount": lambda _, index, *ids: index.mount.get(ids),
    "namespace": lambda _, index, *ids: index.namespace.get(ids),
    "cgroup": lambda checkpoint, _, number: _at(checkpoint.cgroup_directories, number),
    "seccomp": lambda checkpoint, _, number: _at(checkpoint.seccomp, number),
    "delta": lambda checkpoint, _, number: _at(checkpoint.delta.entries, number),
    "image": lambda _checkpoint, _, name: name,
}
"""Kind of a `Ref` to what finds the part by what identifies it."""


def _at(things: Sequence[Any], number: int) -> Any:
    return things[number] if 0 <= number < len(things) else None


LEADS_TO: Mapping[Kind, Find] = {
    "process": _process,
    "file": _file,
    "socket": _socket,
    "region": _region,
    "mount": _mount,
    "delta": _change,
    "image": owners,
    "thread": _thread,
    "namespace": _namespace,
    "cgroup": _cgroup,
    "seccomp": _filtered,
}
"""Kind of a part to where it leads."""

USED_BY: Mapping[Kind, Find] = {
    "process": _users_of_process,
    "file": _users_of_file,
    "socket": _users_of_socket,
    "region": _users_of_region,
    "mount": _users_of_mount,
    "delta": _change,
    "image": owners,
    "namespace": _members,
    "cgroup": _users_of_cgroup,
    "seccomp": _filtered,
}
"""Kind of a part to what refers to it."""
