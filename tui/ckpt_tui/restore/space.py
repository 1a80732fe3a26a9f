"""Namespaces in which programs are run. What is mounted in them is gone with them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Sequence
from types import TracebackType

from ckpt_tui.core.errors import CkptError
from ckpt_tui.restore.tools import call

IN_PLACE = ("mount",)
BOXED = ("mount", "pid", "net", "ipc", "uts")
"""Kinds of namespaces: for a container that stays, and for one that leaves no trace."""

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

_ENTER = {"mount": "--mount", "pid": "--pid", "net": "--net", "ipc": "--ipc", "uts": "--uts"}


class Space:
    """Namespaces, held by a process that ends with this one, however that ends. With `pid` among
    them all that was started in them ends with it, too."""

    def __init__(self, kinds: Sequence[str], network: str = "") -> None:
        """`network` is the path of a network namespace to run programs in.

        Raises:
            CkptError: the kernel does not give them.
        """
        self._kinds = tuple(kinds)
        self._network = network
        self._held = -1
        command = ["unshare", *(f"--{kind}" for kind in kinds), "--propagation", "slave"]
        if "pid" in kinds:
            command += ["--fork", "--kill-child=KILL", "--mount-proc"]
        self._holder = subprocess.Popen(
            [*command, "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        try:
            self._holder.stdin.write(b"\n")
            self._holder.stdin.flush()
            is_there = self._holder.stdout.readline() == b"\n"
        except OSError:
            is_there = False
        if not is_there:
            assert self._holder.stderr is not None
            why = self._holder.stderr.read().decode(errors="replace").strip()
            self.close()
            raise CkptError("Namespaces cannot be made:", f"{why}.", "Run it as root.")
        self.pid = self._inner() if "pid" in kinds else self._holder.pid
        """Of the process that holds them, as this one sees it."""
        self._held = os.pidfd_open(self.pid)
        if "net" in kinds:
            in_network(self.path("/proc/self/ns/net", own=True), _loopback_up)

    def _inner(self) -> int:
        with open(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children") as file:
            return int(file.read().split()[0])

    def path(self, path: str, *, own: bool = False) -> str:
        """Return how a path in there is reached from here; `own`: of the process that holds it."""
        if own:
            return path.replace("/proc/self", f"/proc/{self.pid}")
        return f"/proc/{self.pid}/root{path}"

    def words(self, *command: str) -> tuple[str, ...]:
        """Return the words that run a command in there."""
        network = (f"--net={self._network}",) if self._network else ()
        kinds = (_ENTER[kind] for kind in self._kinds)
        return ("nsenter", f"--target={self.pid}", *kinds, *network, "--", *command)

    def call(self, *command: str, what: str = "") -> str:
        """Run a command in there and return what it printed, as `tools.call`."""
        return call(*self.words(*command), what=what)

    def mount(self, kind: str, where: str, options: str, source: str = "") -> None:
        """Mount a filesystem in there.

        Raises:
            CkptError: the kernel refuses.
        """
        words = ("mount", "--types", kind, "--options", options, source or kind, where)
        self.call(*words, what=f"{kind} cannot be mounted at {where}:")

    def bind(self, source: str, where: str, *, read_only: bool = False) -> None:
        """Show a folder at another place in there."""
        self.call("mount", "--bind", source, where, what=f"{source} cannot be mounted:")
        if read_only:
            self.call("mount", "--options", "remount,bind,ro", where)

    def close(self) -> None:
        """Let go of the namespaces; with `pid` among them all in them is killed."""
        if "pid" in self._kinds and self._holder.poll() is None:
            self._holder.send_signal(signal.SIGKILL)  # and the kernel its child
        for pipe in (self._holder.stdin, self._holder.stdout, self._holder.stderr):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        self._holder.wait()
        if self._held >= 0:  # the first process of a namespace ends after all others in it
            select.select([self._held], [], [])
            os.close(self._held)
            self._held = -1

    def __enter__(self) -> Space:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def in_network(path: str, do: Callable[[], None]) -> None:
    """Do something in the network namespace at a path, in a thread of its own: namespaces are those
    of a thread.

    Raises:
        CkptError: there is no such namespace, or it failed.
    """
    problems: list[OSError] = []

    def work() -> None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(descriptor, CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            finally:
                os.close(descriptor)
            do()
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if problems:
        raise CkptError(
            f"{path} cannot be used as a network namespace:", f"{problems[0].strerror}."
        )


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)
