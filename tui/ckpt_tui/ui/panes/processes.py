"""Processes: a tree that opens down to the frames of stacks, which are read on demand."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from textual.binding import BindingType
from textual.message import Message

from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.stacks.core_file import CoreFile
from ckpt_tui.stacks.frame import Frame
from ckpt_tui.stacks.of_checkpoint import save_core
from ckpt_tui.ui.commands import bound
from ckpt_tui.ui.panes.list_pane import ListOf, ListPane
from ckpt_tui.ui.panes.pane import Find
from ckpt_tui.ui.panes.stacks import ShowsStacks
from ckpt_tui.ui.screens.pick import AskScreen
from ckpt_tui.ui.screens.reading import stacks_of
from ckpt_tui.views.details import ref_sections
from ckpt_tui.views.facts import Section
from ckpt_tui.views.links import links
from ckpt_tui.views.process_tree import ProcessTree, Stacks, thread_stack
from ckpt_tui.views.stacks import frame_leads, frame_sections, stack_section
from ckpt_tui.views.table import RowSource


class ProcessesPane(ShowsStacks, ListPane):
    """The tab Processes."""

    BINDINGS: ClassVar[list[BindingType]] = bound("expand", "core")

    @dataclass
    class StacksRead(Message):
        """Some stacks were read, for all tabs."""

        found: Stacks

    def __init__(self, opened: OpenCheckpoint, checkpoint: Checkpoint, shown: ListOf) -> None:
        self._open: set[Ref] = set()
        self._being_read: int | None = None
        """Process whose stacks a job of this tab reads."""
        super().__init__(opened, checkpoint, shown)
        self.shown = shown.with_rows(self._rows)
        self._wanted: Ref | None = None
        """What to go to once its stack is read."""

    def _rows(self, checkpoint: Checkpoint) -> RowSource:
        reading = self.reads_stacks or self._being_read is not None
        return ProcessTree(checkpoint, self.stacks, self._open, reading).rows()

    def _show_rows(self) -> None:
        self.list_view.show(self._rows(self.checkpoint))

    def take_stacks(self, stacks: Stacks, *, reading: bool) -> None:
        super().take_stacks(stacks, reading=reading)
        self._show_rows()
        self.show_detail(self.current_key)
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self.go_to(wanted)

    # Opening branches

    def action_toggle_branch(self) -> None:
        key = self.current_key
        if not isinstance(key, Ref):
            return
        if key.kind == "frame":
            pid, tid, _ = key.ids
            key = self._branch_of(pid, tid)
        self._open ^= {key}
        self._show_rows()
        self.list_view.go_to(key)
        if key in self._open:
            self._read(key.ids[0])

    def _branch_of(self, pid: int, tid: int) -> Ref:
        """Return what opens to show the frames of a thread: a process that has no other has them
        under itself."""
        process = self.checkpoint.process(pid)
        single = process is not None and len(process.threads) == 1
        return Ref.process(pid) if single else Ref.thread(pid, tid)

    def _read(self, pid: int) -> None:
        """Read the stacks of a process in a job, unless that was done."""
        if pid in self.stacks or self.reads_stacks:
            return
        self._being_read = pid
        self._show_rows()  # which would stop the job if it came after it

        def show(found: Stacks) -> None:
            self._being_read = None
            self.post_message(self.StacksRead(found))

        def fail(error: CkptError) -> None:
            show({pid: error})

        task = partial(stacks_of, self.opened, self.checkpoint, (pid,))
        name = f"Reading the stacks of process {pid}"
        self.list_view.run(name, task, show, failed=fail, stopped=self._stopped)

    def _stopped(self) -> None:
        self._being_read = None
        self._show_rows()

    def go_to(self, key: Hashable) -> bool:
        """Go to a process, a thread or a frame, whose branch opens, and is read if need be."""
        if not isinstance(key, Ref) or key.kind not in ("thread", "frame"):
            return super().go_to(key)
        pid, tid = key.ids[:2]
        branch = self._branch_of(pid, tid)
        self._open |= {Ref.process(pid), *((branch,) if key.kind == "frame" else ())}
        self._show_rows()
        is_there = super().go_to(key) or super().go_to(branch)
        if pid not in self.stacks:
            self._wanted = key
            self._read(pid)
        return is_there

    # What is under the cursor

    def _frame(self, key: Hashable) -> Frame | None:
        if not isinstance(key, Ref) or key.kind != "frame":
            return None
        pid, tid, number = key.ids
        stack = thread_stack(self.stacks, pid, tid)
        return stack.frames[number] if stack and number < len(stack.frames) else None

    def sections(self, key: Hashable) -> list[Section]:
        frame = self._frame(key)
        if frame is not None:
            return frame_sections(frame)
        if not isinstance(key, Ref) or key.kind == "frame":
            return []
        pid, tid = key.ids[0], key.ids[-1]
        stack = thread_stack(self.stacks, pid, tid)
        stacks = [stack_section(pid, stack)] if stack else []
        if key.kind == "thread":
            return [*stacks, *ref_sections(self.checkpoint, key, self.reveals)]
        sections = ref_sections(self.checkpoint, key, self.reveals)
        number = next((i for i, one in enumerate(sections) if one.title == "Files"), 0)
        return [*sections[:number], *stacks, *sections[number:]]

    def leads_to(self) -> Find:
        key, frame = self.current_key, self._frame(self.current_key)
        if frame is not None and isinstance(key, Ref):
            return partial(frame_leads, self.checkpoint, key.ids[0], frame)
        return partial(links, self.checkpoint, key)

    def action_write_core(self) -> None:
        """Ask for a path, then write the core file of the process under the cursor in a job."""
        key = self.current_key
        if not isinstance(key, Ref):
            return
        pid = key.ids[0]

        def written(path: str, plan: CoreFile) -> None:
            size = human_bytes(plan.data_bytes)
            lost = f"; {human_bytes(plan.lost_bytes)} are missing" if plan.lost_bytes else ""
            said = f"{path}: {size} of memory, with the secrets in it{lost}"
            self.notify(printable(said), markup=False)

        def write(path: str | None) -> None:
            if path:
                self.list_view.run(
                    f"Writing {path}",
                    lambda progress: save_core(self.opened, self.checkpoint, pid, path, progress),
                    partial(written, path),
                )

        label = f"core file of process {pid}, with all secrets in its memory:"
        self.app.push_screen(AskScreen(label, "a path", f"core.{pid}"), write)
