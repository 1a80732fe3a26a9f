"""Where in a checkpoint something occurs: one search through all that it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from ckpt_tui.checkpoint.passages import Content, Inside, Passage, Where, passages
from ckpt_tui.checkpoint.patterns import Finder, scan
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress

LONG = ("memory",)
"""Kinds of content that are worth several threads."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where it occurs."""

    kind: Content
    part: str
    """As in `Passage`."""
    where: Where
    place: int
    """Byte in it, from its start; in memory the address."""
    before: bytes
    found: bytes
    after: bytes
    mark: object = None
    """What the finder knows of it."""


def hits(
    inside: Inside,
    finder: Finder,
    progress: Progress,
    problems: list[Note],
    kinds: Collection[Content] = (),
    pool: Executor | None = None,
) -> Iterator[Hit]:
    """Yield where `finder` finds something, as it is found; see `passages`. The next one is looked
    for only when it is asked for. The threads of `pool` look through memory.

    Raises:
        Cancelled: the caller gave up.
    """
    for passage in passages(inside, kinds, progress, problems):
        yield from _in_passage(passage, finder, progress, problems, pool)


def _in_passage(
    passage: Passage,
    finder: Finder,
    progress: Progress,
    problems: list[Note],
    pool: Executor | None,
) -> Iterator[Hit]:
    try:
        threads = pool if passage.kind in LONG else None
        for one in scan(passage.pieces, finder, progress, passage.start, threads):
            where = passage.at(one.place)
            kind, part = passage.kind, passage.part
            yield Hit(kind, part, where, *one)
    except CkptError as error:
        problems.append(Note(passage.at(passage.start).name, str(error)))
