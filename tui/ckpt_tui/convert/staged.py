"""Images of which some blobs are made on the way to another store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.layer_writer import compress_layer
from ckpt_tui.convert.manifests import ROOTFS_ROLE, rootfs_tag
from ckpt_tui.convert.roles import CONFIG_DUMP, METADATA
from ckpt_tui.convert.staging import Staging, dump
from ckpt_tui.core.document import parse_document, read_document, text_at, texts_at, value_at
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, FileWindow, chunks
from ckpt_tui.formats.images import LAYER_ROLE_KEY, ROLE_KEY
from ckpt_tui.formats.table import FORMAT_VERSION_KEY
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_MANIFEST, BlobStore, Descriptor, OpenedImage
from ckpt_tui.sources.containers import StoredImage
from ckpt_tui.sources.digests import verified
from ckpt_tui.sources.key_wrap import is_encrypted
from ckpt_tui.sources.oci import (
    descriptors_of,
    image_config,
    image_layers,
    is_manifest_type,
    is_rootfs_tag,
    layer_archive,
    open_image,
)
from ckpt_tui.sources.transfer import StreamingStore

_IMAGE_KEYS = ("rootfsImageRef", "rootfsImageName")
"""Fields of config.dump that name the rootfs image: containerd's, and the others'."""


class StagedStore:
    """Blobs that were made for the copy, and behind them those of the image as it was."""

    def __init__(self, staging: Staging, inner: BlobStore) -> None:
        """The store owns neither of the two."""
        self.inner = inner
        self._staging = staging
        self._open: dict[str, FileWindow] = {}

    def blob(self, digest: str) -> ByteWindow:
        if digest not in self._staging.digests:
            return self.inner.blob(digest)
        if digest not in self._open:
            path = self._staging.path(digest)
            self._open[digest] = FileWindow(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        return self._open[digest]

    def pieces(self, blob: Descriptor, progress: Progress) -> Iterator[bytes]:
        """Yield a blob from start to end, verified."""
        if blob.digest not in self._staging.digests and isinstance(self.inner, StreamingStore):
            return self.inner.pieces(blob, progress)
        return verified(chunks(self.blob(blob.digest)), blob.digest)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        if layer.digest in self._staging.digests:
            return layer_archive(self, layer, progress)
        return self.inner.layer_tree(layer, progress)

    def close(self) -> None:
        for window in self._open.values():
            window.close()


def staged_image(image: OpenedImage, staging: Staging, root: Descriptor) -> OpenedImage:
    """Return the image whose manifest or index was staged; other blobs come from `image`."""
    with staging.window(root.digest) as window:
        data = window.read(0, window.size)
    document: Any = parse_document(data, "the manifest")
    descriptor = Descriptor(root.media_type, root.digest, root.size, root.annotations)
    return OpenedImage(image.target, StagedStore(staging, image.store), descriptor, document, data)


def compressed(
    image: OpenedImage, store: StoredImage, staging: Staging, progress: Progress
) -> OpenedImage:
    """Return an image of podman's store with layers that can be moved.

    The store keeps layers unpacked. Their diff ids stay, and so do the config and the image id.

    Raises:
        CkptError: a layer is not what its diff id says.
    """
    diff_ids = texts_at(image_config(image), "rootfs", "diff_ids")
    layers = image_layers(image)
    if len(diff_ids) != len(layers):
        raise DamagedInput("the manifest", 0, "it and its config have not the same layers.")
    documents = []
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        tar = store.layer_tar(layer.descriptor, progress)
        try:
            made = compress_layer(staging, tar, diff_id, progress).descriptor
        finally:
            tar.close()
        documents.append(replace(made, annotations=layer.descriptor.annotations).document())
    config = dict(image.document["config"])
    if text_at(config, "mediaType").startswith("application/vnd.docker."):
        config["mediaType"] = MEDIA_CONFIG
    document = {
        **image.document,
        "mediaType": MEDIA_MANIFEST,
        "config": config,
        "layers": documents,
    }
    return staged_image(image, staging, staging.add(dump(document), MEDIA_MANIFEST))


def repository_named_in(image: OpenedImage, progress: Progress) -> str:
    """Return the repository that an optimized index says it is in, "" for any other image.

    Costs the metadata layer, some KiB.
    """
    if not text_at(image.document, "annotations", FORMAT_VERSION_KEY) or not image.is_index:
        return ""
    for child in descriptors_of(image.document, "manifests", "the index"):
        if not is_manifest_type(child.media_type):
            continue
        for layer in image_layers(open_image(image.target, image.store, child)):
            if layer.descriptor.annotations.get(LAYER_ROLE_KEY) != METADATA:
                continue
            tree = layer.open_tree(progress)
            try:
                if CONFIG_DUMP in tree.members:
                    return _named(read_document(tree.window(CONFIG_DUMP), CONFIG_DUMP))
            finally:
                tree.close()
    return ""


def own_names(image: OpenedImage) -> dict[str, str]:
    """Return the tags that manifests of an image need for themselves, by digest: that of the rootfs
    image of an optimized pair whose delta is encrypted.

    Raises:
        CkptError: its manifest is missing or damaged.
    """
    for child in descriptors_of(image.document, "manifests", "the index"):
        if child.annotations.get(ROLE_KEY) == ROOTFS_ROLE:
            inner = open_image(image.target, image.store, child)
            if any(is_encrypted(layer.descriptor) for layer in image_layers(inner)):
                return {child.digest: rootfs_tag(child.digest)}
    return {}


def _named(config_dump: object) -> str:
    for key in _IMAGE_KEYS:
        value = value_at(config_dump, key)
        if isinstance(value, str) and "@" in value:
            return value.partition("@")[0]
        if isinstance(value, str) and is_rootfs_tag(value.rpartition(":")[2]):
            return value.rpartition(":")[0]
    return ""
