"""From decoded images and metadata to one frozen Checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.tree import Member, Tree
from ckpt_tui.checkpoint.cgroups import build_cgroup_directories, build_cgroups
from ckpt_tui.checkpoint.component_sizes import build_sizes
from ckpt_tui.checkpoint.delta import DIFF, SoFar, build_delta
from ckpt_tui.checkpoint.filetable import LEGACY, FileTable, file_table
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.inventory import build_criu_facts
from ckpt_tui.checkpoint.memory import MemoryReader, build_memory, read_strings
from ckpt_tui.checkpoint.model import (
    Checkpoint,
    ContainerFacts,
    Delta,
    FormatFacts,
    Loaded,
    Note,
    Pending,
    Process,
    StoredPart,
)
from ckpt_tui.checkpoint.namespaces import build_namespaces
from ckpt_tui.checkpoint.openfiles import build_files
from ckpt_tui.checkpoint.places import build_mounts
from ckpt_tui.checkpoint.processes import UNNAMED, build_processes
from ckpt_tui.checkpoint.seccomp import build_seccomp
from ckpt_tui.core.progress import Progress

MAX_NOTES = 1000
"""Notes of one checkpoint; more are counted."""


QUICK_BYTES = 2 << 20
"""Bytes of the images of descriptors that are read in a moment: some 25,000 of them."""

QUICK_IMAGES = 5_000
"""Images that are read in a moment: a process has six or more."""

QUICK_DELTA = 64 << 20
"""Bytes of an archive of changed files whose members are told in a moment."""

NAMED_AT_FIRST = 500
"""Processes looked at before all are: more than any screen has lines."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a format found: everything that `build_checkpoint` needs."""

    source: str
    tree: Tree
    images: ImageDirectory
    images_folder: str
    format: FormatFacts
    container: ContainerFacts
    packed: int
    notes: tuple[Note, ...] = ()
    layers: tuple[StoredPart, ...] = ()
    delta: Delta | None = None
    """Already known, as in an image whose delta is a layer; None: look in the tree."""
    delta_so_far: SoFar | None = None
    """Hears of the changes while they are read; None: not reported."""
    base: Mapping[str, Member] | None = None
    """Members of the base image, where it is at hand."""
    memory: MemoryReader | None = None
    """Reads page maps, and keeps them for who looks into memory later; None: a new one."""


def build_checkpoint(parts: Parts, progress: Progress, *, at_first: bool = False) -> Checkpoint:
    """Read everything but page contents.

    `at_first` leaves out what takes long where there are very many descriptors or processes: the
    descriptors, the paths of open files, memory, the number of records of each image, and of all
    processes but the first their names; and the entries of a large archive of changed files, which
    are `Parts.delta_so_far`. The checkpoint
    `is_loaded` where there is not that much.

    Raises:
        Cancelled: the caller gave up. Damage never raises: it is in `notes`.
    """
    images, notes = parts.images, list(parts.notes)
    whole = not at_first or _is_quick(images)
    tree, so_far = parts.tree, parts.delta_so_far
    table = file_table(images, progress) if whole else FileTable(None)
    reader = parts.memory or MemoryReader(images)
    named = None if whole else NAMED_AT_FIRST
    processes = build_processes(images, table, notes, progress, named)
    processes = _with_strings(images, reader, processes, progress)
    memory = build_memory(images, table, reader, progress) if whole else ()
    files, sockets = build_files(images if whole else None, table, processes, progress)
    listing = images.listing(progress, decode=whole)
    pending = Pending(not whole)
    if parts.delta is not None:
        delta = parts.delta
    elif at_first and so_far is not None and tree.members[DIFF].size > QUICK_DELTA:
        delta = Delta("", so_far, tree.members[DIFF].size)
        pending = Pending(not whole, changes=True)
    else:
        delta = build_delta(tree, parts.base, notes, progress, so_far)
    cgroups = build_cgroups(images, processes)
    criu = build_criu_facts(images, tree, parts.container.annotations, notes)
    return Checkpoint(
        source=parts.source,
        format=parts.format,
        container=parts.container,
        criu=criu,
        processes=processes,
        files=files,
        sockets=sockets,
        mounts=build_mounts(images),
        namespaces=build_namespaces(images, processes),
        cgroups=cgroups,
        memory=memory,
        delta=delta,
        images=listing,
        sizes=build_sizes(
            tree.members,
            parts.images_folder,
            parts.packed,
            listing,
            processes,
            memory,
            parts.layers,
            delta,
        ),
        seccomp=build_seccomp(images),
        cgroup_directories=build_cgroup_directories(images, cgroups),
        notes=_limited([*notes, *images.notes]),
        state=Loaded() if pending == Pending() else pending,
    )


def _is_quick(images: ImageDirectory) -> bool:
    tables = images.named("fdinfo-")
    size = sum(images.size(name) for name in (*tables, "files.img", *LEGACY))
    return size <= QUICK_BYTES and len(images.names) <= QUICK_IMAGES


def _with_strings(
    images: ImageDirectory,
    reader: MemoryReader,
    processes: tuple[Process, ...],
    progress: Progress,
) -> tuple[Process, ...]:
    known = [p for p in processes if p.state != UNNAMED]
    strings = read_strings(images, reader, known, progress)
    return tuple(
        dataclasses.replace(p, argv=strings[p.pid][0], env=strings[p.pid][1])
        if p.pid in strings
        else p
        for p in processes
    )


def _limited(notes: list[Note]) -> tuple[Note, ...]:
    """Return each note once, and how many are left out: damage can make one of every record."""
    found = tuple(dict.fromkeys(notes))
    if len(found) <= MAX_NOTES:
        return found
    more = Note("notes", f"{len(found) - MAX_NOTES:,} more notes were left out.")
    return (*found[:MAX_NOTES], more)
