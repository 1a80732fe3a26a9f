"""A reference to one part of a checkpoint: what a row stands for and what a link leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal[
    "process",
    "thread",
    "frame",
    "file",
    "socket",
    "region",
    "address",
    "mount",
    "namespace",
    "cgroup",
    "seccomp",
    "delta",
    "image",
    "item",
    "recovered",
]


@dataclass(frozen=True, slots=True)
class Ref:
    """One part of a checkpoint by its kind and the numbers or names that identify it there."""

    kind: Kind
    ids: tuple[Any, ...]

    def __str__(self) -> str:
        """Return `process:7`, `file:7:3`, `image:core-7.img`; addresses are hexadecimal."""
        if self.kind == "region":
            pid, start = self.ids
            return f"region:{pid}:{start:x}"
        if self.kind == "address":
            pid, address = self.ids
            return f"address:{pid}:{address:x}"
        return ":".join(map(str, (self.kind, *self.ids)))

    @classmethod
    def process(cls, pid: int) -> Ref:
        """Refer to a process."""
        return cls("process", (pid,))

    @classmethod
    def thread(cls, pid: int, tid: int) -> Ref:
        """Refer to a thread of a process."""
        return cls("thread", (pid, tid))

    @classmethod
    def frame(cls, pid: int, tid: int, number: int) -> Ref:
        """Refer to a frame of a thread's stack; the innermost is 0."""
        return cls("frame", (pid, tid, number))

    @classmethod
    def file(cls, pid: int, fd: int) -> Ref:
        """Refer to a descriptor of a process."""
        return cls("file", (pid, fd))

    @classmethod
    def socket(cls, pid: int, fd: int) -> Ref:
        """Refer to a socket by its descriptor."""
        return cls("socket", (pid, fd))

    @classmethod
    def region(cls, pid: int, start: int) -> Ref:
        """Refer to a mapping of a process by its first address."""
        return cls("region", (pid, start))

    @classmethod
    def address(cls, pid: int, address: int) -> Ref:
        """Refer to a byte in the memory of a process."""
        return cls("address", (pid, address))

    @classmethod
    def mount(cls, namespace: int, mount_id: int) -> Ref:
        """Refer to a mount of a mount namespace."""
        return cls("mount", (namespace, mount_id))

    @classmethod
    def namespace(cls, kind: str, number: int) -> Ref:
        """Refer to a namespace by its kind (mnt, net, …) and CRIU's id."""
        return cls("namespace", (kind, number))

    @classmethod
    def cgroup(cls, number: int) -> Ref:
        """Refer to a cgroup by its place among the checkpoint's cgroup directories."""
        return cls("cgroup", (number,))

    @classmethod
    def seccomp(cls, number: int) -> Ref:
        """Refer to a seccomp filter by its place among the checkpoint's."""
        return cls("seccomp", (number,))

    @classmethod
    def delta(cls, number: int) -> Ref:
        """Refer to a change of the root filesystem by its place among the entries."""
        return cls("delta", (number,))

    @classmethod
    def image(cls, name: str) -> Ref:
        """Refer to an image file of CRIU."""
        return cls("image", (name,))

    @classmethod
    def item(cls, number: int) -> Ref:
        """Refer to recovered data by its place in the list."""
        return cls("item", (number,))

    @classmethod
    def recovered(cls, image: str) -> Ref:
        """Refer to the data recovered from an image file."""
        return cls("recovered", (image,))
