"""The namespaces that the processes are in, and what the images keep of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Namespace, Process
from ckpt_tui.checkpoint.processes import NAMESPACE_FIELDS
from ckpt_tui.criu.names import by_value
from ckpt_tui.criu.schema import network_pb2
from ckpt_tui.criu.values import flag_names, text

Values = Iterator[tuple[str, str]]
"""Name and value."""


def build_namespaces(
    images: ImageDirectory, processes: tuple[Process, ...]
) -> tuple[Namespace, ...]:
    """Return the namespaces that the processes are in.

    An id that inventory.root_ids has too is the dumping host's own: nothing of it is dumped, and
    the restoring host's is used.
    """
    inventory = images.message("inventory.img")
    host = inventory.root_ids if inventory and inventory.HasField("root_ids") else None
    members: dict[tuple[str, int], list[int]] = defaultdict(list)
    for process in processes:
        for kind, namespace in process.namespaces.items():
            members[kind, namespace].append(process.pid)
    found = []
    for (kind, namespace), pids in sorted(members.items()):
        dumped = host is None or getattr(host, NAMESPACE_FIELDS[kind]) != namespace
        # the clocks are kept of a host's own time namespace, too
        known = dumped or kind == "time"
        properties = dict(PROPERTIES[kind](images, namespace)) if known else {}
        found.append(
            Namespace(namespace, kind, tuple(pids), dumped, _detail(kind, properties), properties)
        )
    return tuple(found)


def _detail(kind: str, properties: Mapping[str, str]) -> str:
    """Return what there is to say in a few words."""
    if kind == "uts" and "nodename" in properties:
        return f"host {properties['nodename']}"
    if kind == "mnt" and properties:
        return f"{properties['mounts']} mounts"
    if kind == "user" and properties:
        ranges = [sum(name.startswith(word) for name in properties) for word in ("uids", "gids")]
        return "{} uid ranges, {} gid ranges".format(*ranges)
    links = [name.removeprefix("link ") for name in properties if name.startswith("link ")]
    return ", ".join(links)


def _uts(images: ImageDirectory, number: int) -> Values:
    if uts := images.message(f"utsns-{number}.img"):
        yield "nodename", text(uts.nodename)
        yield "domainname", text(uts.domainname)


IPC_SYSCTLS = {
    "sem_ctls": "kernel.sem",
    "msg_ctlmax": "kernel.msgmax",
    "msg_ctlmnb": "kernel.msgmnb",
    "msg_ctlmni": "kernel.msgmni",
    "auto_msgmni": "kernel.auto_msgmni",
    "msg_next_id": "kernel.msg_next_id",
    "sem_next_id": "kernel.sem_next_id",
    "shm_next_id": "kernel.shm_next_id",
    "shm_ctlmax": "kernel.shmmax",
    "shm_ctlall": "kernel.shmall",
    "shm_ctlmni": "kernel.shmmni",
    "shm_rmid_forced": "kernel.shm_rmid_forced",
    "mq_queues_max": "fs.mqueue.queues_max",
    "mq_msg_max": "fs.mqueue.msg_max",
    "mq_msgsize_max": "fs.mqueue.msgsize_max",
    "mq_msg_default": "fs.mqueue.msg_default",
    "mq_msgsize_default": "fs.mqueue.msgsize_default",
}
"""Field of ipc_var_entry to the sysctl that it is (criu/ipc_ns.c)."""

IPC_OBJECTS = {"shm": "shared memory segments", "sem": "semaphore sets", "msg": "message queues"}


def _ipc(images: ImageDirectory, number: int) -> Values:
    for kind, name in IPC_OBJECTS.items():
        if count := len(images.messages(f"ipcns-{kind}-{number}.img")):
            yield name, f"{count:,}"
    if sysctls := images.message(f"ipcns-var-{number}.img"):
        for field, value in sysctls.ListFields():
            shown = str(value) if isinstance(value, int) else " ".join(map(str, value))
            yield IPC_SYSCTLS.get(field.name, field.name), shown


def _mnt(images: ImageDirectory, number: int) -> Values:
    if count := len(images.messages(f"mountpoints-{number}.img")):
        yield "mounts", f"{count:,}"


def _user(images: ImageDirectory, number: int) -> Values:
    if user := images.message(f"userns-{number}.img"):
        for name, extents in (("uids", user.uid_map), ("gids", user.gid_map)):
            for extent in extents:
                last = max(extent.count - 1, 0)
                yield (
                    f"{name} {extent.first}–{extent.first + last}",
                    f"{extent.lower_first}–{extent.lower_first + last} outside",
                )


def _time(images: ImageDirectory, number: int) -> Values:
    # CRIU knows one time namespace and numbers its image 0 (criu/timens.c)
    found = images.message(f"timens-{number}.img") or images.message("timens-0.img")
    if found:
        for name in ("monotonic", "boottime"):
            clock = getattr(found, name)
            yield name, f"{clock.tv_sec}.{clock.tv_nsec:09} s"


def _pid(images: ImageDirectory, number: int) -> Values:
    if found := images.message(f"pidns-{number}.img"):
        yield "external key", text(found.ext_key)


def _cgroup(images: ImageDirectory, _number: int) -> Values:
    """Yield the root of the namespace in each hierarchy, where that is not the hierarchy's."""
    for entry in images.messages("cgroup.img"):
        for member in (c for one in entry.sets for c in one.ctls if c.cgns_prefix):
            yield (
                f"root in {text(member.name) or 'cgroup2'}",
                text(member.path)[: member.cgns_prefix],
            )


def _net(images: ImageDirectory, number: int) -> Values:
    found = images.message(f"netns-{number}.img")
    if found and found.ext_key:
        yield "external key", text(found.ext_key)
    devices = images.messages(f"netdev-{number}.img")
    for device in devices:
        yield f"link {text(device.name)}", _link(device)
    for known in found.nsids if found else ():
        yield f"netnsid {known.netnsid_value}", f"network namespace {known.target_ns_id}"
    if found:
        for version in (4, 6):
            for where, field in (("default", "def"), ("all", "all")):
                entries = getattr(found, f"{field}_conf{version}")
                yield from _sysctls(f"net.ipv{version}.conf.{where}", f"conf{version}", entries)
        yield from _sysctls("net.unix", "unix_conf", found.unix_conf)
        yield from _sysctls("net.ipv4", "ipv4_sysctl", found.ipv4_sysctl)
    for device in devices:
        for version in (4, 6):
            where = f"net.ipv{version}.conf.{text(device.name)}"
            yield from _sysctls(where, f"conf{version}", getattr(device, f"conf{version}"))


def _link(device: Any) -> str:
    kinds = {number: name.lower() for name, number in network_pb2.nd_type.items()}
    words = [
        kinds.get(device.type, f"type {device.type}"),
        f"index {device.ifindex}",
        f"mtu {device.mtu}",
    ]
    if device.address:
        words.append(device.address.hex(":"))
    words.append(" ".join(flag_names("netdev.flags", device.flags)))
    return ", ".join(filter(None, words))


def _sysctls(where: str, table: str, entries: Iterable[Any]) -> Values:
    """Yield the settings that have a value; their places in the list are their names."""
    names = by_value(f"netns.{table}")
    for place, entry in enumerate(entries):
        if entry.HasField("iarg") or entry.HasField("sarg"):
            value = str(entry.iarg) if entry.HasField("iarg") else text(entry.sarg)
            yield f"{where}.{names.get(place, place)}", value


PROPERTIES: Mapping[str, Callable[[ImageDirectory, int], Values]] = {
    "mnt": _mnt,
    "net": _net,
    "pid": _pid,
    "ipc": _ipc,
    "uts": _uts,
    "user": _user,
    "cgroup": _cgroup,
    "time": _time,
}
"""Kind of namespace to what the images keep of it."""
