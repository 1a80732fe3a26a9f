"""The cgroups of the processes: sets, and the directories of each hierarchy."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Cgroup, CgroupDirectory, Process
from ckpt_tui.criu.values import text


def hierarchy_name(name: str) -> str:
    """Return what a hierarchy is called: its controllers; cgroup v2 has no name in the images."""
    return name or "cgroup2"


def build_cgroups(images: ImageDirectory, processes: tuple[Process, ...]) -> tuple[Cgroup, ...]:
    """Return the cgroup sets with the processes in them."""
    members: dict[int, list[int]] = defaultdict(list)
    for process in processes:
        if process.cgroup_set is not None:
            members[process.cgroup_set].append(process.pid)
    paths = dict(_sets(images))
    return tuple(
        Cgroup(id=i, pids=tuple(members[i]), paths=paths.get(i, {}))
        for i in sorted({*members, *paths})
    )


def _sets(images: ImageDirectory) -> Iterator[tuple[int, dict[str, str]]]:
    for entry in images.messages("cgroup.img"):
        for cgroup_set in entry.sets:
            yield (
                cgroup_set.id,
                {hierarchy_name(text(c.name)): text(c.path) for c in cgroup_set.ctls},
            )


def build_cgroup_directories(
    images: ImageDirectory, sets: tuple[Cgroup, ...]
) -> tuple[CgroupDirectory, ...]:
    """Return the cgroups that have processes in them, and those that were dumped with their
    properties, by hierarchy and path."""
    pids: dict[tuple[str, str], list[int]] = defaultdict(list)
    for cgroup_set in sets:
        for place in cgroup_set.paths.items():
            pids[place] += cgroup_set.pids
    dumped: dict[tuple[str, str], Any] = {}
    threaded: set[str] = set()
    for entry in images.messages("cgroup.img"):
        for controller in entry.controllers:
            hierarchy = hierarchy_name(",".join(map(text, controller.cnames)))
            if controller.is_threaded:
                threaded.add(hierarchy)
            for directory in controller.dirs:
                for path, below in _tree("", directory):
                    dumped[hierarchy, path] = below
    found = []
    for hierarchy, path in sorted({*pids, *dumped}):
        entry = dumped.get((hierarchy, path))
        perms = entry.dir_perms if entry is not None and entry.HasField("dir_perms") else None
        found.append(
            CgroupDirectory(
                hierarchy,
                path,
                tuple(sorted(set(pids.get((hierarchy, path), ())))),
                dumped=entry is not None,
                threaded=hierarchy in threaded,
                properties={text(p.name): text(p.value).rstrip("\n") for p in entry.properties}
                if entry is not None
                else {},
                mode=perms.mode if perms else None,
                uid=perms.uid if perms else None,
                gid=perms.gid if perms else None,
            )
        )
    return tuple(found)


def _tree(parent: str, directory: Any) -> Iterator[tuple[str, Any]]:
    """Yield a directory and those below with their paths. No image nests deeper than protobuf
    lets messages nest."""
    name = text(directory.dir_name).strip("/")
    path = f"{parent.rstrip('/')}/{name}" if name or not parent else parent
    yield path, directory
    for child in directory.children:
        yield from _tree(path, child)


def cgroup_above(
    directory: CgroupDirectory, known: Mapping[tuple[str, str], int]
) -> tuple[str, str] | None:
    """Return the nearest cgroup above that the checkpoint has."""
    path = directory.path.rstrip("/")
    while path:
        path = path.rpartition("/")[0]
        above = (directory.hierarchy, path or "/")
        if above in known:
            return above
    return None
