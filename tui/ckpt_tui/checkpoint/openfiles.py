"""Descriptors and sockets from fdinfo-*.img and files.img.

Which field means what is in CRIU's images/fdinfo.proto, regfile.proto, sk-*.proto and the like;
an id that stands in several descriptor tables is one open file description, shared by dup or fork.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from ckpt_tui.checkpoint.filetable import FileObject, FileTable
from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.checkpoint.model import Note, OpenFile, Process, Socket
from ckpt_tui.checkpoint.sockets import SOCKET_TYPES, Queues, address_of, build_socket
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.values import flag_names, signal_names, text, value_name

ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR")


def build_files(
    images: ImageDirectory,
    table: FileTable,
    processes: tuple[Process, ...],
    notes: list[Note],
    progress: Progress,
) -> tuple[tuple[OpenFile, ...], tuple[Socket, ...]]:
    """Return every descriptor of every process, and those of them that are sockets."""
    descriptors = list(_descriptors(images, processes))
    holders: dict[int, list[tuple[int, int]]] = defaultdict(list)
    groups: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for pid, info in descriptors:
        holders[info.id].append((pid, info.fd))
        if (group := _group(table.get(info.id))) is not None:
            groups[group].append((pid, info.fd))
    queues = Queues(images, table, holders)
    progress.start("reading descriptors")
    files: list[OpenFile] = []
    sockets: list[Socket] = []
    for pid, info in descriptors:
        progress.tick(0)
        found = table.get(info.id)
        if found is None:
            notes.append(
                Note("files.img", f"Descriptor {info.fd} of {pid} names file {info.id}: not there.")
            )
            files.append(OpenFile(pid, info.fd, "missing", f"file {info.id}", object_id=info.id))
            continue
        group = _group(found)
        others = groups[group] if group is not None else holders[info.id]
        shared = tuple(h for h in others if h != (pid, info.fd))
        files.append(_open_file(table, found, pid, info, shared))
        if found.type in SOCKET_TYPES:
            sockets.append(build_socket(found, pid, info.fd, queues))
    return tuple(files), tuple(sockets)


def _descriptors(
    images: ImageDirectory, processes: tuple[Process, ...]
) -> Iterator[tuple[int, Any]]:
    for process in processes:
        if process.files_id is not None:
            for info in images.messages(f"fdinfo-{process.files_id}.img"):
                yield process.pid, info


def _group(found: FileObject | None) -> tuple[str, int] | None:
    """Return what the holders of both ends of a pipe have in common."""
    if found is not None and found.type in ("PIPE", "FIFO"):
        return "pipe", int(found.message.pipe_id)
    return None


def _open_file(
    table: FileTable, found: FileObject, pid: int, info: Any, shared: tuple[tuple[int, int], ...]
) -> OpenFile:
    message = found.message
    kind, target = DESCRIBE.get(found.type, _other)(table, found)
    return OpenFile(
        pid=pid,
        fd=info.fd,
        kind=kind,
        target=target,
        flags=_open_flags(found),
        position=_optional(message, "pos"),
        size=_optional(message, "size") if found.type == "REG" else None,
        mode=_optional(message, "mode") if found.type == "REG" else None,
        close_on_exec=bool(info.flags & 1),
        deleted=found.id in table.ghosts or bool(getattr(message, "deleted", False)),
        object_id=found.id,
        shared_with=shared,
        mount_id=_optional(message, "mnt_id"),
    )


def _optional(message: Any, field: str) -> int | None:
    known = field in message.DESCRIPTOR.fields_by_name
    return int(getattr(message, field)) if known and message.HasField(field) else None


def _open_flags(found: FileObject) -> tuple[str, ...]:
    value = getattr(found.message, "flags", None)
    if not isinstance(value, int):
        return ()
    names = [n for n in flag_names("rfile.flags", value & ~3) if n not in ACCESS]
    return (ACCESS[value & 3] if value & 3 < 3 else "O_ACCMODE", *names)


def _regular(table: FileTable, found: FileObject) -> tuple[str, str]:
    mode = found.message.mode
    for test, kind in (
        (stat.S_ISDIR, "directory"),
        (stat.S_ISCHR, "device"),
        (stat.S_ISBLK, "device"),
    ):
        if mode and test(mode):
            return kind, table.path(found.id)
    return "regular", table.path(found.id)


def _pipe(_table: FileTable, found: FileObject) -> tuple[str, str]:
    end = ("read end", "write end", "both ends")[min(found.message.flags & 3, 2)]
    return "pipe", f"pipe {found.message.pipe_id}, {end}"


def _fifo(table: FileTable, found: FileObject) -> tuple[str, str]:
    path = table.path(found.message.regf_id) or table.path(found.id)
    return "fifo", path or f"pipe {found.message.pipe_id}"


def _epoll(_table: FileTable, found: FileObject) -> tuple[str, str]:
    watched = ", ".join(str(t.tfd) for t in found.message.tfd)
    return "epoll", f"watches {watched}" if watched else "watches nothing"


def _inotify(_table: FileTable, found: FileObject) -> tuple[str, str]:
    watches = []
    for watch in found.message.wd:
        path = text(watch.f_handle.path) or f"inode {watch.i_ino}"
        watches.append(f"{path} ({'|'.join(flag_names('inotify.mask', watch.mask))})")
    return "inotify", "; ".join(watches) or "no watches"


def _timerfd(_table: FileTable, found: FileObject) -> tuple[str, str]:
    timer = found.message
    clock = value_name("timer.clock_id", timer.clockid)
    if not (timer.vsec or timer.vnsec or timer.isec or timer.insec):
        return "timerfd", f"{clock}, not armed"
    return "timerfd", (
        f"{clock}, in {timer.vsec + timer.vnsec / 1e9:g} s, "
        f"then every {timer.isec + timer.insec / 1e9:g} s"
    )


def _tty(table: FileTable, found: FileObject) -> tuple[str, str]:
    path = table.path(found.message.regf_id)
    return "tty", path or f"terminal {found.message.tty_info_id}"


def _namespace(_table: FileTable, found: FileObject) -> tuple[str, str]:
    kinds = "|".join(flag_names("ns.cflag", found.message.ns_cflag))
    return "namespace", f"{kinds} namespace {found.message.ns_id}"


def _pidfd(_table: FileTable, found: FileObject) -> tuple[str, str]:
    pid = found.message.nspid
    return "pidfd", f"process {pid}" if pid >= 0 else "a process that is gone"


def _socket(_table: FileTable, found: FileObject) -> tuple[str, str]:
    return address_of(found)


def _other(_table: FileTable, found: FileObject) -> tuple[str, str]:
    return found.type.lower(), ""


DESCRIBE: dict[str, Callable[[FileTable, FileObject], tuple[str, str]]] = {
    "REG": _regular,
    "PIPE": _pipe,
    "FIFO": _fifo,
    "INETSK": _socket,
    "UNIXSK": _socket,
    "PACKETSK": _socket,
    "NETLINKSK": _socket,
    "EVENTFD": lambda _t, f: ("eventfd", f"counter {f.message.counter}"),
    "EVENTPOLL": _epoll,
    "INOTIFY": _inotify,
    "FANOTIFY": lambda _t, f: ("fanotify", f"{len(f.message.mark)} marks"),
    "SIGNALFD": lambda _t, f: ("signalfd", " ".join(signal_names(f.message.sigmask))),
    "TTY": _tty,
    "NS": _namespace,
    "TUNF": lambda _t, f: ("tun", text(f.message.netdev)),
    "EXT": lambda _t, _f: ("external", "saved by a plugin of CRIU"),
    "TIMERFD": _timerfd,
    "MEMFD": lambda t, f: ("memfd", t.path(f.id)),
    "BPFMAP": lambda _t, f: ("bpf map", text(f.message.map_name)),
    "PIDFD": _pidfd,
}
"""How each type of file object is told: its kind and its target in words."""
