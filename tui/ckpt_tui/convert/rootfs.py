"""The layers of a container's root filesystem: those of the image it ran from, and its changes."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import datetime
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.layerstack import StackLayer, delta_tree, stacked
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.convert.base_search import search_base
from ckpt_tui.convert.inputs import NOTHING_BESIDE, source_of
from ckpt_tui.core.document import text_at, value_at
from ckpt_tui.core.errors import CkptError, NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.images import ROLE_KEY, is_delta
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.base import Opened, OpenedImage
from ckpt_tui.sources.oci import image_config, image_layers, is_manifest_type, manifests, open_image

Stack = list[tuple[StackLayer, Tree]]

Origin = tuple[datetime | None, str]
"""When a layer was made, and by what command."""


def rootfs_layers(
    opened: OpenCheckpoint, checkpoint: Checkpoint, named: str, progress: Progress
) -> tuple[StackLayer, ...]:
    """Return the layers of the root filesystem with their files, read from their headers.

    The image is the one in the checkpoint, the one `named`, or as `search_base` finds it.

    Raises:
        CkptError: it was not found, or a layer cannot be read.
    """
    own = own_image(opened.source)
    if own is not None and not named:
        return stacked(_layers_of(own, progress))
    with ExitStack() as closing:
        source = source_of(opened, NOTHING_BESIDE, closing, progress)
        search = search_base(source, opened, named, progress, reach_out=False)
    if search.found is None:
        raise CkptError(
            f"The image {checkpoint.container.image or 'that the container ran from'} is not here:",
            search.why_not or "neither in podman's store nor beside the checkpoint.",
            "Name it: `ckpt-tui sizes TARGET --base IMAGE`.",
        )
    changes = StackLayer("delta", packed=checkpoint.delta.bytes, command="the container")
    try:
        layers = _layers_of(search.found.image, progress)
    finally:
        search.found.image.close()
    return stacked([*layers, (changes, delta_tree(checkpoint.delta))])


def image_stack(source: Opened, progress: Progress) -> tuple[StackLayer, ...]:
    """Return the layers of an image that need not hold a checkpoint; of an index the first one.

    Raises:
        NotACheckpoint: it is not an image.
    """
    if not isinstance(source, OpenedImage):
        raise NotACheckpoint(f"{source.target} is neither a checkpoint nor an image.")
    return stacked(_layers_of(_first(source), progress))


def layer_origins(source: Opened) -> dict[str, Origin]:
    """Return when and how each layer of an image was made, by digest; of an index those of all its
    images. Layers without a history are as old as their image. Empty for what is not an image."""
    if not isinstance(source, OpenedImage):
        return {}
    images = manifests(source.store, source.document) if source.is_index else [source.descriptor]
    origins: dict[str, Origin] = {}
    for one in images:
        if is_manifest_type(one.media_type):
            with suppress(CkptError):  # those of other images are told all the same
                origins |= _origins(open_image(source.target, source.store, one))
    return origins


def _origins(image: OpenedImage) -> dict[str, Origin]:
    config = image_config(image)
    whole: Origin = (time_of(text_at(config, "created")), "")
    made = _history(config)
    return {
        layer.descriptor.digest: made[number] if number < len(made) else whole
        for number, layer in enumerate(image_layers(image))
    }


def _first(image: OpenedImage) -> OpenedImage:
    if not image.is_index:
        return image
    for descriptor in manifests(image.store, image.document):
        return open_image(image.target, image.store, descriptor)
    raise NotACheckpoint(f"{image.target} is an index of nothing.")


def own_image(source: Opened) -> OpenedImage | None:
    """Return the rootfs image of an optimized pair."""
    if not isinstance(source, OpenedImage) or not source.is_index:
        return None
    for descriptor in manifests(source.store, source.document):
        if descriptor.annotations.get(ROLE_KEY) == "rootfs":
            return open_image(source.target, source.store, descriptor)
    return None


def _layers_of(image: OpenedImage, progress: Progress) -> Stack:
    made = _history(image_config(image))
    found: Stack = []
    for number, layer in enumerate(image_layers(image)):
        one = layer.descriptor
        created, command = made[number] if number < len(made) else (None, "")
        role = "delta" if is_delta(one) else "base"
        tree = layer.open_tree(progress)
        try:
            headers = Tree(tree.members, tree.notes)
        finally:
            tree.close()
        facts = StackLayer(role, one.digest, one.media_type, one.size, created, command)
        found.append((facts, headers))
    return found


def _history(config: Any) -> list[Origin]:
    """Return when and how each layer was made (OCI image-spec config.md, `history`)."""
    entries = value_at(config, "history")
    return [
        (time_of(text_at(entry, "created")), text_at(entry, "created_by"))
        for entry in (entries if isinstance(entries, list) else [])
        if not value_at(entry, "empty_layer")
    ]
