"""One restore, from its plan to its end: whatever happens, what was done for it is undone."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ckpt_tui.core.errors import UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import printable
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore import podman
from ckpt_tui.restore.binds import make_binds
from ckpt_tui.restore.bundle import Bundle, Choices, Limits, make_bundle, with_place
from ckpt_tui.restore.eager_images import eager_images
from ckpt_tui.restore.kept import Kept, keep
from ckpt_tui.restore.lazily import Lazy, serving
from ckpt_tui.restore.retrying import PATIENCE_S
from ckpt_tui.restore.rootfs import mount_root, root_image, write_changes
from ckpt_tui.restore.runtime import (
    CONFIG_KEY,
    cgroup_of,
    check_lazy,
    controllers,
    criu_config,
    loopback_hook,
)
from ckpt_tui.restore.space import BOXED, IN_PLACE, Space
from ckpt_tui.restore.tools import need

SPEC = "spec.dump"

LOG = "restore.log"

OWN_NETWORK = "/proc/self/ns/net"
"""The runtime is run in the network that the container gets."""

POLL_S = 0.005

TRIAL_PIDS = 1024
TRIAL_MEMORY = 512 << 20
"""Bytes that a trial may take besides twice the memory that was dumped."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for."""

    name: str = ""
    """Of the new container; "" is the name that it had."""
    base: str = ""
    runtime: str = ""
    """runc or crun; "" is that which ran the container, runc if it is not known."""
    flags: tuple[str, ...] = ()
    """Of `runtime.FLAGS`."""
    choices: Choices = field(default_factory=Choices)
    lazy: bool = False
    detach: bool = False
    patience_s: float = PATIENCE_S


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a trial is bounded by; 0 where there is no controller."""

    memory: int = 0
    pids: int = 0


class Restoring:
    """A restore that is under way, and what it has made so far."""

    def __init__(self, opened: OpenCheckpoint, request: Request, progress: Progress) -> None:
        """Check that it can be tried; nothing is made yet.

        Raises:
            CkptError: it cannot, or something was not allowed.
        """
        self.request = request
        self.notes: list[str] = []
        """What differs from the dump, a sentence each."""
        self.seconds = 0.0
        """From the start of the runtime until the container was restored."""
        self.lazy: Lazy | None = None
        self.bounds = Bounds()
        self._opened = opened
        self.progress = progress
        self._closing = ExitStack()
        self._runtime: subprocess.Popen[bytes] | None = None
        self._errors = b""
        self._stays = False
        self._program = request.runtime or self._recorded_runtime()
        need(("podman", self._program, "criu", "nsenter", "unshare", "mount", "ip"))
        if request.lazy:
            check_lazy(self._program)
        spec = opened.metadata.documents.get(SPEC)
        if not isinstance(spec, dict):
            raise UsageError(
                f"{opened.target} has no {SPEC}.",
                "Without it the container cannot be made.",
                "Restore it with CRIU; `ckpt-tui diagnose` prints the command.",
            )
        self._spec: dict[str, Any] = spec
        make_bundle(spec, "", request.choices, self._volumes())
        self.kept: Kept = self._keep()
        """After this there is something to undo."""

    def _keep(self) -> Kept:
        choices, request = self.request.choices, self.request
        container = self._opened.kind.container(self._opened.metadata)
        name = request.name or container.name or "restored"
        if choices.is_trial and not request.name:
            name = f"try-{os.getpid()}"
        target = printable(self._opened.target)
        return keep(name, target, self._program, has_root=choices.is_trial)

    def _recorded_runtime(self) -> str:
        container = self._opened.kind.container(self._opened.metadata)
        return "crun" if container.runtime.endswith("crun") else "runc"

    def _volumes(self) -> list[str]:
        names = self._opened.tree.members
        found = (name.removeprefix("volumes/") for name in names if name.startswith("volumes/"))
        return [name.removesuffix(".tar") for name in found]

    @property
    def folder(self) -> Path:
        return self.kept.folder

    @property
    def log(self) -> Path:
        """CRIU's log."""
        return self.folder / "work" / LOG

    def prepare(self) -> None:
        """Make all that the runtime needs.

        Raises:
            CkptError: something of it cannot be made.
        """
        choices, request, opened = self.request.choices, self.request, self._opened
        bundle = make_bundle(self._spec, str(self.folder), choices, self._volumes())
        self.notes += bundle.notes
        image, note = root_image(opened, request.base, self.progress)
        self.notes += [note] if note else []
        self.progress.start("mounting")
        self.kept.change(image=image)
        lower = podman.mount(image)
        self.space = self._closing.enter_context(self._space())
        mount_root(opened, self.space, lower, self.folder, on_disk=not choices.is_trial)
        self.notes += write_changes(opened, self.space, self.folder, self.progress)
        self.notes += make_binds(opened, bundle.binds, self.space, self.folder, self.progress)
        (self.folder / "work").mkdir()
        self._write_config(bundle)
        self._images = self._make_images()

    def _space(self) -> Space:
        choices = self.request.choices
        kind, _, path = choices.network.partition(":")
        if choices.is_trial:
            return Space(BOXED)
        if kind == "none":
            return Space((*IN_PLACE, "net"))
        return Space(IN_PLACE, path)

    def _write_config(self, bundle: Bundle) -> None:
        limits = self._limits() if self.request.choices.is_trial else Limits()
        self.bounds = Bounds(limits.memory, limits.pids)
        cgroup = f"/{cgroup_of(self.kept.record.name)}"
        config = with_place(bundle, cgroup, limits, OWN_NETWORK)
        criu = self.folder / "criu.conf"
        criu.write_text(criu_config())
        config["annotations"] = {CONFIG_KEY: str(criu)}
        if not bundle.needs_network:
            config["hooks"] = loopback_hook(self.folder)
        (self.folder / "config.json").write_text(json.dumps(config))

    def _limits(self) -> Limits:
        there = controllers()
        images = self._opened.images
        dumped = sum(images.size(name) for name in images.page_images)
        return Limits(
            2 * dumped + TRIAL_MEMORY if "memory" in there else 0,
            TRIAL_PIDS if "pids" in there else 0,
        )

    def _make_images(self) -> Path:
        images, work = self.folder / "images", self.folder / "work"
        if not self.request.lazy:
            return eager_images(self._opened, images, self.progress)
        serves = serving(self._opened, images, work, self.request.patience_s, self.progress)
        self.lazy = self._closing.enter_context(serves)
        return images

    def restore(self, output: int | IO[bytes] | None, ended: threading.Event) -> bool:
        """Let the runtime restore; `output` gets what the container prints. Returns whether it did,
        or False as soon as `ended` is set."""
        self.progress.start("restoring")
        folder = str(self.folder)
        words = self.kept.runtime.restore(
            folder,
            str(self._images),
            f"{folder}/work",
            self.request.flags,
            lazy=self.request.lazy,
            detach=self.request.detach,
        )
        start = time.monotonic()
        with (self.folder / "errors").open("wb") as errors:
            self._runtime = subprocess.Popen(
                self.space.words(*words),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        pid_file = self.folder / "work" / "pid"
        while not ended.is_set():
            if self.request.detach:
                if self._runtime.poll() is not None:
                    break
            elif pid_file.exists() or self._runtime.poll() is not None:
                break
            ended.wait(POLL_S)
        self.seconds = time.monotonic() - start
        return pid_file.exists() and not ended.is_set()

    @property
    def errors(self) -> str:
        """What the runtime, and the container, wrote to standard error."""
        path = self.folder / "errors"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def poll(self) -> int | None:
        """Return the exit code of the container in the foreground, that of a shell: 128 and more
        are signals; None while it runs."""
        assert self._runtime is not None
        return self._runtime.poll()

    def wait(self, ended: threading.Event, seconds: float | None = None) -> int | None:
        """Wait for the end of the container in the foreground, or until `ended` is set, or for so
        many seconds; return as `poll`.

        Raises:
            CkptError: pages cannot be had any more.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while (code := self.poll()) is None and not ended.is_set():
            if self.lazy:
                self.lazy.check()
            if deadline is not None and time.monotonic() > deadline:
                break
            ended.wait(POLL_S * 4)
        return code

    def leave(self, ended: threading.Event) -> None:
        """Let a detached container go on, once all its pages are there.

        Raises:
            CkptError: pages cannot be had any more.
        """
        while self.lazy and not self.lazy.is_over and not ended.is_set():
            self.lazy.check()
            ended.wait(POLL_S * 4)
        if not ended.is_set():
            self.kept.change(detached=True)
            self._stays = True

    def _undo(self) -> None:
        """Undo all: the container ends before its pages do, which would read as zeros."""
        with ExitStack() as closing:
            if not self._stays:
                closing.callback(self.kept.remove)
            closing.push(self._closing)
            if self._runtime is not None:
                closing.callback(self._runtime.wait)
                closing.callback(self._runtime.kill)
            if not self._stays:
                closing.callback(self.kept.stop)

    def __enter__(self) -> Restoring:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo()
