"""Images decoded: one entry per record, with what is unknown or damaged told beside the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.extras import parse
from ckpt_tui.criu.frames import Frame, Head, read_frames, read_head
from ckpt_tui.criu.kinds import UNKNOWN, Kind, kind_of

MAX_KEPT = 3 << 20
"""Bytes of messages that are decoded of one image, and of one record: messages made to take much
memory take fifty times their bytes. 100,000 mappings or 50,000 open files are less."""

MAX_KEPT_ENTRIES = 100_000
"""Entries kept of one image, for images of many tiny records."""

BATCH = 1 << 16
"""Bytes of messages that are looked through for unknown fields at once."""

MAX_UNKNOWN = 1000
"""Unknown fields listed of one message; more are counted only."""


class UnknownField(NamedTuple):
    """A field that the schema does not have: written by a newer CRIU, or damage."""

    path: str
    """Field that holds the message it is in, `opts` or `tc.rlimits`; empty at the top."""
    number: int
    wire_type: int
    value: object
    """An int for wire types 0, 1 and 5, bytes for 2, for 3 a tuple of fields."""


class Entry(NamedTuple):
    """One record of an image."""

    offset: int
    """Of the message, in bytes from the start of the image."""
    size: int
    """Bytes of the message."""
    message: Message | None
    """None where the bytes are no message; `Empty` of a kind unknown here, whose fields all are."""
    extra: tuple[int, int]
    """Offset and size of the bytes behind the message that belong to it."""
    unknown: int = 0
    """Fields the schema does not have."""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """One image file."""

    name: str
    kind: Kind | None
    id: str
    """Id in the file name, as text; empty without one."""
    head: Head
    entries: tuple[Entry, ...]
    count: int
    """Records in the image; more than entries where the limits cut in."""
    unknown_fields: int
    problem: str
    """What stopped the decoding, one sentence; empty if nothing did."""

    @property
    def left_out(self) -> int:
        """Records that were not decoded because of the limits."""
        return self.count - len(self.entries)

    @property
    def first(self) -> Message | None:
        """The message of the first record."""
        return self.entries[0].message if self.entries else None

    @property
    def messages(self) -> Iterator[Message]:
        """The messages that could be decoded, in order."""
        return (entry.message for entry in self.entries if entry.message is not None)


def decode_image(window: ByteWindow, file_name: str, progress: Progress) -> DecodedImage:
    """Decode an image, told by its file name. Damage is reported in `problem`, never raised."""
    found = kind_of(file_name)
    kind, identity = found or (None, "")
    entries: list[Entry] = []
    kept = count = unknown = 0
    problem = ""
    try:
        for frame in read_frames(window, file_name, kind, progress):
            count += 1
            kept += frame.size if frame.size <= MAX_KEPT else 0
            if kept > MAX_KEPT or len(entries) >= MAX_KEPT_ENTRIES:
                continue
            entry = _decode_frame(frame, count - 1, file_name, kind or UNKNOWN)
            unknown += entry.unknown
            entries.append(entry)
    except DamagedInput as damage:
        problem = str(damage)
    problem = problem or next((entry.problem for entry in entries if entry.problem), "")
    head = read_head(window, kind or UNKNOWN)
    return DecodedImage(file_name, kind, identity, head, tuple(entries), count, unknown, problem)


def _decode_frame(frame: Frame, index: int, name: str, kind: Kind) -> Entry:
    place = (frame.extra_offset, frame.extra_size)
    if kind is UNKNOWN and frame.size <= MAX_KEPT:
        return _of_unknown_kind(frame, place)
    if not kind.first:
        return Entry(frame.payload_offset, frame.size, None, place)
    if frame.size > MAX_KEPT:
        problem = f"The record at byte {frame.payload_offset} is too large to be decoded."
        return Entry(frame.payload_offset, frame.size, None, place, problem=problem)
    try:
        cls = kind.message_class(index)
        message, unknown = parse_counted(cls, frame.payload, name, frame.payload_offset)
    except DamagedInput as damage:
        return Entry(frame.payload_offset, frame.size, None, place, problem=str(damage))
    return Entry(frame.payload_offset, frame.size, message, place, unknown)


def _of_unknown_kind(frame: Frame, place: tuple[int, int]) -> Entry:
    """Return a record of which only the numbers of its fields can be told, if it is a message."""
    try:
        message: Message | None = Empty.FromString(frame.payload)
    except DecodeError:
        message = None
    unknown = 0 if message is None else count_unknown(message)
    return Entry(frame.payload_offset, frame.size, message, place, unknown)


def parse_counted(
    cls: type[Message], payload: bytes, name: str, offset: int
) -> tuple[Message, int]:
    """Decode one message; also return how many fields in it the schema does not have.

    Raises:
        DamagedInput: the bytes are not such a message.
    """
    message = parse(cls, payload, name, offset)
    size = message.ByteSize()
    message.DiscardUnknownFields()  # ten times quicker than asking each message inside
    if message.ByteSize() == size:
        return message, 0
    message = parse(cls, payload, name, offset)
    return message, count_unknown(message)


class UnknownCount:
    """Counts the fields that the schema does not have in many messages of one class, a batch at a
    time: messages one behind the other are one message, which has the unknown fields of all."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: list[bytes] = []
        self._size = 0
        self._cls: type[Message] | None = None
        self._found = 0

    def add(self, cls: type[Message], payload: bytes) -> None:
        """Count those of one more message, which could be parsed."""
        if self._size > BATCH or cls is not self._cls:
            self._count()
            self._cls = cls
        self._waiting.append(payload)
        self._size += len(payload)

    @property
    def total(self) -> int:
        """Unknown fields in all messages so far."""
        self._count()
        return self._found

    def _count(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if self._cls is not None and parse_counted(self._cls, b"".join(waiting), self._name, 0)[1]:
            self._found += sum(parse_counted(self._cls, p, self._name, 0)[1] for p in waiting)


def count_unknown(message: Message) -> int:
    """Return how many fields in `message` and below the schema does not have."""
    inner = sum(count_unknown(child) for _, child in _children(message))
    return len(UnknownFieldSet(message)) + inner


def unknown_fields(message: Message, path: str = "") -> tuple[UnknownField, ...]:
    """Return the fields that the schema does not have, at most `MAX_UNKNOWN`."""
    found = list(own_unknown(message, path))
    for name, child in _children(message):
        if len(found) >= MAX_UNKNOWN:
            break
        found += unknown_fields(child, f"{path}.{name}" if path else name)
    return tuple(found[:MAX_UNKNOWN])


def own_unknown(message: Message, path: str = "") -> tuple[UnknownField, ...]:
    """Return the unknown fields of this message alone, not of those inside it."""
    return _listed(UnknownFieldSet(message), path, depth=0)


def _listed(fields: UnknownFieldSet, path: str, depth: int) -> tuple[UnknownField, ...]:
    found = []
    for index in range(min(len(fields), MAX_UNKNOWN)):
        field = fields[index]
        value: object = field.data
        if isinstance(value, UnknownFieldSet):
            value = _listed(value, path, depth + 1) if depth < 10 else ()
        found.append(UnknownField(path, field.field_number, field.wire_type, value))
    return tuple(found)


def _children(message: Message) -> Iterator[tuple[str, Message]]:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for child in value if field.is_repeated else (value,):
            yield field.name, child
