"""Descriptors and sockets from fdinfo-*.img and files.img.

Which field means what is in CRIU's images/fdinfo.proto, regfile.proto, sk-*.proto and the like;
an id that stands in several descriptor tables is one open file description, shared by dup or fork.
"""

from __future__ import annotations

import stat
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from google.protobuf.descriptor import Descriptor

from ckpt_tui.checkpoint.descriptors import Descriptors, read_descriptors, shared_thing
from ckpt_tui.checkpoint.filetable import FileObject, FileTable
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import OpenFile, Process, Socket
from ckpt_tui.checkpoint.slots import Made, Some
from ckpt_tui.checkpoint.sockets import SOCKET_TYPES, SocketEnds, address_of, build_socket
from ckpt_tui.core.progress import Progress
from ckpt_tui.criu.values import flag_names, signal_names, text, value_name

CLOSE_ON_EXEC = 1

FILE_KINDS = {stat.S_IFDIR: "directory", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}

ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR")


class Files(Made[OpenFile]):
    """Every descriptor of every process, process by process, each described when it is asked
    for."""

    def __init__(self, table: FileTable, descriptors: Descriptors, arch: str) -> None:
        self._table = table
        self._descriptors = descriptors
        self._arch = arch

    def __len__(self) -> int:
        return len(self._descriptors)

    def number(self, key: tuple[int, int]) -> int | None:
        """Return the place of a descriptor, by pid and number."""
        return self._descriptors.number(*key)

    def of(self, pid: int) -> Some[OpenFile]:
        """Return the descriptors of a process."""
        return self[self._descriptors.of(pid)]

    def leading_to(self, file_id: int) -> Some[OpenFile]:
        """Return the descriptors that lead to an open file."""
        return Some(self.make, self._descriptors.leading_to(self._table, file_id))

    def sharing(self, file: OpenFile) -> Some[OpenFile]:
        """Return the other descriptors of the same open file, or of an end of the same pipe."""
        own = self._descriptors.number(file.pid, file.fd)
        thing = shared_thing(self._table, file.object_id)
        return Some(self.make, self._descriptors.sharing(thing, own))

    def at_path(self, path: str, but: OpenFile | None = None) -> Some[OpenFile]:
        """Return the descriptors whose target is a path; `but` leaves out those that share one."""
        ids = self._table.at_path(path)
        if but is not None:
            thing = shared_thing(self._table, but.object_id)
            ids = (i for i in ids if shared_thing(self._table, i) != thing)
        leading = (n for i in ids for n in self._descriptors.leading_to(self._table, i))
        return Some(self.make, sorted(leading))

    def ghost_image(self, file_id: int) -> str:
        """Return the image that has the contents of a deleted file, "" where none has."""
        return self._table.ghost_images.get(file_id, "")

    def ghosts_at(self, path: str) -> list[str]:
        """Return the images with the contents of the deleted files of a path."""
        return sorted({i for n in self._table.at_path(path) if (i := self.ghost_image(n))})

    def of_ghost(self, image: str) -> Iterator[OpenFile]:
        """Yield the descriptors that lead to the deleted file of an image."""
        for file_id, name in self._table.ghost_images.items():
            if name == image:
                yield from self.leading_to(file_id)

    def mounts(self) -> Iterator[tuple[int | None, bool]]:
        """Yield for each descriptor the mount that its file is on, and whether it is deleted."""
        for file_id in self._descriptors.file_ids:
            found = self._table.get(file_id)
            if found is None:
                yield None, False
            else:
                opened = _opened(self._table, found)
                yield _optional(opened, "mnt_id"), _is_deleted(self._table, found)

    def make(self, number: int) -> OpenFile:
        table, descriptors = self._table, self._descriptors
        pid, fd = descriptors.key(number)
        found = table.get(descriptors.file_ids[number])
        if found is None:
            file_id = descriptors.file_ids[number]
            return OpenFile(pid, fd, "missing", f"file {file_id}", object_id=file_id)
        kind, target = DESCRIBE.get(found.type, _other)(table, found)
        opened = _opened(table, found)
        others, count = descriptors.others(number, shared_thing(table, found.id))
        is_regular = found.type == "REG"
        return OpenFile(
            pid=pid,
            fd=fd,
            kind=kind,
            target=target,
            flags=_open_flags(getattr(opened, "flags", None), self._arch),
            position=_optional(opened, "pos"),
            size=_optional(opened, "size") if is_regular else None,
            mode=_optional(opened, "mode") if is_regular else None,
            close_on_exec=bool(descriptors.flags[number] & CLOSE_ON_EXEC),
            deleted=_is_deleted(table, found),
            object_id=found.id,
            shared_with=others,
            sharers=count,
            mount_id=_optional(opened, "mnt_id"),
        )


class Sockets(Made[Socket]):
    """The descriptors that are sockets, each described when it is asked for."""

    def __init__(
        self, table: FileTable, descriptors: Descriptors, numbers: array[int], ends: SocketEnds
    ) -> None:
        self._table, self._descriptors, self._ends = table, descriptors, ends
        self._sockets = numbers

    def __len__(self) -> int:
        return len(self._sockets)

    def make(self, number: int) -> Socket:
        place = self._sockets[number]
        found = self._table.objects[self._descriptors.file_ids[place]]
        return build_socket(found, *self._descriptors.key(place), self._ends)

    def number(self, key: tuple[int, int]) -> int | None:
        """Return the place of a socket descriptor, by pid and number."""
        number = self._descriptors.number(*key)
        if number is None:
            return None
        place = bisect_left(self._sockets, number)
        is_there = place < len(self._sockets) and self._sockets[place] == number
        return place if is_there else None


def build_files(
    images: ImageDirectory | None,
    table: FileTable,
    processes: tuple[Process, ...],
    progress: Progress,
) -> tuple[Files, Sockets]:
    """Return every descriptor of every process, and those of them that are sockets; none at all
    without images."""
    if images is None:
        none, nothing = Descriptors(), array("I")
        ends = SocketEnds(None, table, none, nothing, progress)
        return Files(table, none, ""), Sockets(table, none, nothing, ends)
    progress.start("reading descriptors")
    descriptors = read_descriptors(images, table, processes, progress)
    sockets = array("I")
    for number, file_id in enumerate(descriptors.file_ids):
        progress.tick(0)
        kind = table.objects.type_of(file_id)
        if kind in SOCKET_TYPES:
            sockets.append(number)
    ends = SocketEnds(images, table, descriptors, sockets, progress)
    return (
        Files(table, descriptors, images.host.arch),
        Sockets(table, descriptors, sockets, ends),
    )


def _is_deleted(table: FileTable, found: FileObject) -> bool:
    return found.id in table.ghosts or bool(getattr(found.message, "deleted", False))


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


def _socket(table: FileTable, found: FileObject) -> tuple[str, str]:
    return address_of(found, table.host)


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
    "SIGNALFD": lambda t, f: (
        "signalfd",
        " ".join(signal_names(f.message.sigmask, t.host.arch)),
    ),
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
