"""JSON documents of a checkpoint or an image, read with limits."""

from __future__ import annotations

import json
import math
from typing import Any

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import ByteWindow

MAX_DOCUMENT = 16 << 20
"""Bytes. Registries cap manifests at 4 MiB; the largest engine metadata seen is some 100 KiB."""


MAX_DEPTH = 500
"""Levels of lists and objects; the deepest engine metadata seen has ten."""


def read_document(window: ByteWindow, name: str) -> Any:
    """Return the JSON value in `window`.

    Raises:
        DamagedInput: too large, nested too deep, or no JSON; `name` says which file.
    """
    if window.size > MAX_DOCUMENT:
        raise DamagedInput(
            name, 0, f"it has {window.size} bytes, more than any such document needs."
        )
    return parse_document(window.read(0, window.size), name)


def read_object(window: ByteWindow, name: str) -> dict[str, Any]:
    """Return the JSON object in `window`; anything but an object is damage."""
    value = read_document(window, name)
    if not isinstance(value, dict):
        raise DamagedInput(name, 0, "it holds JSON, but no object.")
    return value


def parse_document(data: bytes, name: str) -> Any:
    """Return the JSON value in `data`; see `read_document` for errors."""
    try:
        value = json.loads(data, parse_float=_finite, parse_constant=_finite)
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value):
            raise RecursionError
    except RecursionError:
        raise DamagedInput(name, 0, "its JSON is nested too deep.") from None
    except json.JSONDecodeError as error:
        raise DamagedInput(name, error.pos, f"it is not JSON: {error.msg}.") from None
    except ValueError as error:  # undecodable bytes, or an integer of absurd length
        raise DamagedInput(name, 0, f"it is not JSON: {error}.") from None
    return value


def _finite(text: str) -> float:
    """Return a number; JSON has no word for one that is infinite or none (RFC 8259, 6)."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is not a number in range")
    return number


def _is_deep(value: object) -> bool:
    """Return whether `value` has more than MAX_DEPTH levels; what works on one recurses."""
    level: list[Any] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def text_at(document: object, *path: str) -> str:
    """Return the string at `path` in nested objects, or "" where there is none."""
    value = value_at(document, *path)
    return value if isinstance(value, str) else ""


def value_at(document: object, *path: str) -> object:
    """Return the value at `path` in nested objects, or None where a step is missing."""
    for key in path:
        if not isinstance(document, dict):
            return None
        document = document.get(key)
    return document


def strings_at(document: object, *path: str) -> dict[str, str]:
    """Return the strings of the object at `path` by their keys; other values are left out."""
    value = value_at(document, *path)
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def texts_at(document: object, *path: str) -> tuple[str, ...]:
    """Return the strings of the list at `path`; what is not a string is left out."""
    value = value_at(document, *path)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()
