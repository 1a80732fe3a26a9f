"""Entries of the catalogue: what is in a folder, a store, a registry or an image."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ckpt_tui.core.errors import CkptError
from ckpt_tui.sources.base import Descriptor


class Kind(enum.Enum):
    """What an entry is; the value is what a list shows."""

    FOLDER = "folder"
    LAYOUT = "OCI layout"
    CHECKPOINT = "checkpoint folder"
    ARCHIVE = "archive"
    IMAGE_ARCHIVE = "archive of images"
    """Begins as those of images do; a compressed one does not show it and is an `ARCHIVE`."""
    STORE = "engine's store"
    REGISTRIES = "registries"
    REGISTRY = "registry"
    REPOSITORY = "repository"
    TAG = "tag"
    """An image in a registry of which only the name is known yet."""
    IMAGE = "image"
    PART = "part of an image"
    """A manifest, config or layer."""
    LOG = "log"
    """Of CRIU."""
    PROBLEM = "problem"
    """What could not be read; `problem` says why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry; empty and None is what is not known, or not yet."""

    kind: Kind
    name: str
    """Bytes that are not UTF-8 are surrogate escapes."""
    path: str = ""
    """Address of the place: of a folder, store, registry or repository its own, of an image that
    of the place it is in."""
    target: str = ""
    """Opens it as a checkpoint, or a log; empty for what only leads to others."""
    content: str = ""
    """checkpoint, log, image, index or artifact; of a part, the end of its media type."""
    role: str = ""
    """Of a part: manifest, config, layer, blob or referrer, or what the optimized format says."""
    engine: str = ""
    criu: str = ""
    """Release of CRIU that dumped it."""
    container: str = ""
    image: str = ""
    """Image that the container was made from."""
    namespace: str = ""
    """Of containerd, or of the pod."""
    pod: str = ""
    compression: str = ""
    """zstd, gzip or plain, of an archive."""
    descriptor: Descriptor | None = None
    size: int | None = None
    """Bytes: of a file, of all layers and configs of an image, of a part."""
    created: datetime | None = None
    """Of a file, when it was modified."""
    optimized: bool = False
    note: str = ""
    """A remark for a person."""
    problem: CkptError | None = None
    """Why no more is known of it."""
    parts: tuple[Entry, ...] | None = None
    """What is in it, where that is known without asking."""

    @property
    def digest(self) -> str:
        return self.descriptor.digest if self.descriptor else ""

    @property
    def media_type(self) -> str:
        return self.descriptor.media_type if self.descriptor else ""

    @property
    def artifact_type(self) -> str:
        """The type of an artifact, of anything else its media type."""
        return (self.descriptor.artifact_type if self.descriptor else "") or self.media_type

    def flat(self) -> Iterator[Entry]:
        """Yield it and all that is known to be in it."""
        yield self
        for part in self.parts or ():
            yield from part.flat()
