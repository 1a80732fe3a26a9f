"""A page server of one's own, and the `criu lazy-pages` that asks it for a container."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.restore.conversation import Traffic
from ckpt_tui.restore.lazy_images import LazyImages, write_lazy_images
from ckpt_tui.restore.lazy_memory import LazyMemory
from ckpt_tui.restore.page_cache import PageCache
from ckpt_tui.restore.page_server import PageServer
from ckpt_tui.restore.retrying import Retrying

LOG = "lazy-pages.log"

SOCKET = "lazy-pages.socket"
"""In the work folder, where CRIU hands over what it restores (criu/uffd.c)."""

STARTED_S = 10.0


@dataclass(frozen=True, slots=True)
class Lazy:
    """Pages on their way to a container."""

    images: LazyImages
    server: PageServer
    asking: subprocess.Popen[bytes]

    @property
    def traffic(self) -> Traffic | None:
        """What was asked for, once something was."""
        return next((one for one in self.server.traffic if one.requests), None)

    @property
    def is_over(self) -> bool:
        """Whether no more pages are asked for: they are all there, or the container is not."""
        return self.asking.poll() is not None

    def check(self) -> None:
        """Raise CkptError if pages cannot be had any more."""
        for one in self.server.traffic:
            if one.problem:
                raise CkptError(
                    "Not all pages could be sent, so the container was ended.", one.problem
                )


@contextmanager
def serving(
    opened: OpenCheckpoint, images: Path, work: Path, patience_s: float, progress: Progress
) -> Iterator[Lazy]:
    """Write the small images to `images`, and serve the rest while the context lasts.

    Raises:
        CkptError: they cannot be written, or CRIU does not start.
    """
    written = write_lazy_images(opened, images, progress)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        PageCache(Retrying(patience_s)) as pages,
    ):
        server = PageServer(LazyMemory(opened, pages), listener)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        asking = _asking(server.address, images, work)
        try:
            _await_socket(asking, work)
            yield Lazy(written, server, asking)
        finally:
            asking.kill()
            asking.wait()
            server.stop()
            pages.close()
            thread.join()


def _asking(address: tuple[str, int], images: Path, work: Path) -> subprocess.Popen[bytes]:
    place = ("--page-server", "--address", address[0], "--port", str(address[1]))
    folders = ("--images-dir", str(images), "--work-dir", str(work))
    return subprocess.Popen(
        ("criu", "lazy-pages", *place, *folders, "--log-file", LOG, "-v4"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _await_socket(asking: subprocess.Popen[bytes], work: Path) -> None:
    deadline = time.monotonic() + STARTED_S
    while not (work / SOCKET).exists():
        if asking.poll() is not None or time.monotonic() > deadline:
            with contextlib.suppress(OSError):
                last = (work / LOG).read_text(errors="replace").splitlines()[-1]
                raise CkptError("criu lazy-pages does not start:", f"{last}.")
            raise CkptError("criu lazy-pages does not start.")
        time.sleep(0.005)
