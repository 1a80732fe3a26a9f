"""What a headless command says while it works: one line on stderr, for a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, printable

CLEAR_LINE = "\r\x1b[K"


@contextmanager
def told_progress() -> Iterator[Progress]:
    """Give a progress that shows itself on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    try:
        yield Progress(_tell)
    finally:
        sys.stderr.write(CLEAR_LINE)
        sys.stderr.flush()


def _tell(step: str, done: int, total: int | None) -> None:
    amount = human_bytes(done) + (f" of {human_bytes(total)}" if total else "")
    sys.stderr.write(f"{CLEAR_LINE}{printable(step)} {amount if done else ''}")
    sys.stderr.flush()
