"""The framing of images: a head, then records of a length, a message and what follows it.

file   := head { record }
head   := magic                   image version 1.0, and inventory.img always
        | common magic            image version 1.1, since CRIU v1.6
        | service magic           statistics and caches
record := size message [ extra ]  all words in the byte order of the dump host
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.extras import parse, take_message, walk_extra
from ckpt_tui.criu.kinds import (
    COMMON_MAGIC,
    INVENTORY_MAGIC,
    RECORDS,
    SERVICE_MAGIC,
    UNKNOWN,
    Extra,
    ImageHeader,
    Kind,
    Payload,
    kind_by_magic,
)
from ckpt_tui.criu.reader import BUFFER, ByteOrder, Reader

MAX_MEASURED = 1 << 20
"""Bytes of a message with something behind it; real ones have a few hundred."""

MAX_EMPTY = 100_000
"""Records in a row without a byte: the hole of a sparse file reads as such."""


class HeadForm(enum.Enum):
    """How an image begins; 1.0 and 1.1 are CRIU's image versions."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    SERVICE = "service"
    INVENTORY = "inventory"
    SIZE64 = "size64"
    NONE = "none"


class Head(NamedTuple):
    """The beginning of an image."""

    form: HeadForm
    magic: int | None
    """The word that names the kind."""
    byte_order: ByteOrder
    offset: int
    """Where the first record starts."""


class Frame(NamedTuple):
    """One record. Offsets are bytes from the start of the image."""

    offset: int
    payload_offset: int
    size: int
    """Bytes of the message; 0 is valid, a message with nothing set."""
    extra_offset: int
    extra_size: int
    """Bytes behind the message that belong to it, padding included."""
    payload: bytes
    """The message; empty for plugin data, which is all extra."""


def read_head(window: ByteWindow, kind: Kind = UNKNOWN) -> Head:
    """Read the head; without one it is `HeadForm.NONE`.

    `kind` is only needed for plugin images, which begin with a length and no magic.
    """
    if kind.header is ImageHeader.SIZE64:
        return _size64_head(window)
    start = window.read(0, 8)
    orders: tuple[ByteOrder, ByteOrder] = ("little", "big")
    for order in orders:
        first, second = (int.from_bytes(start[at : at + 4], order) for at in (0, 4))
        if len(start) == 8 and first in (COMMON_MAGIC, SERVICE_MAGIC):
            form = HeadForm.V1_1 if first == COMMON_MAGIC else HeadForm.SERVICE
            return Head(form, second, order, 8)
        if len(start) >= 4 and first == INVENTORY_MAGIC:
            return Head(HeadForm.INVENTORY, first, order, 4)
        if len(start) >= 4 and kind_by_magic(first):
            return Head(HeadForm.V1_0, first, order, 4)
    return Head(HeadForm.NONE, None, "little", 0)


def _size64_head(window: ByteWindow) -> Head:
    word = window.read(0, 8)
    if len(word) < 8:
        return Head(HeadForm.NONE, None, "little", 0)
    fits = int.from_bytes(word, "little") <= window.size
    return Head(HeadForm.SIZE64, None, "little" if fits else "big", 0)


def read_frames(
    window: ByteWindow, name: str, kind: Kind | None, progress: Progress
) -> Iterator[Frame]:
    """Yield the records of an image in order; none for files that have no records.

    Without a kind (None or UNKNOWN) nothing is expected behind a message.

    Raises:
        DamagedInput: the magic is wrong or a length runs past the end; the records before were
            yielded.
        Cancelled: the caller gave up.
    """
    kind = kind or UNKNOWN
    head = read_head(window, kind)
    reader = Reader(window, name)
    if kind.header is ImageHeader.SIZE64:
        yield _plugin_frame(reader, head, kind)
        return
    if kind.format not in RECORDS or (kind is UNKNOWN and head.form is HeadForm.NONE):
        return
    _check_magic(head, kind, name)
    is_plain = kind.format is not Payload.ONE and kind.extra is Extra.NONE
    frames = _plain_frames if is_plain else _careful_frames
    is_empty, nothing = True, 0
    for frame in frames(reader, kind, head, progress):
        is_empty = False
        nothing = 0 if frame.size or frame.extra_size else nothing + 1
        if nothing > MAX_EMPTY:
            text = f"More than {MAX_EMPTY:,} empty records follow each other."
            raise DamagedInput(name, frame.offset, text)
        yield frame
    if is_empty and kind.format in (Payload.ONE, Payload.PAGEMAP, Payload.GHOST):
        raise DamagedInput(name, head.offset, "The record is missing.")


def _plain_frames(reader: Reader, kind: Kind, head: Head, progress: Progress) -> Iterator[Frame]:
    """Yield records with nothing behind them, which most are, a buffer at a time: a host has
    millions of them."""
    length = struct.Struct("<I" if head.byte_order == "little" else ">I")
    offset = head.offset
    while offset < reader.size:
        buffer = reader.window.read(offset, BUFFER)
        at = 0
        while at + 4 <= len(buffer):
            (size,) = length.unpack_from(buffer, at)
            start, end = at + 4, at + 4 + size
            if end > len(buffer):
                break
            payload = offset + start
            yield Frame(offset + at, payload, size, payload + size, 0, buffer[start:end])
            at = end
        progress.tick(at)
        if not at:  # longer than a buffer, or damaged
            frame = _read_frame(reader, kind, 1, offset, head, progress)
            yield frame
            at = frame.extra_offset - offset
        offset += at


def _careful_frames(reader: Reader, kind: Kind, head: Head, progress: Progress) -> Iterator[Frame]:
    """Yield records one by one: the message tells where the next one is."""
    offset = head.offset
    index = 0
    while offset < reader.size:
        if index and kind.format is Payload.ONE:
            left = reader.size - offset
            raise DamagedInput(reader.name, offset, f"{left} bytes follow the only record.")
        frame = _read_frame(reader, kind, index, offset, head, progress)
        yield frame
        offset = frame.extra_offset + frame.extra_size
        index += 1


def _check_magic(head: Head, kind: Kind, name: str) -> None:
    if head.form is HeadForm.NONE:
        raise DamagedInput(name, 0, "It does not begin as an image of CRIU does.")
    if kind is not UNKNOWN and head.magic != kind.magic:
        carried = kind_by_magic(head.magic or 0)
        what = carried.name if carried else f"an unknown kind ({head.magic:#010x})"
        raise DamagedInput(
            name, head.offset - 4, f"It carries the magic of {what}, not {kind.name}."
        )


def _read_frame(
    reader: Reader, kind: Kind, index: int, offset: int, head: Head, progress: Progress
) -> Frame:
    order = head.byte_order
    size = int.from_bytes(reader.take(offset, 4, "The length of a record"), order)
    start = offset + 4
    payload = take_message(reader, start, size)
    end = start + size
    last = end
    if kind.extra is not Extra.NONE:
        if size > MAX_MEASURED:
            text = f"A record of {size} bytes is too long for one of {kind.name}."
            raise DamagedInput(reader.name, offset, text)
        message = parse(kind.message_class(index), payload, reader.name, start)
        for part in walk_extra(kind.extra, reader, message, end, order):
            last = part.end
            progress.tick(0)
    progress.tick(last - offset)
    return Frame(offset, start, size, end, last - end, payload)


def _plugin_frame(reader: Reader, head: Head, kind: Kind) -> Frame:
    length = int.from_bytes(reader.take(0, 8, "The length"), head.byte_order)
    end = reader.check(8, length, "The data")
    if end < reader.size:
        raise DamagedInput(reader.name, end, f"{reader.size - end} bytes follow the data.")
    if kind.format is Payload.PLUGIN_RAW:
        return Frame(0, 8, 0, 8, length, b"")
    return Frame(0, 8, length, end, 0, take_message(reader, 8, length))
