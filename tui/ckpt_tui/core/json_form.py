"""Records as JSON.

Text that is valid UTF-8 is given exactly (JSON escapes the rest); bytes that are not are shown
with `\\xe9` escapes, and in full in Base64 under the same key with `_base64` behind it.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ckpt_tui.core.known_values import without_known
from ckpt_tui.core.linear import as_bytes

AT_ONCE = 10_000
"""Items of a list that become JSON types before they are written."""


def plain(value: object) -> Any:
    """Return `value` as JSON types; records become objects, times RFC 3339."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
    if isinstance(value, Mapping):
        return _record({_shown(k)[0]: v for k, v in value.items()})
    if isinstance(value, str | bytes):
        return _shown(value)[0]
    if isinstance(value, Sequence):
        return Many(value) if len(value) > AT_ONCE else [plain(v) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.value if isinstance(value, enum.Enum) else value


class Many:
    """A long list of a document, whose items become JSON types one at a time: millions of
    descriptors are written, never held."""

    def __init__(self, items: Sequence[object]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return map(plain, self._items)


def to_json(document: object) -> str:
    """Return JSON that is safe on any terminal: pure ASCII, no control character."""
    return "".join(json_pieces(document))


def json_pieces(document: object, margin: str = "") -> Iterator[str]:
    """Yield the same in pieces, so that a document of any length takes little memory."""
    inner = f"{margin}  "
    if isinstance(document, Many | list) and document:
        yield "["
        for number, item in enumerate(document):
            yield f"{',' if number else ''}\n{inner}{_dumped(item, inner)}"
        yield f"\n{margin}]"
    elif isinstance(document, dict) and document:
        yield "{"
        for number, (name, value) in enumerate(document.items()):
            yield f"{',' if number else ''}\n{inner}{json.dumps(name)}: "
            yield from json_pieces(value, inner)
        yield f"\n{margin}}}"
    else:
        yield _dumped(document, margin)


def _dumped(value: object, margin: str) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True, default=list).replace("\n", f"\n{margin}")


def _record(fields: Mapping[str, object]) -> dict[str, Any]:
    record: dict[str, Any] = {}
    for name, value in fields.items():
        record[name] = plain(value)
        if isinstance(value, str | bytes) and not _shown(value)[1]:
            record[f"{name}_base64"] = _base64(value)
        elif (
            isinstance(value, tuple)
            and all(isinstance(v, str | bytes) for v in value)
            and not all(_shown(v)[1] for v in value)
        ):
            record[f"{name}_base64"] = [_base64(v) for v in value]
    return record


def _shown(text: object) -> tuple[str, bool]:
    """Return the text for JSON, and whether it is the whole truth."""
    raw = _raw(text)
    try:
        return raw.decode(), True
    except UnicodeDecodeError:
        return raw.decode("utf-8", "backslashreplace"), False


def _base64(text: str | bytes) -> str:
    return base64.b64encode(_raw(text)).decode()


def _raw(text: object) -> bytes:
    """Return the bytes that a text was made of, known values that are secret covered."""
    text = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text)
    return as_bytes(without_known(text))
