"""What a source gives: a tree of members, or an image in a store of blobs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow

DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")

MEDIA_INDEX = "application/vnd.oci.image.index.v1+json"
MEDIA_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
MEDIA_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_PREFIX = "application/vnd.oci.image.layer."
"""What the media type of every layer begins with."""
MEDIA_LAYER = LAYER_PREFIX + "v1.tar"

BASE_NAME = "org.opencontainers.image.base.name"
"""Annotation with the reference of the base image, whose layers may be mounted from there."""

CREATED_KEY = "org.opencontainers.image.created"
REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of a descriptor in a layout's index: the tag, or a full reference."""


def checked_digest(digest: str, where: str) -> str:
    """Return `digest` if it may become part of a path or URL; `where` is what an error names.

    Raises:
        DamagedInput: it is not `sha256:` or `sha512:` with as many hex digits as that has.
    """
    if not DIGEST.fullmatch(digest):
        raise DamagedInput(where, 0, "it names a blob by an invalid digest.")
    return digest


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A reference to a blob (image-spec, descriptor.md)."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] = field(default_factory=dict)
    artifact_type: str = ""

    def document(self) -> dict[str, Any]:
        """Return the JSON form, in the order of image-spec's Go types, as tools rewrite it."""
        found: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": self.digest,
            "size": self.size,
        }
        if self.annotations:
            found["annotations"] = dict(sorted(self.annotations.items()))
        if self.platform:
            found["platform"] = dict(sorted(self.platform.items()))
        if self.artifact_type:
            found["artifactType"] = self.artifact_type
        return found


class BlobStore(Protocol):
    """Blobs by digest, and layers as trees."""

    def blob(self, digest: str) -> ByteWindow:
        """Return the bytes of a blob, which was not verified.

        Raises:
            DamagedInput: `digest` is not a digest.
            SourceUnreachable: the blob is not there.
        """

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        """Return the members of a layer; whiteouts are members like others.

        Raises:
            CkptError: as `open_archive`, or the layer is not there.
        """

    def close(self) -> None:
        """Let go of files and connections."""


@runtime_checkable
class ReferringStore(BlobStore, Protocol):
    """A store that knows what refers to a manifest."""

    def referrers(self, digest: str, progress: Progress) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject is that one."""


@runtime_checkable
class RemoteStore(BlobStore, Protocol):
    """A store that is reached over a network."""

    @property
    def transferred(self) -> int:
        """Bytes that came over the wire so far."""

    def pass_size(self, layer: Descriptor, progress: Progress) -> int:
        """Return the bytes that opening a layer has to fetch, apart from a few headers."""


class OpenedTree(NamedTuple):
    """A checkpoint archive or a directory."""

    target: str
    tree: Tree
    packed_size: int
    """Bytes of the archive as it is stored; of a directory, of its files."""
    compression: str
    """zstd, gzip or plain."""
    kind: Literal["archive", "directory"]

    def close(self) -> None:
        self.tree.close()


@dataclass(frozen=True, slots=True)
class OpenedImage:
    """An image: a manifest, or an index of some, in a store."""

    target: str
    store: BlobStore
    descriptor: Descriptor
    document: Mapping[str, Any]
    """The manifest or index, parsed."""
    data: bytes
    """The same as it is stored, verified against the descriptor's digest."""

    @property
    def is_index(self) -> bool:
        """Whether `document` lists manifests rather than layers."""
        return isinstance(self.document.get("manifests"), list)

    def close(self) -> None:
        self.store.close()


Opened = OpenedTree | OpenedImage


class SourceKind(NamedTuple):
    """One kind of place that checkpoints are in."""

    syntax: str
    """How a person writes it: `oci:DIR[:TAG]`."""
    description: str
    accepts: Callable[[str], bool]
    """Whether a target is written like that."""
    open: Callable[[str, Progress], Opened]
    """Open such a target.

    Raises:
        SourceUnreachable: it is absent, or may not be read.
        NotACheckpoint: it can be read, and is nothing known.
        UsageError: the target is written wrong, or names several things.
    """
