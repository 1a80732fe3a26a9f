"""Processes as a tree that opens down to the frames of their stacks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint, Process, Thread
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import Cell, styled
from ckpt_tui.core.text import printable
from ckpt_tui.stacks.of_checkpoint import Found
from ckpt_tui.stacks.stack import ProcessStacks, ThreadStack
from ckpt_tui.stacks.where import where_line
from ckpt_tui.views.meanings import OPEN, SHUT
from ckpt_tui.views.processes import amount, command_line
from ckpt_tui.views.stacks import function_text, place_in
from ckpt_tui.views.table import Column, LazyRows, Row, TreeRows, row_of, tree_order

COLUMNS = (
    Column("PID", width=6, align="right"),
    Column("COMMAND", share=1, least=18),
    Column("MEMORY", width=15, largest_first=True),
    Column("WHERE IT WAS", share=1, least=24),
    Column("THREADS", width=7, align="right", optional=True),
    Column("FILES", width=5, align="right", optional=True),
    Column("USER", width=5, align="right", optional=True),
)

INDENT = 2
"""Blanks for each level of the tree."""

DEEPEST = 20
"""Levels that are indented."""

Stacks = Mapping[int, Found]
"""What was read by now, by pid."""

NOT_READ = "space reads where it was"
"""In place of a stack that was not asked for."""


def thread_stack(stacks: Stacks, pid: int, tid: int) -> ThreadStack | None:
    """Return the stack of a thread, None where it was not read."""
    found = stacks.get(pid)
    threads = found.threads if isinstance(found, ProcessStacks) else ()
    return next((one for one in threads if one.tid == tid), None)


class ProcessTree:
    """What the rows are made of: a checkpoint, the stacks read by now, and what is open."""

    def __init__(
        self, checkpoint: Checkpoint, stacks: Stacks, is_open: Collection[Ref] | None, reading: bool
    ) -> None:
        """`is_open` are the processes and threads whose branches are, None where none can be
        opened; while `reading`, stacks that are not there are on their way."""
        self._stacks, self._can_open, self._open = stacks, is_open is not None, is_open or ()
        self._reading = reading
        self._index = index_of(checkpoint)
        order = tree_order(checkpoint.processes, lambda p: p.pid, lambda p: p.ppid)
        self._depths = {process.pid: min(depth, DEEPEST) for depth, process in order}
        self._scale = max((m.dumped_bytes for m in checkpoint.memory), default=0)

    def rows(self) -> TreeRows[Ref]:
        """Return a row for each process, in tree order, with those of its branch under it."""
        processes = tuple(Ref.process(pid) for pid in self._depths)
        flat = LazyRows(processes, lambda ref: self._process(ref.ids[0], in_tree=False))
        return TreeRows(tuple(self._refs()), self._row, flat)

    def _refs(self) -> Iterator[Ref]:
        for pid in self._depths:
            here = Ref.process(pid)
            yield here
            if here in self._open:
                yield from self._below(self._index.process[pid])

    def _below(self, process: Process) -> Iterator[Ref]:
        """Yield what is under a process: its only stack, or its threads."""
        single = len(process.threads) == 1
        for thread in process.threads:
            here = Ref.thread(process.pid, thread.tid)
            if not single:
                yield here
            if single or here in self._open:
                stack = thread_stack(self._stacks, process.pid, thread.tid)
                frames = len(stack.frames) + bool(stack.note) if stack else 1
                for number in range(frames):
                    yield Ref.frame(process.pid, thread.tid, number)

    def _row(self, ref: Ref) -> Row:
        if ref.kind == "process":
            return self._process(ref.ids[0])
        return self._thread(ref) if ref.kind == "thread" else self._frame(ref)

    def _process(self, pid: int, *, in_tree: bool = True) -> Row:
        process, memory = self._index.process[pid], self._index.memory.get(pid)
        command = command_line(process)
        has_branch = self._can_open and bool(process.threads)
        mark = self._mark(Ref.process(pid)) if has_branch else ""
        main = next((t for t in process.threads if t.tid == pid), None)
        where = self._where(pid, main) if main else ""
        dumped, files = memory.dumped_bytes if memory else None, len(self._index.files.of(pid))
        who, indent = process.credentials, " " * INDENT * self._depths[pid]
        return row_of(
            Ref.process(pid),
            pid,
            (indent + mark + command if in_tree else command, command),
            (amount(dumped, self._scale), dumped),
            where,
            (str(len(process.threads)) if process.threads else "", len(process.threads)),
            (str(files) if files else "", files),
            (str(who.uid), who.uid) if who else ("", None),
            meaning="muted" if process.state == "zombie" else "",
        )

    def _mark(self, ref: Ref) -> str:
        return f"{OPEN if ref in self._open else SHUT} "

    def _thread(self, ref: Ref) -> Row:
        pid, tid = ref.ids
        thread = next(t for t in self._index.process[pid].threads if t.tid == tid)
        name = f"{self._indent(pid)}{self._mark(ref)}{printable(thread.comm)}"
        return row_of(ref, tid, name, "", self._where(pid, thread), "", "", "")

    def _indent(self, pid: int) -> str:
        return " " * INDENT * (self._depths[pid] + 1)

    def _where(self, pid: int, thread: Thread) -> tuple[Cell, str]:
        stack = thread_stack(self._stacks, pid, thread.tid)
        if stack is not None:
            line = where_line(stack) + ("  has the GIL" if stack.has_gil else "")
            return line, line
        call = printable(thread.blocked_in.partition("(")[0])
        return (styled((call, "muted")) if call else ""), call

    def _frame(self, ref: Ref) -> Row:
        pid, tid, number = ref.ids
        process, stack = self._index.process[pid], thread_stack(self._stacks, pid, tid)
        indent = self._indent(pid) + (" " * INDENT if len(process.threads) > 1 else "")
        if stack is not None and number < len(stack.frames):
            frame = stack.frames[number]
            words = indent + function_text(frame)
            return row_of(ref, f"#{number}", words, "", place_in(frame), "", "", "")
        note = stack.note if stack is not None else self._why_none(pid)
        return row_of(ref, "", (styled(indent, (printable(note), "muted")), note), *[""] * 5)

    def _why_none(self, pid: int) -> str:
        found = self._stacks.get(pid)
        if found is None:
            return "reading the stack …" if self._reading else NOT_READ
        return "its registers are missing" if isinstance(found, ProcessStacks) else str(found)
