"""All widgets on one screen, as a screen of the program would arrange them."""

from __future__ import annotations

from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

import ckpt_tui.ui
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_bytes
from ckpt_tui.ui.commands import EVERYWHERE, bound
from ckpt_tui.ui.jobs import JobHost
from ckpt_tui.ui.theme import ThemedApp
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.search_bar import SearchBar
from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.bars import BarPart, bar
from ckpt_tui.views.facts import Fact, Section
from ckpt_tui.views.meanings import OPEN, signed
from ckpt_tui.views.table import Column, ListRows, Row, row_text

TREE = [
    (1, f"{OPEN} sh -c exec …", 1 << 20),
    (7, f"  {OPEN} python3 app.py --port 8080", 96 << 20),
    (9, "      worker", 31 << 20),
    (10, "      worker", 31 << 20),
    (11, "      log shipper", 7 << 20),
]


def process_rows() -> list[Row]:
    rows = [
        Row(pid, (str(pid), name, styled((bar(size, 96 << 20, 8), "pages")), human_bytes(size)))
        for pid, name, size in TREE
    ]
    dead = Row(12, ("12", styled("    ", signed("may-fail", "zombie")), "", "exit 1"))
    return [*rows, dead]


FACTS = [
    Section(
        "",
        [
            Fact("", "/usr/bin/python3 app.py --port 8080"),
            Fact("user", "uid 1000, gid 1000"),
            Fact("cwd", "/srv"),
            Fact("parent", "1 sh", link=Ref.process(1)),
            Fact("blocked in", "epoll_wait(4, …)"),
        ],
    ),
    Section("ENVIRONMENT", [Fact("", "PATH=/usr/bin:/bin"), Fact("", "API_TOKEN=••••••")]),
    Section("FILES", [Fact("3", "TCP 0.0.0.0:8080 listening"), Fact("4", "epoll on 3, 5, 6")]),
    Section("TIMERS", [], empty="this process has none"),
]

PARTS = (
    BarPart("pages", 166 << 20, "pages"),
    BarPart("delta", 34 << 20, "delta"),
    BarPart("metadata", 5 << 20, "metadata"),
)


class Gallery(JobHost, Screen[None]):
    """Looks like the processes of a checkpoint."""

    BINDINGS = [  # noqa: RUF012
        *EVERYWHERE,
        *bound("open address save go-to used-by problems filter count-pages"),
    ]
    CSS = """
    Gallery Horizontal { height: 1fr; }
    Gallery .panel { width: 1fr; }
    Gallery StackedBar { padding: 0 1; }
    """

    def compose(self) -> ComposeResult:
        yield StackedBar(PARTS)
        with Horizontal():
            with Vertical(classes="panel") as left:
                left.border_title = "Processes"
                yield SearchBar()
                yield VirtualTable(
                    (
                        Column("PID", width=4, align="right"),
                        Column("COMMAND"),
                        Column("", width=8, optional=True),
                        Column("MEMORY", width=8, align="right"),
                    ),
                    ListRows(process_rows()),
                )
            facts = Facts(FACTS, classes="panel")
            facts.border_title = "7 python3"
            yield facts
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        table = self.query_one(VirtualTable)
        table.focus()
        table.go_to(7)

    def action_filter(self) -> None:
        self.query_one(SearchBar).open()

    @on(SearchBar.FilterChanged)
    def show_matches(self, message: SearchBar.FilterChanged) -> None:
        rows = process_rows()
        kept = [row for row in rows if message.text in row_text(row)]
        self.query_one(VirtualTable).set_rows(ListRows(kept), empty="No row has all these words")
        message.bar.show_count(f"{len(kept)} of {len(rows)}" if message.text else "")


class GalleryApp(ThemedApp[None]):
    CSS_PATH = Path(ckpt_tui.ui.__file__).parent / "app.tcss"

    def on_mount(self) -> None:
        self.push_screen(Gallery())
