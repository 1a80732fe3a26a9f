"""Plain text on stdout: labels with values, headings, sentences, and JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ckpt_tui.cli.telling import LINE
from ckpt_tui.core.json_form import json_pieces
from ckpt_tui.core.text import printable

if TYPE_CHECKING:
    from ckpt_tui.core.styled import Cell
    from ckpt_tui.views.facts import Section

NARROW = 20
"""Columns below which sentences are left to the terminal."""

WIDE = 200
"""Columns of a table that goes into a file or a pipe."""


def width() -> int:
    """Return the columns of the terminal, or a generous number without one."""
    if not sys.stdout.isatty():
        return WIDE
    import shutil  # 3 ms, with the compressions that it knows

    return shutil.get_terminal_size().columns


def print_facts(facts: Iterable[tuple[str, Cell]], *, wraps: bool = False) -> None:
    """Print labels and values, one a line; empty values are left out. `wraps`: sentences, wrapped
    to the terminal where there is one; a value with a line end behind it is a command, which stays
    in one line to be copied."""
    LINE.take_away()
    pairs = [(label, str(value)) for label, value in facts if value]
    room = max((len(label) for label, _ in pairs), default=0) + 2
    across = width() - room if wraps and sys.stdout.isatty() else 0
    for label, value in pairs:
        text = printable(value.removesuffix("\n"))
        stays = value.endswith("\n") or across < NARROW
        lines = [text] if stays else _wrapped(text, across)
        for number, line in enumerate(lines or [""]):
            print(f"{'' if number else label}".ljust(room) + line)


def _wrapped(text: str, across: int) -> list[str]:
    import textwrap  # 1 ms, and only terminals need it

    return textwrap.wrap(text, across, break_on_hyphens=False)


def print_sections(sections: Iterable[Section]) -> None:
    """Print sections under their headings; those without facts say so, or are left out."""
    for section in sections:
        if section.title and (section.facts or section.empty):
            print_heading(section.title)
        print_facts([(f.label, f.value) for f in section.facts] or [("", section.empty)])


def print_heading(text: str) -> None:
    """Print a heading with an empty line above it."""
    LINE.take_away()
    print(f"\n{text.upper()}")


def print_line(text: str) -> None:
    """Print one line at once, though more is still being worked out."""
    LINE.take_away()
    print(printable(text), flush=True)


class _Json:
    in_lines = False
    """Whether each document is one line."""


@contextmanager
def one_line_json() -> Iterator[None]:
    """Print each document in a line meanwhile, because more of them follow."""
    _Json.in_lines = True
    try:
        yield
    finally:
        _Json.in_lines = False


def print_json(document: object, *, in_a_line: bool = False) -> None:
    """Print a document for people and programs, or in a line where more follow."""
    LINE.take_away()
    lines = in_a_line or _Json.in_lines
    sys.stdout.writelines([json.dumps(document)] if lines else json_pieces(document))
    print()


def narrate(text: str) -> None:
    """Say something to the person, on stderr."""
    LINE.take_away()
    print(printable(text), file=sys.stderr)
