"""One call in a stack, native or of Python, and how the two kinds become one stack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ckpt_tui.stacks.python_frames import PythonFrame
from ckpt_tui.stacks.python_objects import Local

C_LIBRARY = ("libc.so", "libc-", "libpthread", "ld-", "[vdso]")
"""Starts of the names of what nearly every thread waits in."""

GO_LIBRARY = ("runtime.", "syscall.", "internal/")
"""Starts of the names of functions that Go programs wait in."""

EVALUATES = "_PyEval_EvalFrame"
"""Start of the names of the C function that runs Python functions."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One call that had not returned."""

    kind: str
    """`native`, `python`, or `signal` for the kernel's call of a signal handler."""
    address: int | None
    """Where the process goes on; None in Python."""
    function: str
    """Name, demangled; empty where no symbol is at hand."""
    offset: int | None
    """Bytes from the start of the function."""
    module: str
    """File that the code is in, or `[vdso]`; of Python the source file."""
    module_offset: int | None
    """Address in the module, before it was moved."""
    how: str
    """How this frame was found: `registers`, `table`, `signal`, `frame pointer`, `prologue`, `Go`,
    or `scan`, which is a guess."""
    line: int | None = None
    """Line of the source file, in Python."""
    symbol: str = ""
    """Name as it is in the file, where it was demangled."""
    locals: tuple[Local, ...] = ()
    """Local variables, in Python and if they were asked for."""

    @property
    def is_guess(self) -> bool:
        """Whether the word on the stack that led here may be old."""
        return self.how == "scan"

    @property
    def is_in_library(self) -> bool:
        """Whether it is of the library of C or Go."""
        file = self.module.rpartition("/")[2]
        return file.startswith(C_LIBRARY) or self.function.startswith(GO_LIBRARY)


def woven(native: Iterable[tuple[Frame, range]], python: Iterable[PythonFrame]) -> Iterator[Frame]:
    """Put Python frames before the C function that runs them, all that it runs at once: it goes on
    to the next by itself where one Python function calls another.

    That function has the mark between its Python frames and others in its part of the stack; of
    versions that have no mark it is known by its name.
    """
    groups = _groups(python)
    group = next(groups, [])
    for frame, stack in native:
        while group and (
            group[-1].entry in stack if group[-1].entry else frame.function.startswith(EVALUATES)
        ):
            yield from map(_of_python, group)
            mark, group = group[-1].entry, next(groups, [])
            if not mark:
                break
        yield frame
    for rest in (group, *groups):
        yield from map(_of_python, rest)


def _groups(python: Iterable[PythonFrame]) -> Iterator[list[PythonFrame]]:
    """Yield the Python frames that one call of the C function runs."""
    group: list[PythonFrame] = []
    for one in python:
        group.append(one)
        if one.is_entry:
            yield group
            group = []
    yield group


def _of_python(one: PythonFrame) -> Frame:
    return Frame(
        "python", None, one.function, None, one.file, None, "Python", one.line, locals=one.locals
    )
