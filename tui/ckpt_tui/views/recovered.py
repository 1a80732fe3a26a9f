"""What was recovered from outside of memory, as rows and in words."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.items import Item, Recovered
from ckpt_tui.checkpoint.links import MOST, joined
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.relations import Relation, each, to_image
from ckpt_tui.core.text import exact_bytes, human_count, printable
from ckpt_tui.views.facts import Fact, Section, and_more, known, note_facts
from ckpt_tui.views.links import Lead, labelled
from ckpt_tui.views.table import Column, LazyRows, Row, by_ref, row_of
from ckpt_tui.views.tables import SIZED, sized

COLUMNS = (
    Column("KIND", width=16),
    Column("NAME", share=1, least=11, shrink="middle"),
    Column("HELD BY", width=12, optional=True),
    SIZED,
)

SHOWN_HOLDERS = 20
"""Descriptors listed beside an item."""


def item_rows(items: Sequence[Item]) -> LazyRows[int]:
    """Return one row an item, made when seen."""
    scale = max((item.size for item in items), default=0)
    return LazyRows(range(len(items)), lambda n: _row(n, items[n], scale), number_of)


number_of = by_ref("item", itemgetter(0))
"""Return the number of the item of a row."""


def _row(number: int, item: Item, scale: int) -> Row:
    held = ""
    if item.holders:
        pid, fd = item.holders[0]
        more = len(item.holders) - 1
        held = f"{pid} fd {fd}" + (f" +{more}" if more else "")
    size = sized(item.size, scale, "volumes"), item.size
    return row_of(Ref.item(number), item.kind, (printable(item.name), item.name), held, size)


def number_from(items: Sequence[Item], image: str) -> int | None:
    """Return the number of the first item that an image has."""
    return next((n for n, item in enumerate(items) if item.source == image), None)


def item_links(checkpoint: Checkpoint, item: Item) -> Sequence[Lead]:
    """Return the holders of an item, and its image."""
    image = tuple(to_image(index_of(checkpoint), item.source))
    return labelled(checkpoint, joined((_holders(checkpoint, item)[:MOST], image)))


def item_users(checkpoint: Checkpoint, item: Item) -> Sequence[Lead]:
    """Return the holders of an item."""
    return labelled(checkpoint, _holders(checkpoint, item))


def _holders(checkpoint: Checkpoint, item: Item) -> Sequence[Relation]:
    known = index_of(checkpoint).file
    held = [holder for holder in item.holders if holder in known]
    return each(held, lambda holder: Relation(Ref.file(*holder)))


def item_sections(item: Item) -> list[Section]:
    """Return one item and its holders."""
    holders = [
        Fact(str(pid), f"fd {fd}", link=Ref.file(pid, fd))
        for pid, fd in item.holders[:SHOWN_HOLDERS]
    ]
    holders += and_more(len(item.holders) - SHOWN_HOLDERS)
    return [
        Section(
            "",
            known(
                ("kind", item.kind),
                ("name", printable(item.name)),
                ("size", exact_bytes(item.size)),
                ("in", printable(item.source)),
                ("note", item.note),
            ),
        ),
        Section("Held by", holders),
    ]


def empty_text(found: Recovered) -> str:
    """Return why there is nothing."""
    words = "No data outside of memory: no unread bytes, no deleted files, no shared memory"
    if not found.notes:
        return words
    return f"{words} could be read; {human_count(len(found.notes), 'part')} damaged"


def note_sections(found: Recovered) -> list[Section]:
    """Return what could not be read."""
    return [Section("Not readable", note_facts(found.notes, SHOWN_HOLDERS))]
