"""What looks like a secret in a checkpoint: as lines, and as a JSON document."""

from __future__ import annotations

from typing import Any

from ckpt_tui.checkpoint.secrets import Secret
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.text import human_count, printable
from ckpt_tui.views.hits import hit_place

LISTED_PLACES = 8
"""Places of one value in the text; `--json` has more."""


def secret_lines(secret: Secret, reveal: bool) -> list[str]:
    """Return one secret in lines: what it is, and below it where it is."""
    value = printable(secret.value, reveal=True) if reveal else secret.masked
    places = [f"    {one.kind}: {hit_place(one)}" for one in secret.places[:LISTED_PLACES]]
    more = secret.count - len(places)
    if more > 0:
        places.append(f"    and {human_count(more, 'more place')}")
    return [f"{secret.title} ({secret.kind}, {secret.confidence}): {value}", *places]


def secret_document(secret: Secret, target: str, reveal: bool) -> dict[str, Any]:
    """Return one secret as JSON; the value is whole only where it is to be revealed."""
    return {
        "schema_version": 1,
        "target": plain(target),
        "kind": plain(secret.kind),
        "title": plain(secret.title),
        "confidence": secret.confidence,
        "masked": plain(secret.masked),
        **({"value": plain(secret.value)} if reveal else {}),
        "length": len(secret.value),
        "count": secret.count,
        "places": [
            {
                "kind": one.kind,
                "part": one.part,
                "name": plain(one.where.name),
                "ref": plain(str(one.where.ref)) if one.where.ref else None,
                "pid": one.where.pid,
                "offset": None if one.kind == "memory" else one.place,
                "address": one.place if one.kind == "memory" else None,
            }
            for one in secret.places
        ],
    }
