"""What is known of a checkpoint before its processes are: its container, files, and notes.

Apart from the rest of the model, whose classes cost 20 ms: a command that decodes one image needs
only these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

DIFF = "rootfs-diff.tar"
"""Member of an archive with the files that the container changed."""

VERSION_KEYS = (
    "io.podman.annotations.checkpoint.criu.version",
    "io.kubernetes.cri-o.annotations.checkpoint.criu.version",
    "org.criu.checkpoint.criu.version",
)
"""Annotations in which the engines leave the release of CRIU."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something damaged, missing, unknown or left out."""

    where: str
    """The image, member or part it is about."""
    text: str
    """One sentence."""
    damaged: bool = False
    """Whether bytes are other than they were, or not there."""


@dataclass(frozen=True, slots=True)
class FormatFacts:
    """What kind of container the checkpoint came in."""

    name: str
    """`archive`, `image`, `directory`, `layout` … for people: "podman archive"."""
    engine: str
    """podman, cri-o, containerd, runc, … or "unknown"."""
    optimized: bool
    compression: str
    """zstd, gzip or plain: of the archive as a whole; of an image "per layer"."""
    key_ids: tuple[str, ...] = ()
    """The keys that encrypted layers of an image ask for; empty where none is encrypted."""
    locked: bool = False
    """Whether some of these could not be read, because no key at hand opens them."""


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the engine's metadata says of the container."""

    id: str = ""
    name: str = ""
    image: str = ""
    image_id: str = ""
    """Digest of the image config, 64 hex digits, where the engine recorded it."""
    runtime: str = ""
    created: datetime | None = None
    checkpointed: datetime | None = None
    pod: str = ""
    namespace: str = ""
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Network name to addresses."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the runtime spec and, for images, of the manifest."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file of the CRIU image directory."""

    name: str
    kind: str
    """Name in KINDS, or "unknown"."""
    size: int
    entries: int | None
    """Records in it; None for raw files and unreadable ones."""
    unknown_fields: int = 0
    description: str = ""
    problem: str = ""
