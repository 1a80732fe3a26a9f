"""What follows a message in an image: contents of pipes, queues, maps and files.

Lengths are in the message, so it has to be decoded to find the next record. The rules are those of
CRIU's dumping code for each kind.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.criu.kinds import Extra, message_class
from ckpt_tui.criu.reader import ByteOrder, Reader

if TYPE_CHECKING:
    from ckpt_tui.criu.schema.files_pb2 import ghost_file_entry

MAX_MESSAGE = 64 << 20
"""Bytes. A longer message means a damaged length: the largest real ones are address spaces with a
million mappings."""


class ExtraPart(NamedTuple):
    """One piece of what follows a message."""

    label: str
    offset: int
    """From the start of the image."""
    size: int
    end: int
    """Where the next thing starts: behind the padding."""
    message: Message | None = None
    """Set for the pieces that are messages themselves."""


def parse(cls: type[Message], payload: bytes, name: str, offset: int) -> Message:
    """Decode one message.

    Raises:
        DamagedInput: the bytes are not such a message.
    """
    try:
        return cls.FromString(payload)
    except (DecodeError, ValueError) as error:
        text = f"The bytes are not a valid {cls.DESCRIPTOR.name}."
        raise DamagedInput(name, offset, text) from error


def padded(size: int, unit: int) -> int:
    """Return `size` rounded up to a multiple of `unit`."""
    return -(-size // unit) * unit


def _run(reader: Reader, offset: int, label: str, size: int, unit: int = 1) -> ExtraPart:
    return ExtraPart(label, offset, size, reader.check(offset, padded(size, unit), f"The {label}"))


def _one(label: str, field: str) -> Callable[..., Iterator[ExtraPart]]:
    def walk(reader: Reader, message: Any, offset: int, _order: ByteOrder) -> Iterator[ExtraPart]:
        yield _run(reader, offset, label, getattr(message, field))

    return walk


def _two(
    first: tuple[str, str], second: tuple[str, str]
) -> Callable[[Reader, Any, int, ByteOrder], Iterator[ExtraPart]]:
    def walk(reader: Reader, message: Any, offset: int, _order: ByteOrder) -> Iterator[ExtraPart]:
        part = _run(reader, offset, first[0], getattr(message, first[1]))
        yield part
        yield _run(reader, part.end, second[0], getattr(message, second[1]))

    return walk


def _semaphores(
    reader: Reader, message: Any, offset: int, _order: ByteOrder
) -> Iterator[ExtraPart]:
    yield _run(reader, offset, "values", message.nsems * 2, 8)


def _segment(reader: Reader, message: Any, offset: int, _order: ByteOrder) -> Iterator[ExtraPart]:
    if not message.in_pagemaps:
        yield _run(reader, offset, "contents", message.size, 4)


def _messages(reader: Reader, message: Any, offset: int, order: ByteOrder) -> Iterator[ExtraPart]:
    cls = message_class("ipc.ipc_msg")
    for _ in range(message.qnum):
        size = int.from_bytes(reader.take(offset, 4, "The length of a message"), order)
        offset += 4
        inner: Any = parse(cls, take_message(reader, offset, size), reader.name, offset)
        yield ExtraPart("message", offset, size, offset + size, inner)
        text = _run(reader, offset + size, "text", inner.msize, 8)
        yield text
        offset = text.end


def _ghost(reader: Reader, message: Any, offset: int, _order: ByteOrder) -> Iterator[ExtraPart]:
    if message.DESCRIPTOR.name == "ghost_chunk_entry":
        yield _run(reader, offset, "contents", message.len)
    elif not message.chunks and _has_contents(message):
        yield _run(reader, offset, "contents", reader.size - offset)


def _has_contents(ghost: ghost_file_entry) -> bool:
    return stat.S_IFMT(ghost.mode) in (0, stat.S_IFREG)


_WALKS: dict[Extra, Callable[[Reader, Any, int, ByteOrder], Iterator[ExtraPart]]] = {
    Extra.PIPE: _one("contents", "bytes"),
    Extra.PACKET: _one("packet", "length"),
    Extra.TCP: _two(("receive queue", "inq_len"), ("send queue", "outq_len")),
    Extra.BPF: _two(("keys", "keys_bytes"), ("values", "values_bytes")),
    Extra.SEM: _semaphores,
    Extra.SHM: _segment,
    Extra.MSG: _messages,
    Extra.GHOST: _ghost,
}


def walk_extra(
    extra: Extra, reader: Reader, message: Message, offset: int, order: ByteOrder
) -> Iterator[ExtraPart]:
    """Yield the pieces behind `message`, the first of which starts at `offset`.

    Raises:
        DamagedInput: a length runs past the end of the image.
    """
    walk = _WALKS.get(extra)
    return walk(reader, message, offset, order) if walk else iter(())


def take_message(reader: Reader, offset: int, size: int) -> bytes:
    """Return the bytes of a message.

    Raises:
        DamagedInput: it is longer than what is left, or than any real one.
    """
    if MAX_MESSAGE < size <= reader.size - offset:
        raise DamagedInput(
            reader.name, offset, f"A record of {size} bytes is longer than any that CRIU writes."
        )
    return reader.take(offset, size, "A record")
