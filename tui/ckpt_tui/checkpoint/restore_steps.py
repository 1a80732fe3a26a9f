"""What each engine reads and writes to dump a container (DUMPS) and to restore it (WAYS), in bytes
of one checkpoint.

By the dump code of podman (exportCheckpoint), CRI-O (ContainerCheckpoint) and containerd 2.1 to 2.3
(the tasks service's Checkpoint, CheckpointContainer), and the restore code of podman
(CRImportCheckpoint, CRApplyRootFsDiffTar), CRI-O (ContainerRestore) and containerd
(CRImportCheckpoint, the shim's Create). Counted is the work on data that lies on the node already;
what CRIU itself reads to restore is the same in all of them and left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ckpt_tui.checkpoint.model import Checkpoint

Verb = Literal[
    "decompress", "unpack", "copy", "apply", "untar", "mount", "dump", "archive", "compress"
]

Phase = Literal["dump", "restore"]

StepPart = Literal["metadata", "images", "delta", "shm", "volumes"]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Bytes of the parts of one checkpoint."""

    packed: int
    """Of the archive, or of all layers, as stored."""
    metadata: int = 0
    images: int = 0
    """CRIU images, pages included."""
    delta: int = 0
    """The nested tar; unpacked where it was compressed."""
    delta_stored: int = 0
    """The nested tar as it lies in the checkpoint."""
    shm: int = 0
    volumes: int = 0
    optimized: bool = False
    engine: str = ""
    """That made it, empty for a runtime's folder of images."""

    def of(self, *parts: StepPart) -> int:
        """Return the bytes of some parts, stored as in the checkpoint."""
        sizes = {
            "metadata": self.metadata,
            "images": self.images,
            "delta": self.delta_stored,
            "shm": self.shm,
            "volumes": self.volumes,
        }
        return sum(sizes[part] for part in parts)


@dataclass(frozen=True, slots=True)
class RestoreStep:
    """One step of a restore; bytes read and written."""

    name: str
    verb: Verb
    parts: tuple[StepPart, ...]
    """What it writes."""
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class Way:
    """How one engine restores one form."""

    id: str
    engine: str
    form: str
    """legacy archive, legacy image, or optimized."""
    steps: tuple[RestoreStep, ...]
    refused: str = ""
    """Why the engine does not restore this checkpoint; empty if it does."""
    phase: Phase = "restore"

    @property
    def reads(self) -> int:
        return sum(step.reads for step in self.steps)

    @property
    def writes(self) -> int:
        return sum(step.writes for step in self.steps)

    @property
    def name(self) -> str:
        return f"{self.form}, {self.engine}"


def amounts_of(checkpoint: Checkpoint) -> Amounts:
    """Return the bytes of a checkpoint, part by part."""
    sizes = {share.name: share.bytes for share in checkpoint.sizes.components}
    delta = checkpoint.delta
    content = sum(entry.size for entry in delta.entries if entry.change != "deleted")
    optimized = checkpoint.format.optimized
    compressed = max(0, delta.plain_bytes - delta.bytes) if delta.plain_bytes else 0
    stored = content if optimized else sizes.get("delta", 0) - compressed
    return Amounts(
        packed=checkpoint.sizes.packed,
        metadata=sizes.get("metadata", 0),
        images=sizes.get("pages", 0) + sizes.get("images", 0),
        delta=max(content, stored if delta.dialect == "files" else 0),
        delta_stored=stored,
        shm=sizes.get("devshm", 0),
        volumes=sizes.get("volumes", 0),
        optimized=optimized,
        engine=checkpoint.format.engine,
    )


@dataclass(frozen=True, slots=True)
class _Recipe:
    """One entry of the table: the steps are made for the amounts of a checkpoint."""

    id: str
    engine: str
    form: str
    steps: tuple[Callable[[Amounts], RestoreStep], ...]


def _pass(name: str, verb: Verb, *parts: StepPart) -> Callable[[Amounts], RestoreStep]:
    """A pass over the whole archive that writes some parts of it."""
    return lambda have: RestoreStep(name, verb, parts, have.packed, have.of(*parts))


def _copy(name: str, *parts: StepPart) -> Callable[[Amounts], RestoreStep]:
    return lambda have: RestoreStep(name, "copy", parts, have.of(*parts), have.of(*parts))


def _apply(have: Amounts) -> RestoreStep:
    return RestoreStep("apply delta", "apply", ("delta",), have.delta_stored, have.delta)


def _untar(name: str, part: StepPart) -> Callable[[Amounts], RestoreStep]:
    return lambda have: RestoreStep(name, "untar", (part,), have.of(part), have.of(part))


def _mount(have: Amounts) -> RestoreStep:
    del have
    return RestoreStep("mount", "mount", (), 0, 0)


_SHM, _VOLUMES = _untar("shared memory", "shm"), _untar("volumes", "volumes")
_ALL: tuple[StepPart, ...] = ("images", "delta", "shm", "volumes")

WAYS: tuple[_Recipe, ...] = (
    _Recipe("podman-archive", "podman", "legacy archive",
            (_pass("decompress", "decompress", "metadata", "shm"),
             _pass("decompress again", "unpack", *_ALL), _apply, _SHM, _VOLUMES)),
    _Recipe("podman-image", "podman", "legacy image",
            (_copy("copy all", *_ALL), _apply, _SHM, _VOLUMES)),
    _Recipe("cri-o-archive", "CRI-O", "legacy archive",
            (_pass("read", "decompress", "metadata", "shm"),
             _pass("read again", "unpack", "images", "delta", "shm"), _apply)),
    _Recipe("cri-o-image", "CRI-O", "legacy image",
            (_copy("copy all", "images", "delta", "shm"), _apply)),
    _Recipe("containerd-archive", "containerd", "legacy archive",
            (_pass("read", "decompress", "metadata"),
             _pass("read again", "unpack", "images", "delta"), _apply)),
    _Recipe("containerd-image", "containerd", "legacy image",
            (_copy("copy all", "metadata", "images", "delta"), _apply)),
    _Recipe("podman-optimized", "podman", "optimized",
            (_copy("copy CRIU images", "images", "shm", "volumes"), _SHM, _VOLUMES)),
    _Recipe("cri-o-optimized", "CRI-O", "optimized", (_copy("copy CRIU images", "images", "shm"),)),
    _Recipe("containerd-optimized", "containerd", "optimized",
            (_copy("copy the image", "metadata", "images", "shm", "volumes"),)),
    _Recipe("in-place", "in place", "optimized", (_mount, _SHM, _VOLUMES)),
)  # fmt: skip
"""In the order shown. A step that moves nothing is left out, but for mounting."""


_PARTS: tuple[StepPart, ...] = ("metadata", *_ALL)


def _dump(have: Amounts) -> RestoreStep:
    """CRIU writes the memory of the processes into image files."""
    return RestoreStep("CRIU writes images", "dump", ("images",), have.images, have.images)


def _archive(name: str, *parts: StepPart) -> Callable[[Amounts], RestoreStep]:
    """A plain tar."""
    return lambda have: RestoreStep(name, "archive", parts, have.of(*parts), have.of(*parts))


def _delta_tar(have: Amounts) -> RestoreStep:
    return RestoreStep("delta tar", "archive", ("delta",), have.delta, have.delta_stored)


def _compress(name: str) -> Callable[[Amounts], RestoreStep]:
    """One compressed archive, or the layers of an image."""
    return lambda have: RestoreStep(name, "compress", _PARTS, have.of(*_PARTS), have.packed)


DUMPS: tuple[_Recipe, ...] = (
    _Recipe("podman-dump", "podman", "dump to archive",
            (_dump, _delta_tar, _archive("shared memory tar", "shm"),
             _archive("volume tars", "volumes"), _compress("compressed archive"))),
    _Recipe("cri-o-dump", "CRI-O", "dump to archive",
            (_dump, _delta_tar, _archive("archive", "metadata", "images", "delta", "shm"))),
    _Recipe("containerd-dump", "containerd", "dump to archive",
            (_dump, _archive("images tar", "images"), _delta_tar,
             _copy("unpack images tar", "images"), _copy("copy delta tar", "delta"),
             _archive("archive", "metadata", "images", "delta"))),
    _Recipe("optimized-dump", "ckpt-tui", "dump to image", (_dump, _compress("layers"))),
)  # fmt: skip
"""In the order shown."""


def dumps(have: Amounts) -> tuple[Way, ...]:
    """Return every way to dump the container of a checkpoint, with what each step moves: as large
    as what this checkpoint holds, compressed as it is."""
    return _made(DUMPS, have, "dump")


def ways(have: Amounts) -> tuple[Way, ...]:
    """Return every way to restore a checkpoint, with what each step moves."""
    return _made(WAYS, have, "restore")


def _made(recipes: tuple[_Recipe, ...], have: Amounts, phase: Phase) -> tuple[Way, ...]:
    return tuple(
        Way(
            recipe.id,
            recipe.engine,
            recipe.form,
            tuple(
                step
                for make in recipe.steps
                if (step := make(have)).verb == "mount" or step.reads or step.writes
            ),
            _refusal(recipe, have.engine) if phase == "restore" else "",
            phase,
        )
        for recipe in recipes
    )


def _refusal(recipe: _Recipe, made_by: str) -> str:
    """Say whether an engine refuses what another one made. Each wants files of its own: podman its
    config.dump, CRI-O annotations in spec.dump, containerd status.dump."""
    if made_by not in ENGINES or recipe.engine.lower() not in ENGINES - {made_by}:
        return ""
    return f"made by {made_by}, and an engine restores only its own checkpoints"


ENGINES = {"podman", "cri-o", "containerd"}


@dataclass(frozen=True, slots=True)
class Pulls:
    """Bytes that come over the wire for three purposes."""

    listing: int
    """To see processes, files and sockets of a checkpoint in a registry."""
    restore: int
    next_one: int
    """For the next checkpoint of the same container when only its memory has changed."""


def pulls(checkpoint: Checkpoint) -> tuple[Pulls, Pulls, bool]:
    """Return what is pulled in the legacy form and in the optimized one, and whether the latter
    was measured: of a legacy checkpoint it is what the parts have unpacked, an upper bound."""
    packed = checkpoint.sizes.packed
    legacy = Pulls(packed, packed, packed)
    if not checkpoint.format.optimized:
        have = amounts_of(checkpoint)
        pages = {s.name: s.bytes for s in checkpoint.sizes.components}.get("pages", 0)
        small = have.metadata + have.images - pages
        return legacy, Pulls(min(small, packed), packed, min(small + pages, packed)), False
    by_role: dict[str, int] = {}
    for layer in checkpoint.sizes.layers:
        by_role[layer.role] = by_role.get(layer.role, 0) + layer.size
    small = by_role.get("metadata", 0) + by_role.get("criu", 0)
    return legacy, Pulls(small, packed, small + by_role.get("pages", 0)), True
