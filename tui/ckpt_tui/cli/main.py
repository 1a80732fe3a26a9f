"""The `ckpt-tui` command: runs one sub-command, and leaves with its exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import click

from ckpt_tui.cli.commands import cli
from ckpt_tui.cli.group import ReaderGone
from ckpt_tui.core.errors import Cancelled, CkptError, notes_of
from ckpt_tui.core.text import printable

EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended."""


def main(args: list[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; never with a traceback."""
    _prepare_streams()
    _end_as_interrupted()
    try:
        code = cli.main(args=args, prog_name="ckpt-tui", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt, Cancelled) as error:
        click.echo(" ".join(["Interrupted.", *map(printable, notes_of(error))]), err=True)
        sys.exit(EXIT_INTERRUPTED)
    except CkptError as error:
        _show(error)
        sys.exit(error.exit_code)
    except (BrokenPipeError, ReaderGone):  # `ckpt-tui … | head` must not complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_BROKEN_PIPE)
    except OSError as error:
        _show(CkptError("I/O error:", f"{error.strerror or error}."))
        sys.exit(1)
    except Exception as error:
        if os.environ.get("CKPT_TUI_TRACEBACK"):
            raise
        _show(
            CkptError(
                "Unexpected error:",
                f"{type(error).__name__}: {error}.",
                "Set CKPT_TUI_TRACEBACK=1 to print a traceback for a bug report.",
            )
        )
        sys.exit(1)


def _end_as_interrupted() -> None:
    """Let SIGTERM and SIGHUP clean up as SIGINT does, in commands and on the screen. What the
    caller ignores, as nohup does, stays ignored."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, signal.SIG_DFL, None):
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, interrupt)


def _prepare_streams() -> None:
    """Replace streams that the caller closed, and print on a terminal of any encoding."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - as long as the program runs
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _show(error: CkptError) -> None:
    for part in (f"ckpt-tui: {error.what}", error.why, error.hint, *notes_of(error)):
        if part:
            click.echo(printable(part), err=True)
