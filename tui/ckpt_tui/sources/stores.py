"""The local stores of engines: where they usually are, and what kind one is, by its content."""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckpt_tui.core.document import text_at, texts_at

DRIVERS = ("overlay", "vfs")
"""Drivers whose layers are folders."""

CONTAINERD_ROOT = "/var/lib/containerd"
CONTAINERD_STATE = "/run/containerd"
"""Where containerd keeps what lasts and what runs, unless its configuration says otherwise."""

DATABASE = "io.containerd.metadata.v1.bolt/meta.db"
"""containerd's, below its root."""


PODMAN_STORE = "containers-storage"
CONTAINERD_STORE = "containerd"
"""Of targets: what is written before the colon."""

_STORED = re.compile(
    rf"(?P<store>{PODMAN_STORE}|{CONTAINERD_STORE}):"
    r"(?:\[(?:(?P<within>[^@\]]*)@)?(?P<root>[^\]]*)\])?(?P<name>.*)",
    re.DOTALL,
)


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


@dataclass(frozen=True, slots=True)
class Location:
    """One store."""

    root: Path
    driver: str


@dataclass(frozen=True, slots=True)
class StoredTarget:
    """A target that is an image in a local store, `STORE:[WITHIN@ROOT]NAME`, taken apart."""

    store: str
    """`PODMAN_STORE` or `CONTAINERD_STORE`."""
    within: str
    """Driver of podman's store, or namespace of containerd's; empty: any."""
    root: str
    """Empty: where the store usually is."""
    name: str


MARKS = (
    (DATABASE, StoreKind.CONTAINERD),
    *((f"{driver}-images", StoreKind.CONTAINERS) for driver in DRIVERS),
    *((f"{driver}-containers", StoreKind.CONTAINERS) for driver in DRIVERS),
    ("engine-id", StoreKind.DOCKER),
    ("image/overlay2/repositories.json", StoreKind.DOCKER),
    ("image/vfs/repositories.json", StoreKind.DOCKER),
)
"""What a folder has in it by which it is the root of a store."""

FIXED = (
    (StoreKind.CONTAINERD, CONTAINERD_ROOT),
    (StoreKind.CONTAINERD, "/var/lib/rancher/k3s/agent/containerd"),
    (StoreKind.DOCKER, "/var/lib/docker"),
    (StoreKind.KUBELET, "/var/lib/kubelet/checkpoints"),
)
"""Where engines keep their stores unless they are told otherwise; kubelet's folder holds the
archives of its checkpoint call (KEP-2008)."""


def stored_target(target: str) -> StoredTarget | None:
    """Return what a target says of an image in a local store, None for any other target."""
    match = _STORED.fullmatch(target)
    if match is None:
        return None
    root = match["root"] or ""
    if match["store"] == PODMAN_STORE:
        root = root.partition("+")[0]  # podman's run root and options follow
    return StoredTarget(match["store"], match["within"] or "", root, match["name"])


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


def locations() -> Iterator[Location]:
    """Yield where this user's podman would look for stores, and the system's; not all exist."""
    import tomllib  # 3 ms, and most targets are in no store

    roots: list[Path] = []
    for path in _config_files():
        with suppress(OSError, ValueError):
            config = tomllib.loads(path.read_text("utf-8"))
            roots += _configured(config)
            break
    user_data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    roots += [Path(user_data) / "containers/storage"] if os.geteuid() else []
    roots.append(Path("/var/lib/containers/storage"))
    for root in dict.fromkeys(roots):
        for driver in DRIVERS:
            yield Location(root, driver)


def _config_files() -> Iterator[Path]:
    if explicit := os.environ.get("CONTAINERS_STORAGE_CONF"):
        yield Path(explicit)
        return
    if os.geteuid():
        yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / (
            "containers/storage.conf"
        )
    yield Path("/etc/containers/storage.conf")
    yield Path("/usr/share/containers/storage.conf")


def _configured(config: Mapping[str, Any]) -> list[Path]:
    own = text_at(config, "storage", "graphroot")
    if os.geteuid():
        # For others than root, graphroot counts in their own file only; the key for all is:
        own = text_at(config, "storage", "rootless_storage_path") or own
    more = texts_at(config, "storage", "options", "additionalimagestores")
    expanded = (os.path.expandvars(path).replace("$UID", str(os.getuid())) for path in (own, *more))
    return [Path(path) for path in expanded if os.path.isabs(path)]
