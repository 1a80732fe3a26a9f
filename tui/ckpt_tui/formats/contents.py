"""What was found where a checkpoint is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.errors import KeyNeeded

if TYPE_CHECKING:
    from ckpt_tui.checkpoint.model import Delta, Note, StoredPart
    from ckpt_tui.sources.oci import LayerBlob


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found in an image, an archive or a directory."""

    tree: Tree
    packed: int
    """Bytes as stored: of the archive, of a directory's files, of an image's own blobs without
    those of the base image."""
    checked: int = 0
    """Bytes of these that were read and compared with a digest or checksum."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[StoredPart, ...] = ()
    optimized: bool = False
    delta: Delta | None = None
    delta_blob: LayerBlob | None = None
    """The layer that `delta` was read from."""
    notes: tuple[Note, ...] = ()
    locked: KeyNeeded | None = None
    """Why some layers could not be read: they are encrypted."""
    key_ids: tuple[str, ...] = ()
    """The keys that its encrypted layers ask for, read or not; empty where none is encrypted."""
