"""Open file objects by id: files.img, or the per-type images that CRIU wrote before v3.4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.criu.schema import descriptors_pb2
from ckpt_tui.criu.values import text

OBJECTS = {
    "REG": "reg",
    "PIPE": "pipe",
    "FIFO": "fifo",
    "INETSK": "isk",
    "UNIXSK": "usk",
    "EVENTFD": "efd",
    "EVENTPOLL": "epfd",
    "INOTIFY": "ify",
    "SIGNALFD": "sgfd",
    "PACKETSK": "psk",
    "TTY": "tty",
    "FANOTIFY": "ffy",
    "NETLINKSK": "nlsk",
    "NS": "nsf",
    "TUNF": "tunf",
    "EXT": "ext",
    "TIMERFD": "tfd",
    "MEMFD": "memfd",
    "BPFMAP": "bpf",
    "PIDFD": "pidfd",
}
"""fd_types of CRIU to the field of file_entry that holds the object."""

_TYPES = {descriptors_pb2.fd_types.Value(name): name for name in OBJECTS}

LEGACY = {
    "reg-files.img": "REG",
    "pipes.img": "PIPE",
    "fifo.img": "FIFO",
    "inetsk.img": "INETSK",
    "unixsk.img": "UNIXSK",
    "eventfd.img": "EVENTFD",
    "eventpoll.img": "EVENTPOLL",
    "inotify.img": "INOTIFY",
    "signalfd.img": "SIGNALFD",
    "packetsk.img": "PACKETSK",
    "tty.img": "TTY",
    "fanotify.img": "FANOTIFY",
    "netlinksk.img": "NETLINKSK",
    "ns-files.img": "NS",
    "tunfile.img": "TUNF",
    "ext-files.img": "EXT",
    "timerfd.img": "TIMERFD",
}
"""Images of one type each, read by CRIU of today still."""


MAX_OBJECTS = 1_000_000
"""Objects kept, at some 200 bytes each; a host rarely allows more open files in all."""


class FileObject(NamedTuple):
    """One open file description, or a file that a mapping, cwd or root refers to."""

    id: int
    type: str
    message: Any


class FileObjects(Mapping[int, FileObject]):
    """Objects by id, kept as they are stored and decoded when asked for: a message takes several
    times as much memory, and there may be a million of them."""

    def __init__(self) -> None:
        self._stored: dict[int, tuple[str, type[Message], bytes]] = {}

    def add(self, file_id: int, type_name: str, cls: type[Message], payload: bytes) -> None:
        self._stored[file_id] = (type_name, cls, payload)

    def take(self, file_id: int, others: FileObjects) -> None:
        """Add an object of others."""
        self._stored[file_id] = others._stored[file_id]

    def type_of(self, file_id: int) -> str:
        """Return the type of an object, "" if there is none."""
        return self._stored[file_id][0] if file_id in self._stored else ""

    def __getitem__(self, file_id: int) -> FileObject:
        type_name, cls, payload = self._stored[file_id]
        message: Any = cls.FromString(payload)
        if cls is descriptors_pb2.file_entry:
            message = getattr(message, OBJECTS[type_name])
        return FileObject(file_id, type_name, message)

    def get(self, file_id: int, default: Any = None) -> Any:  # what Mapping has raises, which costs
        return self[file_id] if file_id in self._stored else default

    def __contains__(self, file_id: object) -> bool:
        return file_id in self._stored

    def __iter__(self) -> Iterator[int]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


class FileTable:
    """Every file object of a checkpoint by its id."""

    def __init__(self, images: ImageDirectory, progress: Progress | None = None) -> None:
        progress = progress or quiet()
        self.objects = FileObjects()
        self._paths = FileObjects()
        """Before v3.6 a fifo or terminal and the file with its path had the same id."""
        self.ghosts: dict[int, str] = {}
        """File id to what stands in for the vanished path: ghost, linked or procfs."""
        for entry, payload in images.records("files.img", progress):
            type_name = _type_of(entry)
            if type_name:
                self._add(images, entry.id, type_name, type(entry), payload)
        for name, type_name in LEGACY.items():
            for message, payload in images.records(name, progress):
                self._add(images, message.id, type_name, type(message), payload)
        for remap in images.messages("remap-fpath.img"):
            self.ghosts[remap.orig_id] = _remap_kind(remap)
        self.memfds = {m.inode_id: m for m in images.messages("memfd.img")}

    def _add(
        self, images: ImageDirectory, file_id: int, type_name: str, cls: type[Message], data: bytes
    ) -> None:
        if len(self.objects) >= MAX_OBJECTS:
            images.note("files.img", f"Only the first {MAX_OBJECTS:,} files are looked at.")
            return
        present = self.objects.type_of(file_id)
        if type_name == "REG" and present:
            self._paths.add(file_id, type_name, cls, data)
            return
        if present == "REG":
            self._paths.take(file_id, self.objects)
        self.objects.add(file_id, type_name, cls, data)

    def get(self, file_id: int) -> FileObject | None:
        found: FileObject | None = self.objects.get(file_id)
        return found

    def regular(self, file_id: int) -> Any | None:
        """Return the message of a regular file: what has a path."""
        found = self._paths[file_id] if file_id in self._paths else self.get(file_id)
        return found.message if found is not None and found.type == "REG" else None

    def path(self, file_id: int) -> str:
        """Return the path of a regular file or memfd, "" for anything else."""
        regular = self.regular(file_id)
        if regular is not None:
            return text(regular.name)
        found = self.get(file_id)
        if found is not None and found.type == "MEMFD":
            inode = self.memfds.get(found.message.inode_id)
            return f"/memfd:{text(inode.name)}" if inode else ""
        return ""


def _type_of(entry: Any) -> str:
    """Return the type of an object that its record has, "" where it has none."""
    name = _TYPES.get(entry.type, "")
    if name and entry.HasField(OBJECTS[name]):
        return name
    return next((t for t, field in OBJECTS.items() if entry.HasField(field)), "")


def _remap_kind(remap: Any) -> str:
    """Return ghost, linked or procfs; before v1.4 the top bit of the id told ghosts."""
    if remap.HasField("remap_type"):
        return {0: "linked", 1: "ghost", 2: "procfs"}.get(int(remap.remap_type), "ghost")
    return "ghost" if remap.remap_id >> 31 else "linked"
