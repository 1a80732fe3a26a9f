"""What a headless command says while it works: one line on stderr, for a person at a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes, printable

if TYPE_CHECKING:
    from ckpt_tui.formats.fetching import BeforeFetching

CLEAR_LINE = "\r\x1b[K"

YES = "ckpt_tui.yes"
"""Key in click's context: whether to skip questions."""


def asking_before_fetching() -> BeforeFetching:
    """Return what says how much comes over the wire and asks a person at a terminal, unless `--yes`
    was given; for any thread, one question at a time. It raises Cancelled where the answer is no.
    """
    unasked = download_was_confirmed()
    lock = threading.Lock()

    def ask(target: str, size: int) -> None:
        with lock:
            _ask(target, size, unasked or not somebody_is_there())

    return ask


def download_was_confirmed() -> bool:
    """Tell whether `--yes` was given."""
    context = click.get_current_context(silent=True)
    return bool(context and context.meta.get(YES))


def _ask(target: str, size: int, unasked: bool) -> None:
    text = f"{printable(target)} must be downloaded before it can be read: {human_bytes(size)}."
    LINE.take_away()
    if unasked:
        click.echo(text, err=True)
    elif not click.confirm(f"{text} Download it?", default=True, err=True):
        raise Cancelled


def somebody_is_there() -> bool:
    """Tell whether a question would be seen and answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def tell_transferred(size: int | None) -> None:
    """Say how much came over the wire, if it is a matter of a network at all."""
    if size is not None:
        click.echo(f"{human_bytes(size)} downloaded.", err=True)


class ProgressLine:
    """What stands on a terminal while something is under way; whatever is printed comes in its
    place."""

    def __init__(self) -> None:
        self._stands = False

    def tell(self, step: str, done: int, total: int | None) -> None:
        """Be the `report` of a progress; a step without a name is not told."""
        if not step:
            return
        amount = human_bytes(done) + (f" of {human_bytes(total)}" if total else "")
        sys.stderr.write(f"{CLEAR_LINE}{printable(step)} {amount if done else ''}")
        sys.stderr.flush()
        self._stands = True

    def take_away(self) -> None:
        """Clear the line, if something stands there."""
        if self._stands:
            sys.stderr.write(CLEAR_LINE)
            sys.stderr.flush()
            self._stands = False


LINE = ProgressLine()
"""There is one terminal."""


@contextmanager
def told_progress(cancelled: Callable[[], bool] = lambda: False) -> Iterator[Progress]:
    """Give a progress that shows itself on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield Progress(cancelled=cancelled)
        return
    try:
        yield Progress(LINE.tell, cancelled)
    finally:
        LINE.take_away()
