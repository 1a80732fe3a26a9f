"""runc and crun: how they are called, and what they leave in the cgroups."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.restore.tools import run, said

Program = Literal["runc", "crun"]

CGROUPS = Path("/sys/fs/cgroup")

FLAGS = ("tcp-established", "file-locks", "ext-unix-sk", "shell-job")
"""Flags that CRIU wants to be given, which both runtimes pass on."""

CONFIG_KEY = "org.criu.config"
"""Annotation with the path of a configuration of CRIU, for runc (libcontainer, criu_linux.go)."""

CRIU_CONFIG = Path("/etc/criu/runc.conf")
"""What runc lets CRIU read where there is no such annotation."""

LOOPBACK = """#!/bin/sh
pid=$(sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')
exec nsenter --target "$pid" --net ip link set lo up
"""
"""A hook; it gets the state of the container on standard input (runtime-spec, runtime.md)."""

KILLED_S = 10.0
"""Seconds for a killed container to be gone."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One container of a runtime."""

    program: str
    id: str
    root: str = ""
    """Folder of the runtime's state, "" for its usual one."""

    def words(self, *rest: str) -> tuple[str, ...]:
        """Return a call of the runtime."""
        return (self.program, *(("--root", self.root) if self.root else ()), *rest)

    def restore(
        self, bundle: str, images: str, work: str, flags: Sequence[str], *, lazy: bool, detach: bool
    ) -> tuple[str, ...]:
        """Return the call that restores; it writes the container's pid to work/pid."""
        options = [f"--{flag}" for flag in flags]
        if self.program == "crun":
            options += ["--manage-cgroups-mode", "ignore"]  # runc before 1.2 knows no such mode
        if lazy:
            options.append("--lazy-pages")
        if detach:
            options.append("--detach")
        places = ("--bundle", bundle, "--image-path", images, "--work-path", work)
        return self.words("restore", *places, "--pid-file", f"{work}/pid", *options, self.id)

    def pid(self) -> int:
        """Return the pid of the container's first process, 0 if it does not run."""
        done = run(*self.words("state", self.id))
        if done.returncode:
            return 0
        state = parse_document(done.stdout.encode("utf-8", "surrogateescape"), "the state")
        found = state.get("pid") if isinstance(state, dict) else 0
        is_there = isinstance(state, dict) and state.get("status") != "stopped"
        return found if is_there and isinstance(found, int) else 0

    def delete(self) -> None:
        """Kill the container and let the runtime forget it; one that is not there is fine.

        Raises:
            CkptError: it cannot be ended.
        """
        done = run(*self.words("delete", "--force", self.id))
        deadline = time.monotonic() + KILLED_S
        while self.pid():
            if time.monotonic() > deadline:
                raise CkptError(f"The container {self.id} cannot be ended:", said(done.stderr))
            time.sleep(0.05)


def loopback_hook(folder: Path) -> dict[str, object]:
    """Return the hook that brings up the loopback of a network namespace that is in the checkpoint:
    runtimes have CRIU make it empty, and run hooks before the sockets are restored."""
    script = folder / "loopback"
    script.write_text(LOOPBACK)
    script.chmod(0o700)
    return {"prestart": [{"path": str(script)}]}


def check_lazy(program: str) -> None:
    """Raise UsageError or CkptError if a lazy restore is not possible here."""
    if program != "runc":
        raise UsageError(
            f"{program} has no option for a lazy restore.", "", "Use --runtime runc, or no --lazy."
        )
    if run("criu", "check", "--feature", "uffd").returncode:
        raise CkptError(
            "A lazy restore is not possible here:",
            "the kernel has no userfaultfd for CRIU.",
            "Restore without --lazy; `criu check --feature uffd` says more.",
        )


def criu_config() -> str:
    """Return the configuration of CRIU for runc: that of the host, and cgroups left as they are:
    the container gets one, and those below it were made by what ran inside."""
    with contextlib.suppress(OSError):
        return f"{CRIU_CONFIG.read_text(errors='replace')}\nmanage-cgroups=ignore\n"
    return "manage-cgroups=ignore\n"


def controllers() -> frozenset[str]:
    """Return the controllers that a new cgroup can have: of version 2, or each of version 1."""
    with contextlib.suppress(OSError):
        return frozenset((CGROUPS / "cgroup.controllers").read_text().split())
    with contextlib.suppress(OSError):
        return frozenset(name for path in CGROUPS.iterdir() for name in path.name.split(","))
    return frozenset()


def cgroup_of(name: str) -> str:
    """Return the name of the cgroup that a restored container gets: without one above it, which in
    version 1 would have no processors."""
    return f"ckpt-tui-{name}"


def remove_cgroups(name: str) -> None:
    """Remove the cgroups that a container had."""
    deadline = time.monotonic() + KILLED_S
    for top in _cgroups_of(name):
        while top.is_dir() and time.monotonic() < deadline:  # it is busy until they are all gone
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            time.sleep(0.01)


def memory_was_short(name: str) -> bool:
    """Whether the kernel killed something in the cgroup of a container for want of memory."""
    for top in _cgroups_of(name):
        with contextlib.suppress(OSError):
            lines = (top / "memory.events").read_text().splitlines()
            return any(line.startswith("oom_kill ") and line != "oom_kill 0" for line in lines)
    return False


def _cgroups_of(name: str) -> Iterator[Path]:
    for place in (CGROUPS, *CGROUPS.glob("*")):  # version 2, and each hierarchy of version 1
        if (found := place / cgroup_of(name)).is_dir():
            yield found
