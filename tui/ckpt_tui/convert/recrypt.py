"""Encrypts or decrypts an image that exists, on its way to another place.

Of an optimized pair the delta comes first, since config.dump names the rootfs image, and that is in
the metadata layer. Layers of the base image stay as they are. All that changes besides is the
metadata layer; every other layer, decrypted, has the bytes of the plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ckpt_tui.convert.jsonedit import with_values
from ckpt_tui.convert.layer_writer import copy_blob, sealed
from ckpt_tui.convert.manifests import ROOTFS_ROLE, base_image_values, rootfs_tag
from ckpt_tui.convert.record import read_record
from ckpt_tui.convert.repoint import rewritten
from ckpt_tui.convert.roles import CONFIG_DUMP, METADATA, RECORD
from ckpt_tui.convert.staging import BlobSink, dump
from ckpt_tui.core.document import text_at, texts_at
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress, counted
from ckpt_tui.formats.images import LAYER_ROLE_KEY, ROLE_KEY, is_delta
from ckpt_tui.formats.table import ENGINE_KEY
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_INDEX, MEDIA_MANIFEST, Descriptor, OpenedImage
from ckpt_tui.sources.encrypted import decrypted_pieces
from ckpt_tui.sources.key_wrap import PREFIX, is_encrypted
from ckpt_tui.sources.layer_cipher import ENCRYPTED
from ckpt_tui.sources.oci import config_of, descriptors_of, image_layers, load, open_image
from ckpt_tui.sources.transfer import verified_pieces


def recrypt(image: OpenedImage, repository: str, sink: BlobSink, progress: Progress) -> Descriptor:
    """Write an image into a sink, its layers encrypted for the recipients of the sink, or decrypted
    where it has none; return what is to be published. `repository` is where it will live.

    Raises:
        KeyNeeded: a layer is encrypted, and no key at hand opens it.
        CkptError: a layer is missing or damaged.
    """
    work = _Work(image, repository, sink, progress)
    if not image.is_index:
        return work.image(image, image.descriptor, {})
    children = descriptors_of(image.document, "manifests", "the index")
    rootfs = next((c for c in children if c.annotations.get(ROLE_KEY) == ROOTFS_ROLE), None)
    made: dict[str, Descriptor] = {}
    values: Mapping[str, str] = {}
    if rootfs is not None:
        inner = open_image(image.target, image.store, rootfs)
        made[rootfs.digest] = work.image(inner, rootfs, {})
        values = work.names_of(made[rootfs.digest], config_of(inner).digest, image)
    for child in children:
        if child is not rootfs:
            inner = open_image(image.target, image.store, child)
            made[child.digest] = work.image(inner, child, values)
    documents = [made[child.digest].document() for child in children]
    return sink.add(dump({**image.document, "manifests": documents}), MEDIA_INDEX)


@dataclass(slots=True)
class _Work:
    source: OpenedImage
    repository: str
    sink: BlobSink
    progress: Progress
    rootfs: str = ""
    """Digest of the rootfs image's manifest, where it is named by a tag."""
    has_delta: bool = False
    """Whether the rootfs image has a layer of the container's own."""

    def names_of(self, rootfs: Descriptor, config: str, index: OpenedImage) -> dict[str, str]:
        """Return the fields of config.dump by which engines find the rootfs image: by its digest,
        or where its delta is encrypted by a tag made of that."""
        name = f"{self.repository}@{rootfs.digest}"
        if self.sink.recipients and self.has_delta:
            tag, self.rootfs = rootfs_tag(rootfs.digest), rootfs.digest
            self.sink.other_names.append((rootfs, tag))
            name = f"{self.repository}:{tag}"
        engine = text_at(index.document, "annotations", ENGINE_KEY)
        return base_image_values(engine, name, config)

    def image(
        self, image: OpenedImage, descriptor: Descriptor, values: Mapping[str, str]
    ) -> Descriptor:
        """Write one image; in its metadata layer config.dump gets other values."""
        is_rootfs = descriptor.annotations.get(ROLE_KEY) == ROOTFS_ROLE
        config, config_data = load(image.store, config_of(image))
        diff_ids = list(texts_at(config, "rootfs", "diff_ids"))
        layers = []
        for number, blob in enumerate(image_layers(image)):
            layer = blob.descriptor
            if is_rootfs and not is_delta(layer):
                copy_blob(self.sink, layer, image.store.blob(layer.digest), self.progress)
                layers.append(layer.document())
                continue
            self.has_delta |= is_rootfs
            if (
                values
                and number < len(diff_ids)
                and layer.annotations.get(LAYER_ROLE_KEY) == METADATA
            ):
                layer, diff_ids[number] = self._metadata(image, number, values)
            else:
                layer = self._layer(image, layer)
            layers.append(layer.document())
        if values:
            config_data = dump({**config, "rootfs": {"type": "layers", "diff_ids": diff_ids}})
        new_config = replace(config_of(image), digest="", size=0)
        media_type = new_config.media_type or MEDIA_CONFIG
        document: dict[str, Any] = {
            **image.document,
            "config": self.sink.add(config_data, media_type).document(),
            "layers": layers,
        }
        return self.sink.add(
            dump(document),
            descriptor.media_type or MEDIA_MANIFEST,
            annotations=descriptor.annotations,
            platform=descriptor.platform,
        )

    def _layer(self, image: OpenedImage, layer: Descriptor) -> Descriptor:
        """Write a layer, decrypted if it was encrypted, and encrypted if there are recipients."""
        pieces = counted(verified_pieces(image.store, layer, self.progress), self.progress)
        if is_encrypted(layer):
            pieces = decrypted_pieces(pieces, layer)
        plain = plain_layer(layer)
        blob = self.sink.new_blob()
        seal = self.sink.new_seal(blob, "layer")
        target = seal or blob
        for piece in pieces:
            target.write(piece)
        digest, size = self.sink.keep(blob)
        return sealed(replace(plain, digest=digest, size=size), seal)[0]

    def _metadata(
        self, image: OpenedImage, number: int, values: Mapping[str, str]
    ) -> tuple[Descriptor, str]:
        """Write the metadata layer with another config.dump; return it and its diff id."""
        tree = image_layers(image)[number].open_tree(self.progress, whole=True)
        try:
            if CONFIG_DUMP not in tree.members:
                raise DamagedInput("the metadata layer", 0, f"it has no {CONFIG_DUMP}.")
            window = tree.window(CONFIG_DUMP)
            edited = {CONFIG_DUMP: with_values(window.read(0, window.size), values, CONFIG_DUMP)}
            if RECORD in tree.members:
                window = tree.window(RECORD)
                record = read_record(window.read(0, window.size))
                edited[RECORD] = replace(record, rootfs=self.rootfs).encode()
            written = rewritten(tree, edited, self.sink)
        finally:
            tree.close()
        return written.descriptor, written.diff_id


def plain_layer(layer: Descriptor) -> Descriptor:
    """Return a layer as a manifest names it before it is encrypted."""
    annotations = {k: v for k, v in layer.annotations.items() if not k.startswith(PREFIX)}
    media_type = layer.media_type.removesuffix(ENCRYPTED)
    return replace(layer, media_type=media_type, annotations=annotations)
