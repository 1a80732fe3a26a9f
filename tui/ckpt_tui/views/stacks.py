"""Stacks as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.masks import masked_value
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import printable
from ckpt_tui.stacks.frame import Frame
from ckpt_tui.stacks.python_objects import Local
from ckpt_tui.stacks.stack import ProcessStacks, ThreadStack
from ckpt_tui.stacks.where import without_arguments
from ckpt_tui.views.facts import Fact, Section, and_more, known
from ckpt_tui.views.found import region_at
from ckpt_tui.views.links import Lead

SHOWN_FRAMES = 200
"""Frames of a thread listed beside it; the list has all."""


def masked_stacks(process: ProcessStacks, reveal: bool) -> ProcessStacks:
    """Return stacks with the local variables covered that look like secrets."""
    threads = []
    for thread in process.threads:
        frames = tuple(
            replace(frame, locals=tuple(_masked(one, reveal) for one in frame.locals))
            if frame.locals
            else frame
            for frame in thread.frames
        )
        threads.append(replace(thread, frames=frames))
    return replace(process, threads=tuple(threads))


def _masked(one: Local, reveal: bool) -> Local:
    return replace(one, value=masked_value(one.name, one.value, reveal))


def thread_title(thread: ThreadStack) -> str:
    """Return what a thread is and what it waits for."""
    waits = f"  in {printable(thread.blocked_in)}" if thread.blocked_in else ""
    gil = "  holds the GIL" if thread.has_gil else ""
    return f"thread {thread.tid}  {printable(thread.comm)}{gil}{waits}"


def frame_lines(thread: ThreadStack) -> Iterator[str]:
    """Yield a line for each frame, and one for what is missing."""
    for number, frame in enumerate(thread.frames):
        yield f"#{number:<2} {frame_text(frame)}"
        for one in frame.locals:
            value = printable(one.value) if one.value else f"<{printable(one.type)}>"
            kind = f"{printable(one.type)} of " if one.value.endswith((" item", " items")) else ""
            yield f"      {printable(one.name)} = {kind}{value}"
    if thread.note:
        yield printable(thread.note)


def frame_text(frame: Frame) -> str:
    """Return the place of a frame: function and module, or a line of a source file."""
    if frame.kind == "python":
        line = f":{frame.line}" if frame.line else ""
        return (
            f"{'Python':<18}  {printable(frame.function or '??')}  {printable(frame.module)}{line}"
        )
    function = printable(frame.function) or "??"
    if frame.function and frame.offset is not None:
        function += f"+{frame.offset:#x}"
    name = frame.module.rpartition("/")[2]
    module = f"  {printable(name)}" if name else ""
    if name and not frame.function:
        module += f"+{frame.module_offset:#x}"
    signal = "  <signal handler called>" if frame.kind == "signal" else ""
    guess = "  (a guess)" if frame.is_guess else ""
    return f"{frame.address or 0:#018x}  {function}{module}{signal}{guess}"


def stack_section(pid: int, thread: ThreadStack) -> Section:
    """Return the frames of a thread, each with what it leads to."""
    facts = [
        Fact(f"#{number}", place_text(frame), link=Ref.frame(pid, thread.tid, number))
        for number, frame in enumerate(thread.frames[:SHOWN_FRAMES])
    ]
    facts += and_more(len(thread.frames) - SHOWN_FRAMES)
    if thread.note:
        facts.append(Fact("", styled((printable(thread.note), "muted"))))
    return Section("Stack", facts, empty="no frame was found")


def place_text(frame: Frame) -> str:
    """Return a frame in a few words: `aeMain  redis-server`, `handle  /srv/app.py:112`."""
    return f"{function_text(frame)}  {place_in(frame)}".strip()


def function_text(frame: Frame) -> str:
    """Return the function of a frame; `?` before one that is a guess."""
    name = without_arguments(printable(frame.function)) or "??"
    signal = " <signal handler>" if frame.kind == "signal" else ""
    return f"{'? ' if frame.is_guess else ''}{name}{signal}"


def place_in(frame: Frame) -> str:
    """Return where a frame is: file and line of Python, else the module, with the offset where
    there is no function."""
    if frame.kind == "python":
        return printable(frame.module) + (f":{frame.line}" if frame.line else "")
    name = printable(frame.module.rpartition("/")[2])
    if frame.function or not name:
        return name or f"{frame.address or 0:#x}"
    return f"{name}+{frame.module_offset or 0:#x}"


def frame_sections(frame: Frame) -> list[Section]:
    """Return all that is known of a frame."""
    is_python = frame.kind == "python"
    facts = known(
        ("function", printable(frame.function) or "no symbol is at hand"),
        ("symbol", printable(frame.symbol)),
        ("file" if is_python else "module", printable(frame.module)),
        ("line", "" if frame.line is None else f"{frame.line:,}"),
        ("address", "" if frame.address is None else f"{frame.address:#x}"),
        ("in the function", "" if frame.offset is None else f"byte {frame.offset:#x}"),
        ("in the module", "" if frame.module_offset is None else f"{frame.module_offset:#x}"),
        ("kind", {"signal": "the kernel called a signal handler here"}.get(frame.kind, "")),
        ("found by", f"{frame.how}: it may be old" if frame.is_guess else frame.how),
    )
    return [Section("", facts)]


def frame_leads(checkpoint: Checkpoint, pid: int, frame: Frame) -> list[Lead]:
    """Return where a frame leads: its bytes, and the file it is of if the container wrote that."""
    leads = []
    index = index_of(checkpoint)
    memory = index.memory.get(pid)
    if frame.address is not None and memory is not None:
        region = region_at(memory.regions, frame.address)
        if region is not None:
            words = f"memory {frame.address:x}  {region.protection} {region.path or region.kind}"
            leads.append(Lead(printable(words), Ref.address(pid, frame.address)))
    number = index.changes.get(frame.module)
    if number is not None and checkpoint.delta.entries[number].change != "deleted":
        line = f", line {frame.line}" if frame.line else ""
        leads.append(Lead(printable(f"the changed file {frame.module}{line}"), Ref.delta(number)))
    return leads
