"""Processes as rows of a tree, and one process in words."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, Process
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.masks import masked_arguments
from ckpt_tui.core.styled import Cell, styled
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.views.bars import bar
from ckpt_tui.views.table import Column, LazyRows, Row, by_ref, row_of, tree_order

COLUMNS = (
    Column("PID", width=6, align="right"),
    Column("COMMAND", share=3),
    Column("MEMORY", width=15),
    Column("THREADS", width=7, align="right", optional=True),
    Column("FILES", width=5, align="right", optional=True),
    Column("USER", width=5, align="right", optional=True),
)

SHOWN_COMMAND = 160
"""Characters of a command among other facts; a process has all of its arguments below them."""

BAR = 6
"""Cells of the memory bar."""


PADDED = 3
"""Empty arguments at the end from which on they are a rest, and no arguments."""


def command_line(process: Process, reveal: bool = False) -> str:
    """Return the arguments as a shell would take them, or the short name where there are none;
    what looks like a secret is covered."""
    if process.state == "zombie":
        return f"{printable(process.comm)} (zombie, {exit_text(process.exit_code)})"
    if not process.argv:
        return printable(process.comm)
    arguments = [printable(argument, reveal=reveal) for argument in written(process.argv)]
    shown = masked_arguments(arguments, reveal)
    return " ".join(map(quoted, shown))


def written(argv: Sequence[bytes]) -> Sequence[bytes]:
    """Return the arguments without the rest of a command line that the process wrote over with
    another name: many empty ones at the end."""
    end = len(argv)
    while end > 1 and not argv[end - 1]:
        end -= 1
    return argv[:end] if len(argv) - end >= PADDED else argv


def quoted(text: str) -> str:
    """Return an argument in single quotes where a shell would need them."""
    plain = text and not set(text) & set(" \t\"'$`\\|&;<>()*?[]#~{}!")
    return text if plain else "'" + text.replace("'", "'\\''") + "'"


def exit_text(status: int | None) -> str:
    """Return a wait status in words."""
    if status is None:
        return "no exit code"
    signal = status & 0x7F
    return f"killed by signal {signal}" if signal else f"exit code {status >> 8}"


def process_rows(checkpoint: Checkpoint) -> LazyRows[int]:
    """Return one row a process, in tree order, made when seen; memory is the dumped bytes, on one
    scale."""
    index = index_of(checkpoint)
    order = tree_order(checkpoint.processes, lambda p: p.pid, lambda p: p.ppid)
    depths = {process.pid: depth for depth, process in order}
    scale = max((m.dumped_bytes for m in checkpoint.memory), default=0)

    def row(pid: int) -> Row:
        memory = index.memory.get(pid)
        files = len(index.files.of(pid))
        dumped = memory.dumped_bytes if memory else None
        return _row(index.process[pid], depths[pid], dumped, scale, files)

    return LazyRows(tuple(depths), row, by_ref("process", itemgetter(0)))


def amount(dumped: int | None, scale: int) -> Cell:
    """Return bytes as a bar and a number; empty where there is no memory."""
    if dumped is None:
        return ""
    return styled((bar(dumped, scale, BAR), "pages"), human_bytes(dumped).rjust(9))


def _row(process: Process, depth: int, dumped: int | None, scale: int, files: int) -> Row:
    who, command = process.credentials, command_line(process)
    return row_of(
        Ref.process(process.pid),
        process.pid,
        ("  " * min(depth, 20) + command, command),
        (amount(dumped, scale), dumped),
        (str(len(process.threads)) if process.threads else "", len(process.threads)),
        (str(files) if files else "", files),
        (str(who.uid), who.uid) if who else ("", None),
        meaning="muted" if process.state == "zombie" else "",
    )
