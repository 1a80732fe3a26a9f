"""Where a part of a checkpoint leads, and what refers to it, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.links import leads_of, part_of, users_of
from ckpt_tui.checkpoint.model import Checkpoint, Region, Socket
from ckpt_tui.checkpoint.ref import Kind, Ref
from ckpt_tui.checkpoint.relations import Relation
from ckpt_tui.checkpoint.slots import Some
from ckpt_tui.core.text import human_bytes, printable
from ckpt_tui.views.details import file_text
from ckpt_tui.views.tables import socket_kind


@dataclass(frozen=True, slots=True)
class Lead:
    """One part that something leads to."""

    label: str
    """Printable."""
    ref: Ref


def links(checkpoint: Checkpoint, key: object) -> Sequence[Lead]:
    """Return where the part that a row stands for leads; nothing if that is not a `Ref`."""
    return labelled(checkpoint, leads_of(checkpoint, key)) if isinstance(key, Ref) else []


def users(checkpoint: Checkpoint, key: object) -> Sequence[Lead]:
    """Return what refers to the part that a row stands for."""
    return labelled(checkpoint, users_of(checkpoint, key)) if isinstance(key, Ref) else []


def labelled(checkpoint: Checkpoint, found: Sequence[Relation]) -> Some[Lead]:
    """Return relations with their labels, made when they are asked for."""
    return Some(lambda number: _lead(checkpoint, found[number]), range(len(found)))


def _lead(checkpoint: Checkpoint, relation: Relation) -> Lead:
    ref, role = relation.ref, relation.role
    if not relation.is_named:
        return Lead(printable(role), ref)
    role = role or ROLES.get(ref.kind, "").format(*ref.ids)
    name = NAMES[ref.kind](part_of(checkpoint, ref)) if ref.kind in NAMES else str(ref.ids[0])
    words = role.replace("{}", name) if "{}" in role else f"{role} {name}"
    return Lead(printable(words.strip()), ref)


ROLES: Mapping[Kind, str] = {
    "process": "process",
    "file": "process {} fd",
    "socket": "process {} fd",
    "region": "process {} maps",
    "mount": "mount",
    "cgroup": "cgroup",
    "image": "image",
    "recovered": "its contents, from",
}
"""What is said before the name of a part where it has no other role, by its kind; the first number
of its `Ref` is put in place of {}."""


def _region(region: Region) -> str:
    size = human_bytes(region.end - region.start)
    return f"{region.start:x}  {region.protection} {size} {region.path}"


def _socket(socket: Socket) -> str:
    addresses = socket.local + (f" → {socket.remote}" if socket.remote else "")
    return f"{socket.fd}  {socket_kind(socket)} {addresses or 'unnamed'}"


NAMES: Mapping[Kind, Callable[..., str]] = {
    "process": lambda process: f"{process.pid} {process.comm}",
    "file": lambda file: f"{file.fd}  {file_text(file)}",
    "socket": _socket,
    "region": _region,
    "mount": lambda mount: mount.mountpoint,
    "delta": lambda entry: f"{entry.change} {entry.path}",
    "namespace": lambda n: f"{n.kind} namespace {n.id}  {n.detail}",
    "cgroup": lambda directory: f"{directory.hierarchy} {directory.path}",
}
"""Kind of a part to its name."""
