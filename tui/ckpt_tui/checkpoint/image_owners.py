"""Which images a namespace has, and what an image belongs to, by the number in its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ckpt_tui.checkpoint.filetable import ghost_image
from ckpt_tui.checkpoint.index import Index
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.relations import (
    Related,
    Relation,
    each,
    to_file,
    to_mount,
    to_namespace,
    to_processes,
    to_recovered,
    to_region,
    to_socket,
)
from ckpt_tui.criu.kinds import kind_of

NAMESPACE_IMAGES = {
    "uts": ("utsns-{}.img",),
    "ipc": ("ipcns-var-{}.img", "ipcns-shm-{}.img", "ipcns-msg-{}.img", "ipcns-sem-{}.img"),
    "mnt": ("mountpoints-{}.img",),
    "net": (
        *("netns-{}.img", "netdev-{}.img", "ifaddr-{}.img", "route-{}.img", "route6-{}.img"),
        *("rule-{}.img", "iptables-{}.img", "ip6tables-{}.img", "nftables-{}.img"),
        *("netns-ct-{}.img", "netns-exp-{}.img"),
    ),
    "user": ("userns-{}.img",),
    "time": ("timens-{}.img", "timens-0.img"),
    "pid": ("pidns-{}.img",),
}
"""Images of a namespace by its kind, with its id in the name."""


def device_number(device: str) -> int:
    """Return the number that CRIU names a device by, of `major:minor`."""
    major, _, minor = device.partition(":")
    return int(major) << 20 | int(minor)


def owners(index: Index, name: str) -> Related:
    """Yield what an image belongs to."""
    found = kind_of(name)
    if found is None or not found[1]:
        return
    kind, identity = found
    owner = IMAGE_OWNERS.get(kind.name)
    if owner is not None:
        # only ghosts and TCP streams are numbered in hexadecimal
        yield from owner(index, int(identity, 16 if "<x " in kind.pattern else 10))


def _by_pid(index: Index, pid: int) -> Related:
    yield to_processes(index, (pid,))


def _by_thread(index: Index, tid: int) -> Related:
    if tid in index.process:
        yield to_processes(index, (tid,))
        return
    for process in index.process.values():
        if any(thread.tid == tid for thread in process.threads):
            yield Relation(Ref.process(process.pid), f"thread {tid} of process")


def _by_files_id(index: Index, files_id: int) -> Related:
    yield to_processes(index, (p.pid for p in index.process.values() if p.files_id == files_id))


def _by_pages_id(index: Index, pages_id: int) -> Related:
    yield to_processes(index, (m.pid for m in index.memory.values() if m.pages_id == pages_id))


def _by_shared_id(index: Index, shared_id: int) -> Related:
    yield each(index.sharers.get(shared_id, ()), to_region)


def _by_inode(index: Index, inode: int) -> Related:
    yield from map(to_socket, index.inodes.get(inode, ()))


def _by_ghost(index: Index, ghost: int) -> Related:
    image = ghost_image(ghost)
    if image in index.image:
        yield from to_recovered((image,))
    yield from map(to_file, index.files.of_ghost(image))


def _by_device(index: Index, device: int) -> Related:
    for mount in index.mount.values():
        if device_number(mount.device) == device:
            yield to_mount(mount)


def _in_namespace(kind: str) -> Callable[[Index, int], Related]:
    def found(index: Index, number: int) -> Related:
        numbers = [number]
        if kind == "time" and not number:  # CRIU numbers the image of its one time namespace 0
            numbers = [n for k, n in index.namespace if k == kind]
        for one in numbers:
            yield from to_namespace(index, kind, one)
            members = index.namespace.get((kind, one))
            yield to_processes(index, members.pids if members else ())

    return found


IMAGE_OWNERS: Mapping[str, Callable[[Index, int], Related]] = {
    **dict.fromkeys(("MM", "IDS", "FS", "PAGEMAP", "CREDS", "RLIMIT", "SIGACT", "VMAS"), _by_pid),
    "CORE": _by_thread,
    "FDINFO": _by_files_id,
    "PAGES": _by_pages_id,
    "SHMEM_PAGEMAP": _by_shared_id,
    "TCP_STREAM": _by_inode,
    "TMPFS_DEV": _by_device,
    "GHOST_FILE": _by_ghost,
    "MNTS": _in_namespace("mnt"),
    "UTSNS": _in_namespace("uts"),
    **dict.fromkeys(("IPC_VAR", "IPCNS_SHM", "IPCNS_MSG", "IPCNS_SEM"), _in_namespace("ipc")),
    **dict.fromkeys(("NETNS", "NETDEV", "IFADDR", "ROUTE", "ROUTE6", "RULE"), _in_namespace("net")),
    **dict.fromkeys(("IPTABLES", "IP6TABLES", "NFTABLES"), _in_namespace("net")),
    "USERNS": _in_namespace("user"),
    "TIMENS": _in_namespace("time"),
    "PIDNS": _in_namespace("pid"),
}
"""Kind of image to what finds its owners by the number in its name."""
