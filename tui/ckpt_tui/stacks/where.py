"""Where a thread stood, in one line."""

from __future__ import annotations

from ckpt_tui.core.text import printable
from ckpt_tui.stacks.frame import Frame
from ckpt_tui.stacks.stack import OUTERMOST, ThreadStack

MOST_NAMES = 6
"""Functions named of a stack in one line."""

LIBRARY = ("/lib/python3", "/site-packages/", "/dist-packages/", "<frozen ")
"""What the path of a Python file has that is not the program's own."""


def where_line(thread: ThreadStack) -> str:
    """Return where a thread stood in one line: what it waited in, then who called that, as
    `epoll_wait < aeApiPoll < aeMain`; of Python `read < app.py:112 handle`. Guessed frames are
    left out. Without any name the module stands for it."""
    call = printable(thread.blocked_in.partition("(")[0])
    frames = [one for one in thread.frames if not one.is_guess]
    python = [one for one in frames if one.kind == "python"]
    names = [_short(one) for one in python or frames if one.function]
    names = [name for name in names if name not in OUTERMOST and "libc_start" not in name]
    if names:
        is_named = not call or names[0].lstrip("_").startswith(call)
        return " < ".join([*(() if is_named else (call,)), *names[:MOST_NAMES]])
    module = next((one for one in frames if one.module), None)
    if module is None:
        return call
    name = printable(module.module.rpartition("/")[2])
    return f"{call} in {name}" if call else f"{name}+{module.module_offset or 0:#x}"


def _short(frame: Frame) -> str:
    """Return the name of a function; with file and line where it is Python of the program's own."""
    if frame.kind != "python":
        return printable(without_arguments(frame.function))
    folder, _, name = frame.module.rpartition("/")
    if any(part in frame.module for part in LIBRARY):
        module = name.removesuffix(".py")
        module = folder.rpartition("/")[2] if module == "__init__" else module
        return printable(f"{module}.{frame.function}")
    return printable(f"{name}:{frame.line or '?'} {frame.function}")


def without_arguments(name: str) -> str:
    """Return the name of a C++ function without what it takes, as `ns::run` of
    `ns::run(int, std::pair<a, b>)`."""
    name = name.removesuffix(" const")
    depth = 0
    for place in range(len(name) - 1, 0, -1) if name.endswith(")") else ():
        depth += {")": 1, "(": -1}.get(name[place], 0)
        if not depth:
            return name if name.endswith("operator()") else name[:place]
    return name
