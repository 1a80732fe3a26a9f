"""The local stores of engines: where they usually are, and what kind one is, by its content."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator
from dataclasses import dataclass

from ckpt_tui.sources import containerd
from ckpt_tui.sources.containers import DRIVERS, locations


class StoreKind(enum.Enum):
    """Whose store it is; the value is what a list shows."""

    CONTAINERS = "podman, CRI-O"
    CONTAINERD = "containerd"
    DOCKER = "Docker"
    KUBELET = "kubelet"


@dataclass(frozen=True, slots=True)
class Store:
    """One store."""

    kind: StoreKind
    root: str


MARKS = (
    (containerd.DATABASE, StoreKind.CONTAINERD),
    *((f"{driver}-images", StoreKind.CONTAINERS) for driver in DRIVERS),
    *((f"{driver}-containers", StoreKind.CONTAINERS) for driver in DRIVERS),
    ("engine-id", StoreKind.DOCKER),
    ("image/overlay2/repositories.json", StoreKind.DOCKER),
    ("image/vfs/repositories.json", StoreKind.DOCKER),
)
"""What a folder has in it by which it is the root of a store."""

FIXED = (
    (StoreKind.CONTAINERD, containerd.ROOT),
    (StoreKind.CONTAINERD, "/var/lib/rancher/k3s/agent/containerd"),
    (StoreKind.DOCKER, "/var/lib/docker"),
    (StoreKind.KUBELET, "/var/lib/kubelet/checkpoints"),
)
"""Where engines keep their stores unless they are told otherwise; kubelet's folder holds the
archives of its checkpoint call (KEP-2008)."""


def known_stores() -> Iterator[Store]:
    """Yield the stores of this machine and this user that are there, whether they may be read or
    not."""
    roots = dict.fromkeys(str(location.root) for location in locations())
    for kind, root in (*((StoreKind.CONTAINERS, root) for root in roots), *FIXED):
        try:
            os.stat(root)
        except PermissionError:
            yield Store(kind, root)
        except OSError:
            continue
        else:
            yield Store(kind, root)


def store_at(path: str) -> Store | None:
    """Return the store whose root is at `path`, None where there is none, or none that may be
    read."""
    root = os.path.realpath(path)
    for mark, kind in MARKS:
        if os.path.lexists(os.path.join(path, mark)):
            return Store(kind, path)
    return next((Store(kind, path) for kind, known in FIXED if root == known), None)
