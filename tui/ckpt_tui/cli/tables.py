"""Aligned tables on stdout, of the rows that the screens show."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from ckpt_tui.cli.output import width
from ckpt_tui.cli.telling import LINE
from ckpt_tui.core.styled import cell_len
from ckpt_tui.views.table import Column, Row, RowSource, column_widths, fit, plain

MEASURED = 1000
"""Rows that the width of the columns is measured by where nothing is cut."""


def print_table(
    columns: Sequence[Column], rows: Iterable[Row] | RowSource, indent: str = ""
) -> None:
    """Print rows below their headings, cut to the width of the terminal; in a file or a pipe
    nothing is cut."""
    LINE.take_away()
    lines = iter(rows if isinstance(rows, Iterable) else map(rows.__getitem__, range(len(rows))))
    cut = sys.stdout.isatty()
    first = [] if cut else list(islice(lines, MEASURED))
    widths = column_widths(columns, width() - len(indent)) if cut else _needed(columns, first)
    shown = [(i, c, w) for i, (c, w) in enumerate(zip(columns, widths, strict=True)) if w]
    print(indent + _line([fit(c.title, w, c.align) for _, c, w in shown]))
    for row in chain(first, lines):
        cells = []
        for i, column, room in shown:
            needed = room if cut else max(room, cell_len(plain(row.cells[i])))
            cells.append(fit(row.cells[i], needed, column.align, column.shrink))
        print(indent + _line(cells))


def _needed(columns: Sequence[Column], rows: Sequence[Row]) -> list[int]:
    """Return the width of each column that the rows need; 0 for one without a title and text."""
    return [
        max(
            cell_len(column.title),
            max((cell_len(plain(row.cells[i])) for row in rows), default=0),
        )
        for i, column in enumerate(columns)
    ]


def _line(cells: Iterable[object]) -> str:
    return "  ".join(c if isinstance(c, str) else plain(c) for c in cells).rstrip()  # type: ignore[arg-type]
