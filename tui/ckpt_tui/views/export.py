"""A list or a panel as a document: tab-separated text, a Markdown table, or JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ckpt_tui.core.progress import Progress
from ckpt_tui.views.facts import Section
from ckpt_tui.views.table import Column, ListRows, Row, RowSource, plain

_MARKUP = re.compile(r"([\\`*_\[\]<>#|~&@]|:(?=//))")
"""Characters that may begin markup, a link, a mention or an entity in Markdown."""


def markdown(text: str) -> str:
    """Return printable text with nothing in it that Markdown would take for its own."""
    return _MARKUP.sub(r"\\\1", text)


def _cells(rows: RowSource, progress: Progress) -> Iterator[list[str]]:
    progress.start("writing rows", len(rows))
    for number in range(len(rows)):
        yield [plain(cell).strip() for cell in rows[number].cells]
        progress.tick()


def as_text(columns: Sequence[Column], rows: RowSource, progress: Progress) -> str:
    """Return lines with tabs between the cells, the titles first."""
    lines = ["\t".join(column.title for column in columns)]
    lines += ["\t".join(cells) for cells in _cells(rows, progress)]
    return "\n".join(lines) + "\n"


def as_markdown(columns: Sequence[Column], rows: RowSource, progress: Progress) -> str:
    """Return a table as GitHub has them."""
    return "\n".join(markdown_table([c.title for c in columns], _cells(rows, progress))) + "\n"


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, in which all text is foreign and printable."""
    yield f"| {' | '.join(map(markdown, titles))} |"
    yield "|" + " --- |" * len(titles)
    for cells in rows:
        yield f"| {' | '.join(map(markdown, cells))} |"


def as_json(columns: Sequence[Column], rows: RowSource, progress: Progress) -> str:
    """Return a list of objects; a column without a title is called for its place."""
    names = [c.title.lower() or f"column {n}" for n, c in enumerate(columns, 1)]
    found = [dict(zip(names, cells, strict=False)) for cells in _cells(rows, progress)]
    return json.dumps(found, indent=2) + "\n"


Export = Callable[[Sequence[Column], RowSource, Progress], str]

FORMS: dict[str, Export] = {".txt": as_text, ".md": as_markdown, ".json": as_json}
"""By the suffix of the file."""

FACT_COLUMNS = (Column("SECTION"), Column("WHAT"), Column("VALUE"))

LINE_COLUMNS = (Column("LINE"),)


def fact_rows(sections: Sequence[Section]) -> ListRows:
    """Return the facts of a panel as a list."""
    facts = [(section.title, f.label, f.value) for section in sections for f in section.facts]
    return ListRows([Row(number, cells) for number, cells in enumerate(facts)])


def line_rows(lines: Sequence[str]) -> ListRows:
    """Return the lines of a view other than a list."""
    return ListRows([Row(number, (line,)) for number, line in enumerate(lines)])
