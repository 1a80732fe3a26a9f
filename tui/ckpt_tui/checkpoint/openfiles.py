"""Descriptors and sockets from fdinfo-*.img and files.img.

Which field means what is in CRIU's images/fdinfo.proto, regfile.proto, sk-*.proto and the like;
an id that stands in several descriptor tables is one open file description, shared by dup or fork.
"""

from __future__ import annotations

import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor

from ckpt_tui.checkpoint.filetable import FileObject, FileTable
from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.checkpoint.model import Note, OpenFile, Process, Socket
from ckpt_tui.checkpoint.processes import numbers_text
from ckpt_tui.checkpoint.sockets import SOCKET_TYPES, SocketEnds, address_of, build_socket
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.values import flag_names, signal_names, text, value_name

CLOSE_ON_EXEC = 1

MAX_SHARERS = 64
"""Other holders listed with a descriptor; more are counted."""

FILE_KINDS = {stat.S_IFDIR: "directory", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}

ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR")


class _Descriptor(NamedTuple):
    """One record of an fdinfo image, and whose it is."""

    pid: int
    fd: int
    file_id: int
    close_on_exec: bool


def build_files(
    images: ImageDirectory,
    table: FileTable,
    processes: tuple[Process, ...],
    notes: list[Note],
    progress: Progress,
) -> tuple[tuple[OpenFile, ...], tuple[Socket, ...]]:
    """Return every descriptor of every process, and those of them that are sockets."""
    progress.start("reading descriptors")
    descriptors = list(_descriptors(images, processes, progress))
    sharing = _Sharing()
    for one in descriptors:
        progress.tick(0)
        sharing.add(one, _shared_thing(table, one.file_id))
    ends = SocketEnds(images, table, sharing.first_holder, progress)
    missing: dict[int, list[int]] = defaultdict(list)
    files: list[OpenFile] = []
    sockets: list[Socket] = []
    for one in descriptors:
        progress.tick(0)
        found = table.get(one.file_id)
        if found is None:
            missing[one.pid].append(one.fd)
            target = f"file {one.file_id}"
            files.append(OpenFile(one.pid, one.fd, "missing", target, object_id=one.file_id))
            continue
        files.append(_open_file(table, found, one, sharing, images.host.arch))
        if found.type in SOCKET_TYPES:
            sockets.append(build_socket(found, one.pid, one.fd, ends))
    for pid, numbers in missing.items():
        text = f"Descriptors of process {pid} lead to no file: {numbers_text(numbers)}."
        notes.append(Note("files.img", text))
    return tuple(files), tuple(sockets)


def _descriptors(
    images: ImageDirectory, processes: tuple[Process, ...], progress: Progress
) -> Iterator[_Descriptor]:
    for process in processes:
        if process.files_id is None:
            continue
        for info, _ in images.records(f"fdinfo-{process.files_id}.img", progress):
            yield _Descriptor(process.pid, info.fd, info.id, bool(info.flags & CLOSE_ON_EXEC))


Thing = int
"""What descriptors can share: the id of a file, or that of a pipe, inverted."""


def _shared_thing(table: FileTable, file_id: int) -> Thing:
    """Return what the holders of one open file, or of both ends of a pipe, have in common."""
    if table.objects.type_of(file_id) in ("PIPE", "FIFO"):
        return ~int(table.objects[file_id].message.pipe_id)
    return file_id


class _Sharing:
    """Who holds the same open file or pipe."""

    def __init__(self) -> None:
        self._holders: dict[Thing, list[tuple[int, int]]] = defaultdict(list)
        self._first: dict[Thing, tuple[tuple[int, int], ...]] = {}
        self._thing: dict[int, Thing] = {}
        self.first_holder: dict[int, tuple[int, int]] = {}
        """File id to the first descriptor that leads to it."""

    def add(self, one: _Descriptor, thing: Thing) -> None:
        self._holders[thing].append((one.pid, one.fd))
        self._thing[one.file_id] = thing
        self.first_holder.setdefault(one.file_id, (one.pid, one.fd))

    def others(self, one: _Descriptor) -> tuple[tuple[tuple[int, int], ...], int]:
        """Return the first other holders, and how many there are. Lists of all for each would grow
        with their square; so far more than are listed share one list."""
        thing = self._thing[one.file_id]
        holders = self._holders[thing]
        if len(holders) == 1:
            return (), 0
        me, some = (one.pid, one.fd), holders[: MAX_SHARERS + 1]
        if me in some:
            some.remove(me)
            return tuple(some), len(holders) - 1
        return self._first.setdefault(thing, tuple(some[:-1])), len(holders) - 1


def _open_file(
    table: FileTable, found: FileObject, one: _Descriptor, sharing: _Sharing, arch: str
) -> OpenFile:
    message = found.message
    kind, target = DESCRIBE.get(found.type, _other)(table, found)
    opened = _opened(table, found)
    others, count = sharing.others(one)
    return OpenFile(
        pid=one.pid,
        fd=one.fd,
        kind=kind,
        target=target,
        flags=_open_flags(getattr(opened, "flags", None), arch),
        position=_optional(opened, "pos"),
        size=_optional(opened, "size") if found.type == "REG" else None,
        mode=_optional(opened, "mode") if found.type == "REG" else None,
        close_on_exec=one.close_on_exec,
        deleted=found.id in table.ghosts or bool(getattr(message, "deleted", False)),
        object_id=found.id,
        shared_with=others,
        sharers=count,
        mount_id=_optional(opened, "mnt_id"),
    )


def _opened(table: FileTable, found: FileObject) -> Any:
    """Return the message with flags, position and mount: a fifo has them in that of its path."""
    if found.type != "FIFO":
        return found.message
    regular = table.regular(found.message.regf_id or found.id)
    return found.message if regular is None else regular


@cache
def _has(message: Descriptor, field: str) -> bool:
    return field in message.fields_by_name


def _optional(message: Any, field: str) -> int | None:
    return (
        getattr(message, field)
        if _has(message.DESCRIPTOR, field) and message.HasField(field)
        else None
    )


@lru_cache(maxsize=1024)
def _open_flags(value: object, arch: str) -> tuple[str, ...]:
    if not isinstance(value, int):
        return ()
    names = [n for n in flag_names("rfile.flags", value & ~3, arch) if n not in ACCESS]
    return (ACCESS[value & 3] if value & 3 < 3 else "O_ACCMODE", *names)


def _regular(_table: FileTable, found: FileObject) -> tuple[str, str]:
    kind = FILE_KINDS.get(stat.S_IFMT(found.message.mode), "regular")
    return kind, text(found.message.name)


def _pipe(_table: FileTable, found: FileObject) -> tuple[str, str]:
    end = ("read end", "write end", "both ends")[min(found.message.flags & 3, 2)]
    return "pipe", f"pipe {found.message.pipe_id}, {end}"


def _fifo(table: FileTable, found: FileObject) -> tuple[str, str]:
    path = table.path(found.message.regf_id or found.id)
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
    path = table.path(found.message.regf_id or found.id)
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
