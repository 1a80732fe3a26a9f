"""Dumps with known pages, a page server of them, and a client that speaks as CRIU does."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ckpt_tui.archive.seekable import SeekableZstdWriter
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.pages import Memory, PageMap
from ckpt_tui.criu.schema.memory_pb2 import pagemap_entry, pagemap_head
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.restore.conversation import Traffic
from ckpt_tui.restore.lazy_memory import LazyMemory
from ckpt_tui.restore.page_cache import PageCache
from ckpt_tui.restore.page_server import PageServer
from ckpt_tui.restore.retrying import Retrying
from crafted import IMAGES, image_of, tar_of
from fault_server import FaultServer
from served import LAYER

PAGE = 4096

PARENT, LAZY, PRESENT = 1, 2, 4
"""Flags of a run of pages (criu/include/pagemap.h)."""

GET = 7
CLOSE = 0x1023

OLD, NEW = struct.Struct("=IIQQ"), struct.Struct("=I4xQQQ")
"""The header before CRIU v4.2, and since."""

Runs = Sequence[tuple[int, int, int]]
"""Address, pages, flags."""


def page(pid: int, address: int, dump: str = "last") -> bytes:
    """Return what a page of these dumps holds."""
    return hashlib.shake_128(f"{pid} {address} {dump}".encode()).digest(PAGE)


def pages(pid: int, address: int, count: int, dump: str = "last") -> bytes:
    return b"".join(page(pid, address + n * PAGE, dump) for n in range(count))


def entry(address: int, count: int, flags: int | None, *, is_new: bool = True) -> pagemap_entry:
    """Return a record of a page map: with the number of pages where CRIU v4.2 writes it, or where
    those before did; without flags as those before v3.5 wrote it."""
    made = pagemap_entry(vaddr=address, compat_nr_pages=0 if is_new else count)
    if is_new:
        made.nr_pages = count
    if flags is None:
        made.in_parent = False
    else:
        made.flags = flags
    return made


def write_map(
    folder: Path, name: str, number: int, entries: Sequence[pagemap_entry], stored: bytes
) -> None:
    """Write a page map and its page image."""
    kind = "SHMEM_PAGEMAP" if "shmem" in name else "PAGEMAP"
    (folder / name).write_bytes(image_of(kind, pagemap_head(pages_id=number), *entries))
    (folder / f"pages-{number}.img").write_bytes(stored)


def write_dump(folder: Path, maps: Mapping[int, Runs], dump: str = "last") -> Path:
    """Write a dump of processes with these runs of pages; return the folder."""
    folder.mkdir()
    for name in ("inventory.img", "pstree.img"):
        shutil.copy(IMAGES / "counter" / name, folder / name)
        (folder / name).chmod(0o644)
    for pid, runs in maps.items():
        stored = b"".join(pages(pid, at, n, dump) for at, n, flags in runs if flags & PRESENT)
        entries = [entry(*run) for run in runs]
        write_map(folder, f"pagemap-{pid}.img", 100 + pid, entries, stored)
    return folder


def in_registry(server: FaultServer, dump: Path) -> str:
    """Serve a dump as an image of one layer in seekable zstd; return its name."""
    sink = io.BytesIO()
    images = {f"checkpoint/{path.name}": path.read_bytes() for path in sorted(dump.iterdir())}
    with SeekableZstdWriter(sink) as writer:
        writer.write(tar_of({"config.dump": b"{}", "spec.dump": b"{}", **images}))
        writer.close()
    layer = {"mediaType": f"{LAYER}+zstd", **server.add_blob("app", sink.getvalue())}
    document = {"config": server.add_blob("app", b"{}"), "layers": [layer]}
    server.add_manifest("app", "1", document)
    return f"docker://{server.host}/app:1"


def certificates(folder: Path) -> tuple[Path, Path]:
    """Make a key and a certificate for it that signs itself."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        (
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=x"),
        ),
        check=True,
        capture_output=True,
    )
    return key, certificate


def memory_of(folder: Path, name: str) -> Memory:
    """Read a page map that was written, and its page image."""
    found = PageMap.read(BytesWindow((folder / name).read_bytes()), name, quiet())
    assert not found.problem
    stored = (folder / f"pages-{found.pages_id}.img").read_bytes()
    assert not found.size_problem(len(stored), PAGE)
    return Memory(found, BytesWindow(stored))


@contextmanager
def opened(target: Path | str) -> Iterator[OpenCheckpoint]:
    """Open a checkpoint while the context lasts."""
    found = open_checkpoint(str(target), quiet())
    try:
        yield found
    finally:
        found.close()


class Served:
    """A running page server, and what it said."""

    def __init__(self, checkpoint: OpenCheckpoint, tls: ssl.SSLContext | None, patience: float):
        self.said: list[Traffic] = []
        self.failed = threading.Event()
        self.ended = threading.Event()
        self.cache = PageCache(Retrying(patience))
        self.memory = LazyMemory(checkpoint, self.cache)
        listener = socket.create_server(("127.0.0.1", 0))
        self.server = PageServer(self.memory, listener, tls, self._changed)
        self._thread = threading.Thread(target=self.server.serve)
        self._thread.start()

    def _changed(self, traffic: Traffic) -> None:
        if traffic.problem:
            self.failed.set()
        if traffic.is_over:
            self.said.append(traffic)
            self.ended.set()

    def stop(self) -> None:
        self.server.stop()
        self.cache.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def serving(
    target: Path | str, tls: ssl.SSLContext | None = None, patience: float = 5
) -> Iterator[Served]:
    """Serve the pages of a checkpoint while the context lasts."""
    with opened(target) as checkpoint:
        served = Served(checkpoint, tls, patience)
        try:
            yield served
        finally:
            served.stop()


class Program:
    """A running `ckpt-tui serve --json`."""

    def __init__(self, words: Sequence[object]) -> None:
        tui = Path(__file__).parents[1] / "tui"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ckpt_tui", "serve", *map(str, words), "--json"],
            env={**os.environ, "PYTHONPATH": str(tui)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        if not lines:
            raise AssertionError(self._process.communicate()[1])
        self.document = json.loads("".join(lines))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        return self.document["address"], self.document["port"]

    def end(self, number: int = 0) -> tuple[int, str]:
        """Send a signal, if it is one, and return exit code and errors."""
        if number:
            self._process.send_signal(number)
        _, errors = self._process.communicate(timeout=30)
        return self._process.returncode, errors

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def error_line(self) -> str:
        """Return the next line of errors."""
        assert self._process.stderr is not None
        return self._process.stderr.readline()

    def is_running(self) -> bool:
        return self._process.poll() is None


@contextmanager
def serve_program(*words: object) -> Iterator[Program]:
    """Run `ckpt-tui serve` while the context lasts."""
    program = Program(words)
    try:
        yield program
    finally:
        if program.is_running():
            program.end(signal.SIGTERM)


class Client:
    """Speaks to a page server as `criu lazy-pages` does (criu/page-xfer.c)."""

    def __init__(
        self,
        served: Served | tuple[str, int],
        header: struct.Struct = NEW,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        address = served.server.address if isinstance(served, Served) else served
        plain = socket.create_connection(address, timeout=10)
        self.socket = tls.wrap_socket(plain) if tls else plain
        self._header = header

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, pid: int, address: int, count: int, command: int = GET) -> None:
        self.socket.sendall(self._header.pack(command, count, address, pid))

    def answer(self) -> tuple[tuple[int, ...], bytes]:
        """Return the header of the next answer, and its pages."""
        head = self._header.unpack(self.read(self._header.size))
        return head, self.read(head[1] * PAGE)

    def got(self, pid: int, address: int, count: int) -> bytes:
        """Ask for pages, and return them."""
        self.ask(pid, address, count)
        (command, found, where, whose), data = self.answer()
        assert (command, where, whose) == (6 | PRESENT << 16, address, pid)
        assert found * PAGE == len(data)
        return data

    def close(self) -> bytes:
        """Say that this is all, and return the status."""
        self.ask(0, 0, 0, CLOSE)
        return self.read(4)

    def read(self, length: int) -> bytes:
        """Return so many bytes, fewer only where the server closes."""
        parts = b""
        with contextlib.suppress(ConnectionResetError):
            while len(parts) < length and (part := self.socket.recv(length - len(parts))):
                parts += part
        return parts
