"""A log by itself: the lines that matter with the cause marked, and what it means."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import LogDiagnosis
from ckpt_tui.diagnose.finding import Evidence
from ckpt_tui.diagnose.fix_commands import diagnose_with_commands
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.formats.log_files import each_log
from ckpt_tui.ui.clipboard import send_to_clipboard
from ckpt_tui.ui.commands import DIAGNOSIS, bound
from ckpt_tui.ui.screens.job_screen import JobScreen
from ckpt_tui.ui.screens.pick import PickScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.job_bar import JobBar
from ckpt_tui.ui.widgets.key_line import KeyLine
from ckpt_tui.ui.widgets.list_view import ListView
from ckpt_tui.ui.widgets.title_line import TitleLine
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.diagnosis import links_of, log_sections
from ckpt_tui.views.log import COLUMNS, cause_number, log_rows
from ckpt_tui.views.problem import problem_sections
from ckpt_tui.views.table import ListRows

PASTED = "the pasted text"


@dataclass(frozen=True, slots=True)
class LogFound:
    """A log that was read, what it is called, and what a checkpoint shows of its cause."""

    name: str
    log: LogDiagnosis
    proof: tuple[Evidence, ...] = ()


def pasted_log(text: str) -> Callable[[Progress], LogFound]:
    """Return how to read a log that was pasted: terminals send a return for each line end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    data = lines.encode("utf-8", "surrogateescape")
    return lambda p: LogFound(PASTED, diagnose_with_commands(read_log(BytesWindow(data), p)))


def log_file(path: str) -> Callable[[Progress], LogFound]:
    """Return how to read a log file."""

    def read(progress: Progress) -> LogFound:
        with closing(each_log(path, progress)) as logs:
            name, log = next(logs)
            return LogFound(name, diagnose_with_commands(read_log(log, progress), name))

    return read


class LogScreen(JobScreen[Hashable | None]):
    """Shows a log; returns the key of the object in the checkpoint that is to be shown."""

    DEFAULT_CSS = """
    LogScreen {
        ListView { layout: vertical; }
        .list { height: 2fr; }
        .detail { height: 3fr; border-top: solid $border-blurred; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = bound("open copy", "log")
    name_in_commands = DIAGNOSIS

    def __init__(self, name: str, read: Callable[[Progress], LogFound]) -> None:
        super().__init__()
        self._name_shown, self._read = name, read
        self.found: LogFound | None = None
        self._list = ListView(
            COLUMNS,
            empty="Reading …",
            is_problem=lambda row: bool(row.meaning),
            without=("copy", "sort", "reverse"),
        )

    def compose(self) -> ComposeResult:
        yield TitleLine(printable(self._name_shown))
        with self._list:
            yield Facts(classes="detail")
        yield JobBar()
        yield KeyLine()

    def on_mount(self) -> None:
        self._list.table.focus()
        name = f"Reading {self._name_shown}"
        self.run(name, self._read, self._show, failed=self._fail, stopped=self.dismiss)

    def _show(self, found: LogFound) -> None:
        self.found = found
        self.query_one(Facts).show(log_sections(found.name, found.log, found.proof))
        rows = log_rows(found.log)
        self._list.show(ListRows(rows), "No line that matters")
        number = cause_number(rows)
        if number is not None:
            self._list.table.go_to(rows[number].key)

    def _fail(self, error: CkptError) -> None:
        self._list.show(ListRows(), "The log cannot be read")
        self.query_one(Facts).show(problem_sections(error))

    @on(VirtualTable.RowChosen)
    def _chosen(self) -> None:
        self.action_open()

    @on(Facts.LinkChosen)
    def _link(self, message: Facts.LinkChosen) -> None:
        message.stop()
        self.dismiss(message.link)

    def action_open(self) -> None:
        """Go to what the cause is about; without a checkpoint read on in the panel."""
        links = links_of(self.found.proof) if self.found else []
        if len(links) > 1:
            self.app.push_screen(PickScreen(f"Leads to ({len(links)})", links), self._picked)
        elif links:
            self.dismiss(links[0].ref)
        else:
            self.query_one(Facts).focus()

    def _picked(self, key: Hashable | None) -> None:
        if key is not None:
            self.dismiss(key)

    async def action_copy(self) -> None:
        cause = self.found.log.root_cause if self.found else None
        if cause is not None:
            fix = cause.commands[0] if cause.commands else cause.fix
            await send_to_clipboard(self.app, fix, "the fix")
