"""Records of what sets a container apart: mounts, namespaces and cgroups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount of one mount namespace."""

    id: int
    parent_id: int
    namespace: int
    mountpoint: str
    root: str
    source: str
    fstype: str
    flags: tuple[str, ...] = ()
    options: str = ""
    external_key: str = ""
    dumped_bytes: int = 0
    """Bytes of the tmpfs archive in the checkpoint, packed."""
    device: str = ""


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace and who is in it."""

    id: int
    kind: str
    pids: tuple[int, ...]
    dumped: bool
    """False: the host's own, taken from the restoring host."""
    detail: str = ""
    """A few words: host name, interfaces, how many mounts."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """What the images keep of it: names, id ranges, interfaces, clocks, sysctls."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """One cgroup set: controller to path."""

    id: int
    pids: tuple[int, ...]
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CgroupDirectory:
    """One cgroup of one hierarchy."""

    hierarchy: str
    """Its controllers: `memory`, `cpu,cpuacct`, `name=systemd`; `cgroup2`."""
    path: str
    pids: tuple[int, ...]
    """Processes in it, those below it not counted."""
    dumped: bool = False
    """CRIU kept its properties and makes it anew; False: it has to be there at the restore."""
    threaded: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    """Its files and what was in them."""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
