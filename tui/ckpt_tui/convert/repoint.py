"""Moves an optimized image to another repository: config.dump has to name the rootfs image there.

That changes the metadata layer, the checkpoint image's config and manifest, and the index: some
KiB. Every other blob is the same, and can be mounted or copied as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.convert.jsonedit import with_values
from ckpt_tui.convert.layer_writer import LayerWriter, WrittenLayer
from ckpt_tui.convert.manifests import ROOTFS_ROLE, base_image_values
from ckpt_tui.convert.roles import CONFIG_DUMP, METADATA
from ckpt_tui.convert.staging import Staging, dump
from ckpt_tui.core.document import text_at, texts_at
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import chunks
from ckpt_tui.formats.images import LAYER_ROLE_KEY, ROLE_KEY
from ckpt_tui.formats.table import ENGINE_KEY
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_INDEX, MEDIA_MANIFEST, Descriptor, OpenedImage
from ckpt_tui.sources.oci import config_of, descriptors_of, image_layers, load, open_image


def repoint(
    image: OpenedImage, repository: str, staging: Staging, progress: Progress
) -> Descriptor:
    """Stage the blobs by which `image`, an optimized index, will live in `repository`; return the
    new index.

    Raises:
        DamagedInput: the index does not have the shape of the optimized format.
    """
    entries = descriptors_of(image.document, "manifests", "the index")
    rootfs = next((e for e in entries if e.annotations.get(ROLE_KEY) == ROOTFS_ROLE), None)
    checkpoint = next((e for e in entries if e is not rootfs), None)
    if rootfs is None or checkpoint is None:
        raise DamagedInput("the index", 0, "it does not name a checkpoint and a rootfs image.")
    opened = open_image(image.target, image.store, checkpoint)
    rootfs_config = config_of(open_image(image.target, image.store, rootfs)).digest
    engine = text_at(opened.document, "annotations", ENGINE_KEY)
    values = base_image_values(engine, f"{repository}@{rootfs.digest}", rootfs_config)
    manifest = _moved_manifest(opened, values, staging, progress)
    new = staging.add(
        dump(manifest),
        MEDIA_MANIFEST,
        annotations=checkpoint.annotations,
        platform=checkpoint.platform,
    )
    documents = [new.document() if e is checkpoint else e.document() for e in entries]
    return staging.add(dump({**image.document, "manifests": documents}), MEDIA_INDEX)


def _moved_manifest(
    opened: OpenedImage, values: Mapping[str, str], staging: Staging, progress: Progress
) -> dict[str, Any]:
    """Return the manifest with a new metadata layer and config."""
    layers = image_layers(opened)
    config = load(opened.store, config_of(opened))[0]
    diff_ids = list(texts_at(config, "rootfs", "diff_ids"))
    documents = [layer.descriptor.document() for layer in layers]
    for number, layer in enumerate(layers):
        if layer.descriptor.annotations.get(LAYER_ROLE_KEY) != METADATA:
            continue
        tree = layer.open_tree(progress)
        try:
            if CONFIG_DUMP not in tree.members or number >= len(diff_ids):
                continue
            window = tree.window(CONFIG_DUMP)
            edited = with_values(window.read(0, window.size), values, CONFIG_DUMP)
            written = rewritten(tree, {CONFIG_DUMP: edited}, staging)
        finally:
            tree.close()
        documents[number] = written.descriptor.document()
        diff_ids[number] = written.diff_id
        config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
        changed = {
            "config": staging.add(dump(config), MEDIA_CONFIG).document(),
            "layers": documents,
        }
        return {**opened.document, **changed}
    raise DamagedInput("the checkpoint image", 0, "no layer of it holds config.dump.")


def rewritten(tree: Tree, changes: Mapping[str, bytes], staging: Staging) -> WrittenLayer:
    """Stage a metadata layer with other contents of some files."""
    with LayerWriter(staging, METADATA) as writer:
        for name, member in tree.members.items():
            if name in changes:
                writer.add(replace(member, size=len(changes[name])), (changes[name],))
            elif member.kind is MemberKind.FILE:
                writer.add(member, chunks(tree.window(name)))
            elif name != ROOT:
                writer.add(member, ())
        return writer.finish()
