"""The form that `crit decode` and `crit decode --pretty` give, value for value.

Where crit fails or is known to be wrong, this is not: unknown enum values stay numbers, dumps of
the other byte order are read, kinds without a handler in crit are decoded, and the records behind
a System V segment in a page map are not taken for its contents.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.criu.decode import DecodedImage, Entry
from ckpt_tui.criu.extras import ExtraPart, walk_extra
from ckpt_tui.criu.kinds import Extra, Kind
from ckpt_tui.criu.names import crit_table
from ckpt_tui.criu.reader import ByteOrder, Reader
from ckpt_tui.criu.shown import Shown, shown
from ckpt_tui.criu.values import device, ip_address, text

MAX_EXTRA = 64 << 20
"""Bytes behind messages that are put into one answer: they become text in memory."""


def to_crit(image: DecodedImage, window: ByteWindow, *, pretty: bool) -> dict[str, Any]:
    """Return `{"magic": NAME, "entries": [...]}`; `window` is the image that was decoded.

    Raises:
        CkptError: the image has no messages, or too many bytes beside them for one answer.
    """
    kind = image.kind
    if kind is None or not kind.first:
        raise CkptError(
            f"{image.name} cannot be decoded:",
            "it holds no messages of a kind known here.",
            "A hex view of it may help.",
        )
    if sum(entry.extra[1] for entry in image.entries) > MAX_EXTRA:
        raise CkptError(
            f"{image.name} is too large for crit's form:",
            "its contents would become text in memory.",
            "Decode it without them.",
        )
    reader = Reader(window, image.name)
    order = image.head.byte_order
    entries = [
        _entry(entry, kind, reader, order, pretty)
        for entry in image.entries
        if entry.message is not None
    ]
    return {"magic": kind.magic_name or kind.name, "entries": entries}


def _entry(
    entry: Entry, kind: Kind, reader: Reader, order: ByteOrder, pretty: bool
) -> dict[str, Any]:
    assert entry.message is not None
    found = to_dict(entry.message, pretty=pretty, order=order)
    if kind.extra is not Extra.NONE:
        parts = list(walk_extra(kind.extra, reader, entry.message, entry.extra[0], order))
        if parts or not _is_chunked(entry.message):
            found["extra"] = _extra(kind.extra, parts, reader, order)
    return found


def _is_chunked(message: Message) -> bool:
    return bool(getattr(message, "chunks", False))


def _extra(extra: Extra, parts: Sequence[ExtraPart], reader: Reader, order: ByteOrder) -> object:
    data = [reader.take(part.offset, part.size, "The data") for part in parts]
    if extra is Extra.TCP:
        return {"inq": _base64(data[0]), "outq": _base64(data[1])}
    if extra is Extra.SEM:
        return [int.from_bytes(data[0][at : at + 2], order) for at in range(0, len(data[0]), 2)]
    if extra is Extra.MSG:
        return [
            to_dict(part.message, pretty=False) if part.message is not None else _base64(content)
            for part, content in zip(parts, data, strict=True)
        ]
    return _base64(b"".join(data))


def _base64(data: bytes) -> str:
    return base64.encodebytes(data).decode("ascii")


def to_dict(
    message: Message, *, pretty: bool, order: ByteOrder = "little", in_hex: bool = False
) -> dict[str, Any]:
    """Return one message in crit's form. `in_hex` is what a message around it asked for."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        show = shown(field)
        if not show.repeated:
            found[show.name] = _value(show, value, pretty, order, in_hex)
        elif pretty and show.ip_address:
            found[show.name] = [ip_address(value, order)]
        else:
            found[show.name] = [_value(show, item, pretty, order, in_hex) for item in value]
    return found


def _value(show: Shown, value: Any, pretty: bool, order: ByteOrder, in_hex: bool) -> object:
    match show.type:
        case "message":
            return to_dict(value, pretty=pretty, order=order, in_hex=in_hex or show.hexadecimal)
        case "bytes":
            return quopri.encodestring(value).decode("ascii") if show.unix_name else _base64(value)
        case "string":
            return text(value)
        case "enum":
            return show.enum.get(value, value)
        case "int" if pretty:
            return _pretty(show, value, in_hex)
    return value


def _pretty(show: Shown, value: int, in_hex: bool) -> int | str:
    if in_hex or show.hexadecimal:
        return f"{value:#x}"
    if show.dev:
        return device(value, old=show.odev)
    if show.flags:
        return " | ".join(_crit_flags(show.flags, value))
    if show.dictionary:
        names = {entry.value: entry.name for entry in crit_table(show.dictionary)}
        return names.get(value, value)
    return value


def _crit_flags(table: str, value: int) -> Iterator[str]:
    for entry in crit_table(table):
        if value & entry.value:
            yield entry.name
    for entry in crit_table(table):
        value &= ~entry.value
    if value:
        yield f"{value:#x}"
