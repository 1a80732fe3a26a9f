"""Facts about one object: sections of labels and values, wrapped to a width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.records import Note
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import Cell, Styled, cell_len, styled
from ckpt_tui.core.text import printable
from ckpt_tui.views.meanings import signed
from ckpt_tui.views.table import fit

MOST = 4000
"""Characters of one value that are shown: a screen full. How many more there are is said."""

_LABEL = 18
"""Cells that the column of labels has at most; longer ones are cut."""

_NARROW = 16
"""Cells below which values go under their labels."""

_GAP = 2
"""Cells between label and value."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One value; everything printable. Without a label the value has the whole width."""

    label: str
    value: Cell
    link: Ref | None = None
    """What the value leads to; it is underlined and can be clicked."""


@dataclass(frozen=True, slots=True)
class Section:
    """Facts under a title; the title may be empty."""

    title: str
    facts: Sequence[Fact]
    empty: str = ""
    """Said if there are no facts; without it the section is left out."""


def known(*pairs: tuple[str, Cell]) -> list[Fact]:
    """Return facts of labels and values, without those that have no value."""
    return [Fact(label, value) for label, value in pairs if value]


def and_more(count: int, where: str = "") -> list[Fact]:
    """Return the line that says how many more there are than are shown, if there are some."""
    return [Fact("", f"and {count:,} more{where}")] if count > 0 else []


def note_facts(notes: Sequence[Note], most: int) -> list[Fact]:
    """Return the first notes on what is damaged or missing, and how many more there are."""
    shown = [signed("may-fail", printable(f"{n.where}: {n.text}")) for n in notes[:most]]
    return [*(Fact("", text) for text in shown), *and_more(len(notes) - most)]


@dataclass(frozen=True, slots=True)
class FactLine:
    """One drawn line; `link` is that of the value on it, which begins at cell `start`."""

    text: Styled
    link: Ref | None = None
    start: int = 0


def _shortened(value: Cell) -> Styled:
    rest = len(value) - MOST
    more = f" … {rest:,} more characters" if rest > 0 else ""
    return styled(value[:MOST], (more, "muted"))


def wrapped(value: Cell, width: int) -> list[Styled]:
    """Return a value as lines of at most `width` cells, broken at blanks where there are some."""
    return _shortened(value).wrap(max(width, 2))


def _fact_lines(fact: Fact, label_width: int, width: int) -> Iterator[FactLine]:
    start = label_width + _GAP if fact.label else 0
    below = bool(fact.label) and width - start < _NARROW
    if below:  # no room beside the label: the value goes under it
        yield FactLine(styled((str(fit(fact.label, min(width, cell_len(fact.label)))), "muted")))
        start = min(2, width - 2)
    for number, line in enumerate(wrapped(fact.value, width - start)):
        label = str(fit("" if number or below else fact.label, start)) if start else ""
        if fact.link:
            line = line.with_style("link")
        yield FactLine(styled((label, "muted"), line), fact.link, start)


def fact_lines(sections: Sequence[Section], width: int) -> list[FactLine]:
    """Return the sections as lines; the labels of each share a column."""
    lines: list[FactLine] = []
    for section in sections:
        if not section.facts and not section.empty:
            continue
        if lines:
            lines.append(FactLine(Styled()))
        if section.title:
            lines.append(FactLine(styled((section.title, "heading"))))
        if not section.facts:
            lines += [FactLine(line) for line in wrapped(styled((section.empty, "muted")), width)]
        label_width = min(max((cell_len(f.label) for f in section.facts), default=0), _LABEL)
        for fact in section.facts:
            lines += _fact_lines(fact, label_width, width)
    return lines
