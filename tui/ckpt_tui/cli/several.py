"""One command for several targets, two at a time, each in one of two processes."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import TypeVar

from ckpt_tui.cli import output
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import printable

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 2
"""Targets at a time."""

Run = Callable[[str], int | None]
"""Prints what a command has to say of one target and returns the exit code."""


def run_each(targets: Sequence[str], run: Run, *, titles: bool = True) -> int:
    """Run a command for each target, in their order; return the highest exit code.

    Of several targets, JSON is one line each, text has the target above it with `titles`, and one
    that failed is reported without ending the others. `run` must be picklable.

    Raises:
        CkptError: the command failed for the only target.
    """
    if len(targets) == 1:
        return run(targets[0]) or 0
    highest = 0
    results = in_processes(partial(_captured, run), targets)
    for target, (code, out, err) in zip(targets, results, strict=True):
        if out and titles and not out.startswith("{"):
            print(f"{printable(target)}:")
        sys.stdout.write(out)
        sys.stdout.flush()
        sys.stderr.write(err)
        highest = max(highest, code)
    return highest


def run_in_turn(targets: Sequence[str], run: Run) -> int:
    """Run a command for one target after the other, because it changes something or prints as it
    goes; of several, one that failed is reported without ending the others. Return the highest exit
    code.

    Raises:
        CkptError: the command failed for the only target.
    """
    if len(targets) == 1:
        return run(targets[0]) or 0
    with output.one_line_json():
        return max(_code_of(run, target) for target in targets)


def _code_of(run: Run, target: str) -> int:
    """Run for one of several targets; return the exit code, with an error told."""
    try:
        return run(target) or 0
    except CkptError as error:
        text = str(error)
        output.narrate(text if target in text else f"{target}: {text}")
        return error.exit_code


def in_processes(task: Callable[[T], R], arguments: Sequence[T]) -> Iterator[R]:
    """Yield what a task returns for each argument, in their order, two at a time; all of it must be
    picklable."""
    from concurrent.futures import ProcessPoolExecutor  # 20 ms, and one target needs none
    from multiprocessing import get_context

    with ProcessPoolExecutor(AT_ONCE, mp_context=get_context("fork")) as pool:
        try:
            yield from pool.map(task, arguments)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _captured(run: Run, target: str) -> tuple[int, str, str]:
    """Run in the process of one target; return the exit code and what was printed."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), output.one_line_json():
        try:
            code = _code_of(run, target)
        except Exception as error:
            code = 1
            output.narrate(f"{target}: Unexpected error: {type(error).__name__}: {error}.")
    return code, out.getvalue(), err.getvalue()
