"""Stacks as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.core.text import printable
from ckpt_tui.stacks.frame import Frame
from ckpt_tui.stacks.stack import ThreadStack


def thread_title(thread: ThreadStack) -> str:
    """Return what a thread is and what it waits for."""
    waits = f"  in {printable(thread.blocked_in)}" if thread.blocked_in else ""
    gil = "  holds the GIL" if thread.has_gil else ""
    return f"thread {thread.tid}  {printable(thread.comm)}{gil}{waits}"


def frame_lines(thread: ThreadStack) -> Iterator[str]:
    """Yield a line for each frame, and one for what is missing."""
    for number, frame in enumerate(thread.frames):
        yield f"#{number:<2} {frame_text(frame)}"
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
