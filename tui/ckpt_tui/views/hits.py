"""What a search through checkpoints found: as a line, and as a JSON document."""

from __future__ import annotations

from typing import Any

from ckpt_tui.checkpoint.hits import Hit
from ckpt_tui.core.json_form import plain
from ckpt_tui.core.masks import secret_byte_spans
from ckpt_tui.core.text import middle, printable
from ckpt_tui.views.found import AFTER, BEFORE, context

NAME_WIDTH = 40
"""Characters of the name of a place in a line."""


def hit_place(hit: Hit) -> str:
    """Return where a hit is: the process, what in it, and the byte."""
    of = f"pid {hit.where.pid} " if hit.where.pid is not None else ""
    at = f"{hit.place:#x}" if hit.kind == "memory" else f"byte {hit.place:,}"
    byte = f" {at}" if hit.part == "content" else ""
    return f"{of}{middle(printable(hit.where.name), NAME_WIDTH)}{byte}"


def hit_line(hit: Hit, reveal: bool, target: str = "") -> str:
    """Return a hit in one line; `target` where there are several."""
    of = f"{target}: " if target else ""
    return f"{of}{hit.kind}: {hit_place(hit)}: {context(hit, reveal).plain.strip()}"


def hit_document(hit: Hit, target: str, reveal: bool) -> dict[str, Any]:
    """Return a hit as JSON. Bytes that look like a secret are covered, one sign for each."""
    in_memory = hit.kind == "memory"
    whole = bytearray(hit.before + hit.found + hit.after)
    for start, end in () if reveal else secret_byte_spans(bytes(whole)):
        whole[start:end] = b"*" * (end - start)
    start, end = len(hit.before), len(hit.before) + len(hit.found)
    before, after = whole[max(0, start - BEFORE) : start], whole[end : end + AFTER]
    texts = {"before": before, "found": whole[start:end], "after": after}
    return {
        "schema_version": 1,
        "target": plain(target),
        "kind": hit.kind,
        "part": hit.part,
        "name": plain(hit.where.name),
        "ref": plain(str(hit.where.ref)) if hit.where.ref else None,
        "pid": hit.where.pid,
        "offset": None if in_memory else hit.place,
        "address": hit.place if in_memory else None,
        **plain({key: bytes(text) for key, text in texts.items()}),
    }
