"""A report as Markdown or HTML. Every text is foreign here: nothing in it becomes markup."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ckpt_tui.core.text import printable
from ckpt_tui.views.export import markdown, markdown_table

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d242b; background: #fafbfc;
       max-width: 76rem; margin: 2rem auto; padding: 0 1rem; }
h1 { color: #6a3fb5; } h2 { color: #6a3fb5; margin-top: 2rem; font-size: 1.15rem; }
table { border-collapse: collapse; width: 100%; font: 13px/1.45 ui-monospace, monospace; }
th { text-align: left; color: #505b66; border-bottom: 1px solid #b9c2cb; }
td, th { padding: .15rem .8rem .15rem 0; vertical-align: top; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { color: #d8dfe6; background: #0f1318; } h1, h2 { color: #c9b3f5; }
  th { color: #a3afbb; border-color: #3a4550; }
}
""".strip()


@dataclass(frozen=True, slots=True)
class Block:
    """One table under a title; without heads its rows are labels and values."""

    title: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]] = field(default=())


@dataclass(frozen=True, slots=True)
class Report:
    """A report."""

    title: str
    facts: Sequence[tuple[str, str]]
    blocks: tuple[Block, ...]


def to_markdown(report: Report) -> str:
    """Return Markdown with tables as GitHub has them."""
    lines = [f"# {markdown(printable(report.title))}", "", *_table(("", ""), report.facts)]
    for block in report.blocks:
        lines += ["", f"## {markdown(printable(block.title))}", ""]
        lines += _table(block.heads or ("", ""), block.rows) if block.rows else ["none"]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    return markdown_table(heads, (tuple(map(printable, row)) for row in rows))


def to_html(report: Report) -> str:
    """Return one page without scripts, pictures or anything to load."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{_safe(report.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{_safe(report.title)}</h1>",
        *_html_table((), report.facts),
    ]
    for block in report.blocks:
        parts.append(f"<h2>{_safe(block.title)}</h2>")
        parts += _html_table(block.heads, block.rows) if block.rows else ["<p>none</p>"]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _html_table(heads: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "<table>"
    for tag, cells in [("th", heads), *(("td", row) for row in rows)]:
        if cells:
            yield f"<tr>{''.join(f'<{tag}>{_safe(cell)}</{tag}>' for cell in cells)}</tr>"
    yield "</table>"


def _safe(text: str) -> str:
    return html.escape(printable(text))
