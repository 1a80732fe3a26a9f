"""The base image of a container: what a delta layer lies on, and proof that it is the right one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ckpt_tui.archive.blocks import PieceStream
from ckpt_tui.archive.compression import plain_pieces
from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tar import Walk
from ckpt_tui.archive.tar_index import TarIndex
from ckpt_tui.archive.tree import Member, Tree
from ckpt_tui.convert.digest import Digest, hashed
from ckpt_tui.core.document import parse_document, text_at, texts_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.sources.base import MEDIA_LAYER, OpenedImage
from ckpt_tui.sources.containers import StoredImage
from ckpt_tui.sources.key_wrap import is_encrypted
from ckpt_tui.sources.oci import image_layers

_LAYER_TYPES = {
    "application/vnd.docker.image.rootfs.diff.tar.gzip": MEDIA_LAYER + "+gzip",
    "application/vnd.docker.image.rootfs.diff.tar": MEDIA_LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": MEDIA_LAYER + "+zstd",
}
"""Docker's media types of layers, and what OCI calls the same bytes."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that may be the base, opened. The caller closes the image."""

    image: OpenedImage
    """Its manifest, of an index the one that was chosen."""
    config: bytes
    digests: tuple[str, ...]
    """Digest of the manifest, last; before it that of an index that led to it."""


@dataclass(frozen=True, slots=True)
class BaseLayer:
    """A layer of the base image."""

    media_type: str
    digest: str
    """sha256:… of `blob`; empty where only the tar is at hand, as in podman's local store."""
    size: int
    diff_id: str
    blob: ByteWindow
    """The bytes as they are distributed; without a digest, those of the plain tar."""


@dataclass(frozen=True, slots=True)
class BaseName:
    """Which image a base is."""

    reference: str
    config_digest: str


@dataclass(frozen=True, slots=True)
class BaseImage:
    """The base image, with the headers of its merged tree."""

    reference: str
    """Where it was found, for people."""
    config: bytes
    layers: tuple[BaseLayer, ...]
    tree: Mapping[str, Member]
    digests: tuple[str, ...] = ()
    """Digest of its manifest, last; before it that of an index that led to it."""
    close: Callable[[], None] = lambda: None
    """Lets go of the store that the layers are read from."""

    @property
    def name(self) -> BaseName:
        """What is said of it, without its layers."""
        return BaseName(self.reference, self.config_digest)

    @property
    def config_digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.config).hexdigest()

    @property
    def document(self) -> Mapping[str, Any]:
        """The config as JSON."""
        document = parse_document(self.config, f"the config of {self.reference}")
        return document if isinstance(document, dict) else {}


def read_base(
    reference: str,
    config: bytes,
    layers: Iterable[tuple[str, str, int, ByteWindow]],
    digests: Iterable[str],
    progress: Progress,
) -> BaseImage:
    """Read the headers of a base image; each layer is media type, digest (or ""), size and bytes.

    Each layer has to have its diff id, for the delta depends on every header in it. Nothing of the
    data is kept.

    Raises:
        CkptError: config and manifest contradict each other, or a layer is damaged.
    """
    diff_ids = texts_at(parse_document(config, f"the config of {reference}"), "rootfs", "diff_ids")
    found = [*layers]
    if len(diff_ids) != len(found):
        raise CkptError(
            f"The image {reference} cannot be a base:",
            f"its config names {len(diff_ids)} layers, its manifest {len(found)}.",
        )
    progress.start(f"reading {reference}", sum(size for _, _, size, _ in found))
    trees = [
        _headers(blob, diff_id, f"A layer of {reference}", progress)
        for (*_, blob), diff_id in zip(found, diff_ids, strict=True)
    ]
    return BaseImage(
        reference,
        config,
        tuple(
            BaseLayer(_LAYER_TYPES.get(media_type, media_type), digest, size, diff_id, blob)
            for (media_type, digest, size, blob), diff_id in zip(found, diff_ids, strict=True)
        ),
        LayeredTree(trees).members,
        tuple(digests),
    )


def _headers(blob: ByteWindow, diff_id: str, name: str, progress: Progress) -> Tree:
    plain = Digest()
    pieces = hashed(plain_pieces(blob, progress, name), plain)
    members = Walk(PieceStream(pieces), name)
    found = TarIndex(members.note_list)
    for member, _ in members:
        if not found.add(member.name, member.link, members.header):
            raise CkptError(f"{name} cannot be read:", "it has too many members.")
    for _ in pieces:  # those that the walk has left
        pass
    if plain.value() != diff_id:
        raise CkptError(
            f"{name} is damaged:",
            f"decompressed it has the digest {plain.value()}, and should have {diff_id}.",
            "Pull the image again.",
        )
    return Tree(found, members.notes)


def read_image(found: FoundImage, progress: Progress) -> BaseImage:
    """Read an image as a base to build on, `read_base` of its layers; it is closed with the result,
    or on failure."""
    image = found.image
    layers: list[tuple[str, str, int, ByteWindow]] = []
    with ExitStack() as closing:
        closing.callback(image.close)
        for layer in image_layers(image):
            descriptor = layer.descriptor
            if is_encrypted(descriptor):
                raise CkptError(
                    f"{image.target} cannot be a base image:",
                    "its layers are encrypted.",
                    "Copy it with `ckpt-tui copy --decrypt` first.",
                )
            if isinstance(image.store, StoredImage):
                tar = image.store.layer_tar(descriptor, progress)
                closing.callback(tar.close)
                layers.append((descriptor.media_type, "", tar.size, tar))
            else:
                blob = image.store.blob(descriptor.digest)
                layers.append((descriptor.media_type, descriptor.digest, descriptor.size, blob))
        base = read_base(image.target, found.config, layers, found.digests, progress)
        return replace(base, close=closing.pop_all().close)


def architecture_of(base: BaseImage | None) -> str:
    """Return the architecture that the base image is for, "" without one."""
    return text_at(base.document, "architecture") if base else ""
