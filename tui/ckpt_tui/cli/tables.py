"""Aligned tables on stdout, of the rows that the screens show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ckpt_tui.cli.output import width
from ckpt_tui.cli.telling import LINE
from ckpt_tui.views.table import Column, Row, RowSource, column_widths, fit, plain


def print_table(
    columns: Sequence[Column], rows: Iterable[Row] | RowSource, indent: str = ""
) -> None:
    """Print rows below their headings, cut to the width of the terminal."""
    LINE.take_away()
    widths = column_widths(columns, width() - len(indent))
    shown = [(i, c, w) for i, (c, w) in enumerate(zip(columns, widths, strict=True)) if w]
    print(indent + _line([fit(c.title, w, c.align) for _, c, w in shown]))
    for row in rows if isinstance(rows, Iterable) else map(rows.__getitem__, range(len(rows))):
        cells = [fit(row.cells[i], w, c.align, c.shrink) for i, c, w in shown]
        print(indent + _line(cells))


def _line(cells: Sequence[object]) -> str:
    return "  ".join(c if isinstance(c, str) else plain(c) for c in cells).rstrip()  # type: ignore[arg-type]
