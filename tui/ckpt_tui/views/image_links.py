"""Which images tell of a thing, and of what an image tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ckpt_tui.checkpoint.filetable import ghost_image
from ckpt_tui.checkpoint.index import Index
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import printable
from ckpt_tui.criu.kinds import kind_of
from ckpt_tui.views.link_labels import (
    Lead,
    Leads,
    each,
    file_link,
    ghost_links,
    namespace_links,
    pid_links,
    process_link,
    region_link,
    socket_link,
)

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
    major, _, minor = device.partition(":")
    return int(major) << 20 | int(minor)


def member_links(_checkpoint: Checkpoint, index: Index, kind: str, number: int) -> Leads:
    found = index.namespace.get((kind, number))
    yield pid_links(index, found.pids if found else ())


def owner_links(checkpoint: Checkpoint, index: Index, name: str) -> Leads:
    found = kind_of(name)
    if found is None or not found[1]:
        return
    kind, identity = found
    owner = IMAGE_OWNERS.get(kind.name)
    if owner is not None:
        # only ghosts and TCP streams are numbered in hexadecimal
        base = 16 if "<x " in kind.pattern else 10
        yield from owner(checkpoint, index, int(identity, base))


def _by_pid(_checkpoint: Checkpoint, index: Index, pid: int) -> Leads:
    yield pid_links(index, (pid,))


def _by_thread(_checkpoint: Checkpoint, index: Index, tid: int) -> Leads:
    if tid in index.process:
        yield pid_links(index, (tid,))
        return
    for process in index.process.values():
        if any(thread.tid == tid for thread in process.threads):
            yield process_link(process, f"thread {tid} of process")


def _by_files_id(_checkpoint: Checkpoint, index: Index, files_id: int) -> Leads:
    for process in index.process.values():
        if process.files_id == files_id:
            yield process_link(process)


def _by_pages_id(_checkpoint: Checkpoint, index: Index, pages_id: int) -> Leads:
    yield pid_links(index, (m.pid for m in index.memory.values() if m.pages_id == pages_id))


def _by_shared_id(_checkpoint: Checkpoint, index: Index, shared_id: int) -> Leads:
    yield each(index.sharers.get(shared_id, ()), region_link)


def _by_inode(_checkpoint: Checkpoint, index: Index, inode: int) -> Leads:
    yield from map(socket_link, index.inodes.get(inode, ()))


def _by_ghost(_checkpoint: Checkpoint, index: Index, ghost: int) -> Leads:
    image = ghost_image(ghost)
    if image in index.image:
        yield from ghost_links((image,))
    yield from map(file_link, index.of_ghost(image))


def _by_device(checkpoint: Checkpoint, _index: Index, device: int) -> Leads:
    for mount in checkpoint.mounts:
        if device_number(mount.device) == device:
            label = f"mount {printable(mount.mountpoint)}"
            yield Lead(label, Ref.mount(mount.namespace, mount.id))


def _in_namespace(kind: str) -> Callable[[Checkpoint, Index, int], Leads]:
    def found(checkpoint: Checkpoint, index: Index, number: int) -> Leads:
        numbers = [number]
        if kind == "time" and not number:  # CRIU numbers the image of its one time namespace 0
            numbers = [n for k, n in index.namespace if k == kind]
        for one in numbers:
            yield from namespace_links(index, kind, one)
            yield from member_links(checkpoint, index, kind, one)

    return found


IMAGE_OWNERS: Mapping[str, Callable[[Checkpoint, Index, int], Leads]] = {
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
"""Kind of image to whose it is, by the number in its name."""
