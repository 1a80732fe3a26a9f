"""Changes values of a JSON object and leaves every other byte as its engine wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import DamagedInput

_SPACE = re.compile(r"[ \t\n\r]*")


def with_values(document: bytes, values: Mapping[str, str], name: str) -> bytes:
    """Return `document` with the top-level `values` set; a key it lacks is added at the end.

    Raises:
        DamagedInput: it is not JSON object; `name` says which file.
    """
    if not isinstance(parse_document(document, name), dict):
        raise DamagedInput(name, 0, "it holds JSON, but no object.")
    try:
        text = document.decode("utf-8")
        spans, last = _value_spans(text)
    except (ValueError, IndexError):  # JSON in another encoding, which no engine writes
        raise DamagedInput(name, 0, "it is not JSON in UTF-8.") from None
    added = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in values.items() if k not in spans]
    if added:
        text = text[:last] + ", ".join(([""] if spans else []) + added) + text[last:]
    for key, (start, end) in sorted(spans.items(), key=lambda item: -item[1][0]):
        if key in values:
            text = text[:start] + json.dumps(values[key]) + text[end:]
    return text.encode()


def _value_spans(text: str) -> tuple[dict[str, tuple[int, int]], int]:
    """Return where each top-level value lies, and where the last one ends."""
    decoder = json.JSONDecoder()
    spans: dict[str, tuple[int, int]] = {}
    position = last = text.index("{") + 1
    while True:
        position = _skip(text, position)
        if text[position] == "}":
            return spans, last
        if text[position] == ",":
            position = _skip(text, position + 1)
        key, position = decoder.raw_decode(text, position)
        start = _skip(text, _skip(text, position) + 1)
        _, last = decoder.raw_decode(text, start)
        spans[str(key)] = (start, last)
        position = last


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
