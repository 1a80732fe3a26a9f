"""Open file objects by id: files.img, or the per-type images that CRIU wrote before v3.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ckpt_tui.checkpoint.images import ImageDirectory
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


@dataclass(frozen=True, slots=True)
class FileObject:
    """One open file description, or a file that a mapping, cwd or root refers to."""

    id: int
    type: str
    message: Any


class FileTable:
    """Every file object of a checkpoint by its id."""

    def __init__(self, images: ImageDirectory) -> None:
        self.objects: dict[int, FileObject] = {}
        self.ghosts: dict[int, str] = {}
        """File id to what stands in for the vanished path: ghost, linked or procfs."""
        for entry in images.messages("files.img"):
            field = next((f for f in OBJECTS.values() if entry.HasField(f)), None)
            if field:
                type_name = next(t for t, f in OBJECTS.items() if f == field)
                self.objects[entry.id] = FileObject(entry.id, type_name, getattr(entry, field))
        for name, type_name in LEGACY.items():
            for message in images.messages(name):
                self.objects.setdefault(message.id, FileObject(message.id, type_name, message))
        for remap in images.messages("remap-fpath.img"):
            self.ghosts[remap.orig_id] = _remap_kind(remap)
        self.memfds = {m.inode_id: m for m in images.messages("memfd.img")}

    def get(self, file_id: int) -> FileObject | None:
        return self.objects.get(file_id)

    def path(self, file_id: int) -> str:
        """Return the path of a regular file's object, "" for anything else."""
        found = self.objects.get(file_id)
        if found is None:
            return ""
        if found.type == "REG":
            return text(found.message.name)
        if found.type == "MEMFD":
            inode = self.memfds.get(found.message.inode_id)
            return f"/memfd:{text(inode.name)}" if inode else ""
        return ""


def _remap_kind(remap: Any) -> str:
    """Return ghost, linked or procfs; before v1.4 the top bit of the id told ghosts."""
    if remap.HasField("remap_type"):
        return {0: "linked", 1: "ghost", 2: "procfs"}.get(int(remap.remap_type), "ghost")
    return "ghost" if remap.remap_id >> 31 else "linked"
