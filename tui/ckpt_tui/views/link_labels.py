"""Leads to things of a checkpoint, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ckpt_tui.checkpoint.index import Index, index_of
from ckpt_tui.checkpoint.model import Checkpoint, OpenFile, Process, Region, Socket
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.slots import Some
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.views.tables import socket_kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lead:
    """One thing that something leads to."""

    label: str
    """Printable."""
    ref: Ref


Leads = Iterator[Lead | Some[Lead]]
"""Leads of one thing, and lists of such that are as many as there are."""


def process_link(process: Process, role: str = "process") -> Lead:
    return Lead(f"{role} {process.pid} {printable(process.comm)}".strip(), Ref.process(process.pid))


def pid_links(index: Index, pids: Iterable[int], role: str = "process") -> Some[Lead]:
    found = [index.process[pid] for pid in pids if pid in index.process]
    return each(found, lambda process: process_link(process, role))


def file_link(file: OpenFile) -> Lead:
    words = f"process {file.pid} fd {file.fd}  {file.kind} {file.target}"
    return Lead(printable(words), Ref.file(file.pid, file.fd))


def descriptor_link(file: OpenFile) -> Lead:
    """Return the link of a descriptor whose process is known."""
    words = f"fd {file.fd}  {file.kind} {file.target}"
    return Lead(printable(words), Ref.file(file.pid, file.fd))


def each(things: Sequence[T], link: Callable[[T], Lead]) -> Some[Lead]:
    """Return the link of each, made when it is asked for: there may be a million."""
    return Some(lambda number: link(things[number]), range(len(things)))


def ghost_links(images: Iterable[str]) -> Iterator[Lead]:
    """Yield the contents of deleted files, by the images that have them."""
    for image in images:
        yield Lead(f"its contents, from {printable(image)}", Ref.recovered(image))


def socket_link(socket: Socket) -> Lead:
    addresses = socket.local + (f" → {socket.remote}" if socket.remote else "")
    words = f"process {socket.pid} fd {socket.fd}  {socket_kind(socket)} {addresses or 'unnamed'}"
    return Lead(printable(words), Ref.socket(socket.pid, socket.fd))


def region_link(region: Region) -> Lead:
    size = human_bytes(region.end - region.start)
    words = f"process {region.pid} maps {region.start:x}  {region.protection} {size} {region.path}"
    return Lead(printable(words).strip(), Ref.region(region.pid, region.start))


def image_links(checkpoint: Checkpoint, name: str, text: str = "") -> Iterator[Lead]:
    if name in index_of(checkpoint).image:
        yield Lead(f"{text or 'image'} {printable(name)}".strip(), Ref.image(name))


def path_links(checkpoint: Checkpoint, index: Index, path: str) -> Iterator[Lead]:
    """Yield what the checkpoint has of a path: the change of the root filesystem."""
    number = index.changes.get(path)
    if number is not None:
        entry = checkpoint.delta.entries[number]
        yield Lead(f"{entry.change} {printable(entry.path)}", Ref.delta(number))


def namespace_links(index: Index, kind: str, number: int) -> Iterator[Lead]:
    found = index.namespace.get((kind, number))
    if found is not None:
        words = f"{kind} namespace {number}  {printable(found.detail)}".strip()
        yield Lead(words, Ref.namespace(kind, number))


def cgroup_links(index: Index, hierarchy: str, path: str, role: str = "cgroup") -> Iterator[Lead]:
    number = index.cgroup.get((hierarchy, path))
    if number is not None:
        yield Lead(printable(f"{role} {hierarchy} {path}"), Ref.cgroup(number))
