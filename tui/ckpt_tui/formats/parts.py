"""What an image is made of: manifests, configs, layers and blobs, and what refers to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.images import CTR_PREFIX, LAYER_ROLE_KEY, ROLE_KEY
from ckpt_tui.sources.base import BlobStore, Descriptor, OpenedImage
from ckpt_tui.sources.oci import (
    config_of,
    image_layers,
    is_manifest_type,
    manifests,
    open_image,
)


@dataclass(frozen=True, slots=True)
class Part:
    """One blob or manifest of an image."""

    role: str
    """manifest, config, layer, blob or referrer; of the optimized format, what it holds."""
    descriptor: Descriptor
    parts: tuple[Part, ...] = ()
    """Of a manifest."""
    problem: str = ""
    """Why the parts are not known."""

    @property
    def name(self) -> str:
        """The role, of a manifest with what it is the manifest of: `rootfs manifest`."""
        return f"{self.descriptor.annotations.get(ROLE_KEY, '')} {self.role}".strip()

    def flat(self) -> Iterator[Part]:
        """Yield it and all that is in it."""
        yield self
        for part in self.parts:
            yield from part.flat()


@runtime_checkable
class ReferringStore(Protocol):
    """A store that knows what refers to a manifest."""

    def referrers(self, digest: str, progress: Progress) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject is that one."""


def image_parts(image: OpenedImage, progress: Progress) -> tuple[Part, ...]:
    """Return what an image is made of; a manifest in an index that is elsewhere says so."""
    if image.is_index:
        found = manifests(image.store, image.document, "the index")
        return tuple(_child(image, child, progress) for child in found)
    layers = (
        Part(layer.descriptor.annotations.get(LAYER_ROLE_KEY, "layer"), layer.descriptor)
        for layer in image_layers(image)
    )
    return (*layers, Part("config", config_of(image)))


def referrers(image: OpenedImage, progress: Progress) -> tuple[Part, ...]:
    """Return what refers to an image, nothing where the store keeps no account of that."""
    store: BlobStore = image.store
    if not isinstance(store, ReferringStore):
        return ()
    found = store.referrers(image.descriptor.digest, progress)
    return tuple(Part("referrer", one) for one in found)


def _child(image: OpenedImage, child: Descriptor, progress: Progress) -> Part:
    progress.tick()
    if not is_manifest_type(child.media_type):
        return Part(_blob_role(child.media_type), child)
    try:
        inner = open_image(image.target, image.store, child)
        return Part("manifest", child, image_parts(inner, progress))
    except CkptError as error:
        return Part("manifest", child, problem=str(error))


def _blob_role(media_type: str) -> str:
    """Return what a blob of `ctr` is for, by the part of its type that says so."""
    if media_type.startswith(CTR_PREFIX):
        rest = media_type.removeprefix(CTR_PREFIX).removeprefix("criu.")
        return rest.removeprefix("checkpoint.").partition(".")[0]
    return "delta" if media_type.startswith("application/vnd.oci.image.layer.") else "blob"
