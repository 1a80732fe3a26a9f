"""The programs that a restore calls: podman, a runtime, CRIU, and those of util-linux."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence

from ckpt_tui.core.errors import CkptError, SourceUnreachable

MOST_SAID = 2000
"""Characters of an error of a program that are passed on."""

PROGRAMS = {
    "podman": "podman",
    "runc": "runc",
    "crun": "crun",
    "criu": "criu",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
    "ip": "iproute2",
}
"""Program to the package of Debian that has it."""


def need(programs: Iterable[str]) -> None:
    """Raise SourceUnreachable if one of these programs is not installed."""
    for program in programs:
        if shutil.which(program) is None:
            raise SourceUnreachable(
                f"{program} is not installed.",
                "A restore calls it.",
                f"Install {PROGRAMS.get(program, program)}.",
            )


def call(*words: str, what: str = "") -> str:
    """Run a program and return what it printed.

    Raises:
        CkptError: it failed; `what` says what that means.
    """
    done = run(*words)
    if done.returncode:
        raise CkptError(what or f"{words[0]} failed:", said(done.stderr) or str(done.returncode))
    return done.stdout


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever that is."""
    return subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        start_new_session=True,  # Ctrl+C is for us
    )


def said(errors: str) -> str:
    """Return the end of what a program complained of, as a sentence."""
    lines: Sequence[str] = [line for line in errors.splitlines() if line.strip()]
    text = " ".join(lines[-3:])[-MOST_SAID:].strip()
    return text if not text or text.endswith(".") else f"{text}."
