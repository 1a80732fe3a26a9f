"""The config.json that a runtime restores a container with, made from its spec.dump.

Only what a restore needs is taken over (runtime-spec, config.md): a checkpoint may come from a
stranger. Hooks and annotations, which runtimes run and obey, are left out, and so is all of the
host that the container had, unless it is asked for.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ckpt_tui.core.document import text_at, texts_at, value_at
from ckpt_tui.core.errors import CkptError

NAMESPACES = ("pid", "network", "ipc", "uts")
"""Namespaces that a container has of its own, besides that of its mounts."""

_PROCESS = ("user", "args", "env", "cwd", "capabilities", "noNewPrivileges", "apparmorProfile")
"""What `exec` starts further processes with; those that are restored bring their own."""

_LINUX = ("maskedPaths", "readonlyPaths", "seccomp", "mountLabel", "rootfsPropagation")

_ENGINE_FOLDERS = ("/userdata/", "/sandboxes/", "/docker/containers/", "/kubelet/pods/")
_ENGINE_FILES = (
    "/etc/hosts",
    "/etc/hostname",
    "/etc/resolv.conf",
    "/run/.containerenv",
    "/dev/shm",
    "/dev/termination-log",
)
"""What engines give each container: out of a folder of their own, at these places."""

_VOLUMES = "/volumes/"
"""podman keeps a named volume in volumes/NAME/_data, and exports it as volumes/NAME.tar."""


class Origin(Enum):
    """Where what is mounted comes from."""

    MADE = "made here"
    """What every engine gives its containers."""
    VOLUME = "volume in the checkpoint"
    GIVEN = "asked for"
    COPY = "copy of the host's, thrown away"


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or folder that is mounted into the container from outside."""

    destination: str
    origin: Origin
    source: str = ""
    """On the host; of a volume its name."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person allows a container to have of the host."""

    mounts: Mapping[str, str] = field(default_factory=dict)
    """Destination in the container to source on the host."""
    devices: bool = False
    host_namespaces: bool = False
    network: str = "none"
    """none, host, or ns:PATH."""
    is_trial: bool = False
    """The host is as before afterwards."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the cgroup of the container may have, where there is a controller for it."""

    memory: int = 0
    """Bytes; 0 is no limit."""
    pids: int = 0


@dataclass(frozen=True, slots=True)
class Bundle:
    """What is to be made before a runtime can restore."""

    config: dict[str, Any]
    binds: tuple[Bind, ...]
    notes: tuple[str, ...]
    """What differs from the dump, a sentence each."""
    needs_network: bool
    """Whether the network namespace is one that is there before."""


def make_bundle(
    spec: Mapping[str, Any], folder: str, choices: Choices, volumes: Iterable[str] = ()
) -> Bundle:
    """Return the bundle for a spec.dump; `folder` will have rootfs, and binds with all that is
    mounted. `volumes` are those that the checkpoint has with it.

    Raises:
        CkptError: the container had something of its host that was not asked for.
    """
    notes: list[str] = []
    binds = _binds(spec, choices, frozenset(volumes))
    sources = {bind.destination: bind_source(folder, bind) for bind in binds}
    spaces, needs_network = _namespaces(spec, choices, notes)
    linux = {key: value_at(spec, "linux", key) for key in _LINUX}
    seccomp = linux["seccomp"]
    if isinstance(seccomp, dict):
        linux["seccomp"] = {k: v for k, v in seccomp.items() if not k.startswith("listener")}
    resources, devices = _resources(spec, choices, notes)
    config = {
        "ociVersion": text_at(spec, "ociVersion") or "1.0.2",
        "process": {"terminal": False, **_kept(value_at(spec, "process"), _PROCESS)},
        "root": {"path": f"{folder}/rootfs"},
        "hostname": text_at(spec, "hostname"),
        "mounts": [_mount(mount, sources) for mount in _mounts(spec)],
        "linux": {
            **{key: value for key, value in linux.items() if value is not None},
            "namespaces": spaces,
            "resources": resources,
            "devices": devices,
        },
    }
    if value_at(spec, "hooks"):
        notes.append("Hooks of the container are not run.")
    return Bundle(config, binds, tuple(notes), needs_network)


def with_place(bundle: Bundle, cgroup: str, limits: Limits, network: str) -> dict[str, Any]:
    """Return the config for a cgroup, its limits, and a network namespace by its path."""
    linux = dict(bundle.config["linux"])
    resources = dict(linux["resources"])
    if limits.memory:
        resources["memory"] = {"limit": limits.memory}
    if limits.pids:
        resources["pids"] = {"limit": limits.pids}
    spaces = [dict(space) for space in linux["namespaces"]]
    for space in spaces:
        if space["type"] == "network" and bundle.needs_network:
            space["path"] = network
    linux.update(cgroupsPath=cgroup, resources=resources, namespaces=spaces)
    return {**bundle.config, "linux": linux}


def bind_source(folder: str, bind: Bind) -> str:
    """Return where on the host what is mounted lies."""
    return bind.source if bind.origin is Origin.GIVEN else f"{folder}/binds{bind.destination}"


def _kept(document: object, keys: Iterable[str]) -> dict[str, Any]:
    found = document if isinstance(document, dict) else {}
    return {key: found[key] for key in keys if key in found}


def _mounts(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = spec.get("mounts")
    mounts = [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []
    for mount in mounts:
        where = text_at(mount, "destination")
        if not where.startswith("/") or posixpath.normpath(where) != where or "\0" in where:
            raise CkptError("spec.dump cannot be used:", f"it mounts at {where!r}.")
    return mounts


def _is_bind(mount: Mapping[str, Any]) -> bool:
    options = texts_at(mount, "options")
    return mount.get("type") == "bind" or "bind" in options or "rbind" in options


def _mount(mount: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Any]:
    kept = _kept(mount, ("destination", "type", "source", "options"))
    return {**kept, "source": sources[kept["destination"]]} if _is_bind(mount) else kept


def _binds(spec: Mapping[str, Any], choices: Choices, volumes: frozenset[str]) -> tuple[Bind, ...]:
    binds, missing = [], []
    wanted = dict(choices.mounts)
    for mount in filter(_is_bind, _mounts(spec)):
        where, source = mount["destination"], text_at(mount, "source")
        volume = source.rpartition(_VOLUMES)[2].removesuffix("/_data")
        if where in wanted:
            binds.append(Bind(where, Origin.GIVEN, wanted.pop(where)))
        elif where in _ENGINE_FILES and any(part in source for part in _ENGINE_FOLDERS):
            binds.append(Bind(where, Origin.MADE))
        elif volume in volumes:
            binds.append(Bind(where, Origin.VOLUME, volume))
        elif choices.is_trial:
            binds.append(Bind(where, Origin.COPY, source))
        else:
            missing.append(f"{where} (was {source})")
    if missing:
        first = missing[0].partition(" ")[0]
        raise CkptError(
            "The container had files of its host:",
            f"{', '.join(missing)}.",
            f"Name what goes there: --mount {first}=PATH, for each.",
        )
    if wanted:
        raise CkptError(
            f"The container has no mount at {', '.join(wanted)}.",
            "CRIU restores the mounts that it had, and no others.",
        )
    return tuple(binds)


def _namespaces(
    spec: Mapping[str, Any], choices: Choices, notes: list[str]
) -> tuple[list[dict[str, str]], bool]:
    """Return the namespaces, and whether that of the network is made before."""
    listed = value_at(spec, "linux", "namespaces")
    found = [s for s in listed if isinstance(s, dict)] if isinstance(listed, list) else []
    kinds = {text_at(space, "type"): text_at(space, "path") for space in found}
    if "user" in kinds:
        raise CkptError(
            "The container has a user namespace.",
            "Its root filesystem would need other owners.",
            "Restore it with the engine that made it.",
        )
    shared = [kind for kind in NAMESPACES if kind not in kinds and kind != "network"]
    if shared and not (choices.host_namespaces or choices.is_trial):
        raise CkptError(
            f"The container was in namespaces of its host: {', '.join(shared)}.",
            "It sees and reaches what is in those of this host.",
            "Allow it with --host-namespaces.",
        )
    joined = [kind for kind, path in kinds.items() if path and kind != "network"]
    if joined:
        notes.append(f"Namespaces that it shared are its own now: {', '.join(joined)}.")
    if "network" not in kinds and choices.network == "none":
        notes.append("It was in the network of its host, and has none now.")
    if "network" in kinds and not kinds["network"] and choices.network != "none":
        notes.append("Its network namespace is in the checkpoint, and --network is not used.")
    return [{"type": kind} for kind in kinds], bool(kinds.get("network"))


def _resources(
    spec: Mapping[str, Any], choices: Choices, notes: list[str]
) -> tuple[dict[str, Any], list[Any]]:
    """Return the limits of the cgroup, which are those of devices, and the devices."""
    none = [{"allow": False, "access": "rwm"}]
    rules = value_at(spec, "linux", "resources", "devices")
    devices = value_at(spec, "linux", "devices")
    devices = devices if isinstance(devices, list) else []
    if choices.devices:
        return {"devices": rules if isinstance(rules, list) else none}, devices
    if devices:
        names = ", ".join(text_at(device, "path") for device in devices)
        notes.append(f"It may not use the devices that it had: {names}. --devices lets it.")
    return {"devices": none}, []
