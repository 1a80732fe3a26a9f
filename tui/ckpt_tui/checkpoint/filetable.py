"""Open file objects by id: files.img, or the per-type images that CRIU wrote before v3.4."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from google.protobuf.message import Message

from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.slots import Slots
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.criu.schema import descriptors_pb2
from ckpt_tui.criu.schema.files_pb2 import reg_file_entry
from ckpt_tui.criu.values import ANY_HOST, text

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
"""Objects kept, at some 20 bytes each besides their own; a host rarely allows more open files."""

MAX_BYTES = 256 << 20
"""Bytes of them: an object has some 70."""


class FileObject(NamedTuple):
    """One open file description, or a file that a mapping, cwd or root refers to."""

    id: int
    type: str
    message: Any


class FileObjects(Mapping[int, FileObject]):
    """Objects by id, kept as they are stored and decoded when asked for: a message takes several
    times as much memory, and there may be a million of them. The last of an id counts."""

    def __init__(self) -> None:
        self._stored = bytearray()
        self._starts = array("Q")
        self._ids = array("I")
        self._forms = bytearray()
        """Number in `_known` of each."""
        self._known: list[tuple[str, type[Message]]] = []
        self._numbers: dict[tuple[str, type[Message]], int] = {}
        self._slots = Slots()
        self._count = 0

    def add(self, file_id: int, type_name: str, cls: type[Message], payload: bytes) -> None:
        form = self._numbers.get((type_name, cls))
        if form is None:
            form = self._numbers[type_name, cls] = len(self._known)
            self._known.append((type_name, cls))
        if self._slots.add(file_id, len(self._ids)):
            self._count += 1
        self._ids.append(file_id)
        self._forms.append(form)
        self._starts.append(len(self._stored))
        self._stored += payload

    def take(self, file_id: int, others: FileObjects) -> None:
        """Add an object of others."""
        slot = others._slots.last(file_id)
        assert slot is not None
        self.add(file_id, *others._known[others._forms[slot]], others._payload(slot))

    @property
    def stored_bytes(self) -> int:
        """Bytes of all objects as they are stored."""
        return len(self._stored)

    def type_of(self, file_id: int) -> str:
        """Return the type of an object, "" if there is none."""
        slot = self._slots.last(file_id)
        return "" if slot is None else self._known[self._forms[slot]][0]

    def of_type(self, type_name: str) -> Iterator[FileObject]:
        """Yield the objects of one type, in the order in which they are stored."""
        for form in [n for n, (name, _) in enumerate(self._known) if name == type_name]:
            slot = self._forms.find(form)
            while slot >= 0:
                if self._slots.last(self._ids[slot]) == slot:
                    yield self._object(slot)
                slot = self._forms.find(form, slot + 1)

    def named(self, path: str) -> Iterator[FileObject]:
        """Yield the regular files of that path."""
        name = path.encode("utf-8", "surrogateescape")
        field = reg_file_entry.DESCRIPTOR.fields_by_name["name"].number << 3 | 2
        sought = _varint(field) + _varint(len(name)) + name
        place = self._stored.find(sought)
        while place >= 0:
            slot = bisect_right(self._starts, place) - 1
            if self._slots.last(self._ids[slot]) == slot:
                found = self._object(slot)
                if found.type == "REG" and text(found.message.name) == path:
                    yield found
            end = self._starts[slot + 1] if slot + 1 < len(self._starts) else len(self._stored)
            place = self._stored.find(sought, end)

    def _payload(self, slot: int) -> bytes:
        end = self._starts[slot + 1] if slot + 1 < len(self._starts) else len(self._stored)
        return bytes(self._stored[self._starts[slot] : end])

    def _object(self, slot: int) -> FileObject:
        type_name, cls = self._known[self._forms[slot]]
        message: Any = cls.FromString(self._payload(slot))
        if cls is descriptors_pb2.file_entry:
            message = getattr(message, OBJECTS[type_name])
        return FileObject(self._ids[slot], type_name, message)

    def __getitem__(self, file_id: int) -> FileObject:
        slot = self._slots.last(file_id)
        if slot is None:
            raise KeyError(file_id)
        return self._object(slot)

    def get(self, file_id: int, default: Any = None) -> Any:  # what Mapping has raises, which costs
        slot = self._slots.last(file_id)
        return default if slot is None else self._object(slot)

    def __contains__(self, file_id: object) -> bool:
        return isinstance(file_id, int) and self._slots.last(file_id) is not None

    def __iter__(self) -> Iterator[int]:
        for slot, file_id in enumerate(self._ids):
            if self._slots.last(file_id) == slot:
                yield file_id

    def __len__(self) -> int:
        return self._count


def _varint(number: int) -> bytes:
    """Return a number as protobuf stores it."""
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)


_TABLES: WeakKeyDictionary[ImageDirectory, FileTable] = WeakKeyDictionary()


def file_table(images: ImageDirectory, progress: Progress | None = None) -> FileTable:
    """Return the table of a checkpoint: read on the first call, kept as long as its images."""
    found = _TABLES.get(images)
    if found is None:
        found = _TABLES[images] = FileTable(images, progress)
    return found


class FileTable:
    """Every file object of a checkpoint by its id."""

    def __init__(self, images: ImageDirectory | None, progress: Progress | None = None) -> None:
        """Without images it is the table of a first look, with nothing in it."""
        progress = progress or quiet()
        self.objects = FileObjects()
        self._paths = FileObjects()
        """Before v3.6 a fifo or terminal and the file with its path had the same id."""
        self.ghosts: dict[int, str] = {}
        """File id to what stands in for the vanished path: ghost, linked or procfs."""
        self.ghost_images: dict[int, str] = {}
        """File id to the image that has the contents of a ghost."""
        self.memfds: dict[int, Any] = {}
        self.host = ANY_HOST if images is None else images.host
        if images is None:
            return
        again, first = 0, ""
        for entry, payload, offset in images.records("files.img", progress):
            type_name = _type_of(entry)
            if type_name and self._add(images, entry.id, type_name, type(entry), payload):
                again += 1
                first = first or f"{entry.id} at byte {offset:,}"
        if again:
            has = "record has" if again == 1 else "records have"
            note = f"{again:,} {has} the id of an earlier one, the first {first}; the last counts."
            images.note("files.img", note)
        for name, type_name in LEGACY.items():
            for message, payload, _ in images.records(name, progress):
                self._add(images, message.id, type_name, type(message), payload)
        for remap in images.messages("remap-fpath.img"):
            kind = self.ghosts[remap.orig_id] = _remap_kind(remap)
            if kind == "ghost":
                self.ghost_images[remap.orig_id] = ghost_image(remap.remap_id)
        self.memfds = {m.inode_id: m for m in images.messages("memfd.img")}

    def _add(
        self, images: ImageDirectory, file_id: int, type_name: str, cls: type[Message], data: bytes
    ) -> bool:
        """Keep an object; return whether there was one of its id."""
        objects = self.objects
        if len(objects) >= MAX_OBJECTS or objects.stored_bytes + len(data) > MAX_BYTES:
            images.note("files.img", f"Only the first {len(objects):,} files are looked at.")
            return False
        present = objects.type_of(file_id)
        if type_name == "REG" and present:
            self._paths.add(file_id, type_name, cls, data)
            return True
        if present == "REG":
            self._paths.take(file_id, objects)
        objects.add(file_id, type_name, cls, data)
        return bool(present)

    def get(self, file_id: int) -> FileObject | None:
        found: FileObject | None = self.objects.get(file_id)
        return found

    def regular(self, file_id: int) -> Any | None:
        """Return the message of a regular file: what has a path."""
        found = self._paths.get(file_id) or self.get(file_id)
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

    def at_path(self, path: str) -> Iterator[int]:
        """Yield the ids of the open files whose path, as `path` tells it, is this one."""
        regular = {f.id for objects in (self.objects, self._paths) for f in objects.named(path)}
        yield from (i for i in regular if self.objects.type_of(i) == "REG")
        for kind in ("FIFO", "TTY") if regular else ():
            for found in self.objects.of_type(kind):
                if (found.message.regf_id or found.id) in regular:
                    yield found.id
        if path.startswith("/memfd:"):
            for found in self.objects.of_type("MEMFD"):
                if self.path(found.id) == path:
                    yield found.id


def _type_of(entry: Any) -> str:
    """Return the type of an object that its record has, "" where it has none."""
    name = _TYPES.get(entry.type, "")
    if name and entry.HasField(OBJECTS[name]):
        return name
    return next((t for t, field in OBJECTS.items() if entry.HasField(field)), "")


def ghost_image(remap_id: int) -> str:
    """Return the name of the image of a ghost; before v1.4 the top bit of its id said it is one."""
    return f"ghost-file-{remap_id & 0x7FFFFFFF:x}.img"


def _remap_kind(remap: Any) -> str:
    """Return ghost, linked or procfs; before v1.4 the top bit of the id told ghosts."""
    if remap.HasField("remap_type"):
        return {0: "linked", 1: "ghost", 2: "procfs"}.get(int(remap.remap_type), "ghost")
    return "ghost" if remap.remap_id >> 31 else "linked"
