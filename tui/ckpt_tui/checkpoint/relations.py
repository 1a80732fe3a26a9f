"""What each kind of part of a checkpoint is related to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ckpt_tui.checkpoint.index import Index
from ckpt_tui.checkpoint.model import Mount, OpenFile, Region, Socket
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.checkpoint.slots import Some

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Relation:
    """One part that another one leads to."""

    ref: Ref
    role: str = ""
    """What it is to the other, before its name or with {} in place of it: `parent`, `held by
    process`. Empty: just what it is."""
    is_named: bool = True
    """False: the role says all."""


Related = Iterator[Relation | Some[Relation]]
"""Relations of one part, and lists of such that are as many as there are."""


def each(things: Sequence[T], relate: Callable[[T], Relation]) -> Some[Relation]:
    """Return the relation to each, made when it is asked for: there may be a million."""
    return Some(lambda number: relate(things[number]), range(len(things)))


def to_file(file: OpenFile) -> Relation:
    return Relation(Ref.file(file.pid, file.fd))


def to_socket(socket: Socket) -> Relation:
    return Relation(Ref.socket(socket.pid, socket.fd))


def to_region(region: Region) -> Relation:
    return Relation(Ref.region(region.pid, region.start))


def to_mount(mount: Mount, role: str = "") -> Relation:
    return Relation(Ref.mount(mount.namespace, mount.id), role)


def to_processes(index: Index, pids: Iterable[int], role: str = "") -> Some[Relation]:
    """Return the relations to the processes of some pids that are there."""
    known = [pid for pid in pids if pid in index.process]
    return each(known, lambda pid: Relation(Ref.process(pid), role))


def to_image(index: Index, name: str, role: str = "") -> Iterator[Relation]:
    if name in index.image:
        yield Relation(Ref.image(name), role)


def to_recovered(images: Iterable[str]) -> Iterator[Relation]:
    """Yield the contents of deleted files, by the images that have them."""
    return (Relation(Ref.recovered(image)) for image in images)


def to_change(index: Index, path: str) -> Iterator[Relation]:
    """Yield the change of the root filesystem at a path, if there is one."""
    number = index.changes.get(path)
    if number is not None:
        yield Relation(Ref.delta(number))


def to_namespace(index: Index, kind: str, number: int) -> Iterator[Relation]:
    if (kind, number) in index.namespace:
        yield Relation(Ref.namespace(kind, number))


def to_cgroup(index: Index, hierarchy: str, path: str, role: str = "") -> Iterator[Relation]:
    number = index.cgroup.get((hierarchy, path))
    if number is not None:
        yield Relation(Ref.cgroup(number), role)
