"""Links to things of a checkpoint, in words."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass

from ckpt_tui.checkpoint.index import Index, index_of
from ckpt_tui.checkpoint.model import Checkpoint, OpenFile, Process, Region, Socket
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.ui.rows.tables import socket_kind


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that something leads to."""

    label: str
    """Printable."""
    key: Hashable


def process_link(process: Process, role: str = "process") -> Link:
    return Link(f"{role} {process.pid} {printable(process.comm)}".strip(), process.pid)


def pid_links(index: Index, pids: Iterable[int], role: str = "process") -> Iterator[Link]:
    for pid in pids:
        if pid in index.process:
            yield process_link(index.process[pid], role)


def file_link(file: OpenFile) -> Link:
    words = f"process {file.pid} fd {file.fd}  {file.kind} {file.target}"
    return Link(printable(words), ("file", file.pid, file.fd))


def socket_link(socket: Socket) -> Link:
    addresses = socket.local + (f" → {socket.remote}" if socket.remote else "")
    words = f"process {socket.pid} fd {socket.fd}  {socket_kind(socket)} {addresses or 'unnamed'}"
    return Link(printable(words), ("socket", socket.pid, socket.fd))


def region_link(region: Region) -> Link:
    size = human_bytes(region.end - region.start)
    words = f"process {region.pid} maps {region.start:x}  {region.protection} {size} {region.path}"
    return Link(printable(words).strip(), ("region", region.pid, region.start))


def image_links(checkpoint: Checkpoint, name: str, text: str = "") -> Iterator[Link]:
    if name in index_of(checkpoint).image:
        yield Link(f"{text or 'image'} {printable(name)}".strip(), ("image", name))


def path_links(checkpoint: Checkpoint, index: Index, path: str) -> Iterator[Link]:
    """Yield what the checkpoint has of a path: the change of the root filesystem."""
    number = index.changes.get(path)
    if number is not None:
        entry = checkpoint.delta.entries[number]
        yield Link(f"{entry.change} {printable(entry.path)}", ("delta", number))


def namespace_links(index: Index, kind: str, number: int) -> Iterator[Link]:
    found = index.namespace.get((kind, number))
    if found is not None:
        words = f"{kind} namespace {number}  {printable(found.detail)}".strip()
        yield Link(words, ("namespace", kind, number))


def cgroup_links(index: Index, hierarchy: str, path: str, role: str = "cgroup") -> Iterator[Link]:
    number = index.cgroup.get((hierarchy, path))
    if number is not None:
        yield Link(printable(f"{role} {hierarchy} {path}"), ("cgroup", number))
