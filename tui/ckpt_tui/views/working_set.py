"""A working set in words: its size, its share of the pages, and where they lie."""

from __future__ import annotations

from ckpt_tui.core.text import human_bytes, listed, printable
from ckpt_tui.restore.working_set import SetFacts

MOST_REGIONS = 4


def set_text(facts: SetFacts) -> str:
    """Return one line on a working set."""
    named = [f"{printable(name)} {human_bytes(size)}" for name, size in facts.regions.items()]
    where = f": {listed(named, MOST_REGIONS)}" if named else ""
    return f"{human_bytes(facts.bytes)}, {facts.share:.1%} of the pages{where}"
