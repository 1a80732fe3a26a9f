"""Where in a checkpoint something occurs: one search through all that it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ckpt_tui.checkpoint.passages import Content, Inside, Passage, Where, passages
from ckpt_tui.checkpoint.patterns import Finder, scan
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress


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


def hits(
    inside: Inside,
    finder: Finder,
    progress: Progress,
    problems: list[Note],
    kinds: Collection[Content] = (),
) -> Iterator[Hit]:
    """Yield where `finder` finds something, as it is found; see `passages`. The next one is looked
    for only when it is asked for.

    Raises:
        Cancelled: the caller gave up.
    """
    for passage in passages(inside, kinds, progress, problems):
        yield from _in_passage(passage, finder, progress, problems)


def _in_passage(
    passage: Passage, finder: Finder, progress: Progress, problems: list[Note]
) -> Iterator[Hit]:
    try:
        for one in scan(passage.pieces, finder, progress, passage.start):
            where = passage.at(one.place)
            yield Hit(
                passage.kind, passage.part, where, one.place, one.before, one.found, one.after
            )
    except CkptError as error:
        problems.append(Note(passage.at(passage.start).name, str(error)))
