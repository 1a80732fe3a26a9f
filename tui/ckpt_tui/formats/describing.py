"""What an image is: a checkpoint, a plain image or another artifact, by its annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ckpt_tui.checkpoint.records import VERSION_KEYS
from ckpt_tui.core.document import strings_at, text_at, value_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.images import CTR_CRIU
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.formats.table import CRIO_PREFIX, ENGINE_KEY, FORMAT_VERSION_KEY, PODMAN_PREFIX
from ckpt_tui.sources.base import CREATED_KEY, BlobStore, Descriptor
from ckpt_tui.sources.oci import descriptors_of, is_manifest_type, load

MAX_CHILDREN = 8
"""Manifests of an index that are fetched for its size; the size of a larger index is not known."""

CONTAINER_KEYS = (
    "org.criu.checkpoint.container.name",
    PODMAN_PREFIX + "name",
    CRIO_PREFIX + "name",
)

_IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)

_ENGINES = (("podman", PODMAN_PREFIX), ("cri-o", CRIO_PREFIX))
"""Engines by the prefix of their annotations, where none is named."""


def _own_size(document: Mapping[str, Any]) -> int:
    config = value_at(document, "config", "size")
    layers = sum(layer.size for layer in descriptors_of(document, "layers", "the manifest"))
    return layers + (config if isinstance(config, int) else 0)


def describe_image(
    name: str,
    descriptor: Descriptor,
    document: Mapping[str, Any],
    fetch: Callable[[Descriptor], Mapping[str, Any]],
) -> Entry:
    """Return what a manifest or index is, by its annotations and types; `fetch` reads the
    manifests of an index, for its size.

    Raises:
        DamagedInput: it does not name its blobs as a manifest does.
    """
    annotations = strings_at(document, "annotations")
    children = descriptors_of(document, "manifests", "the index")
    engine = annotations.get(ENGINE_KEY, "")
    for known, prefix in _ENGINES:
        if not engine and any(key.startswith(prefix) for key in annotations):
            engine = known
    if any(child.media_type == CTR_CRIU for child in children):
        engine = engine or "containerd"
    return Entry(
        Kind.IMAGE,
        name,
        content=_content(document, annotations, engine, bool(children)),
        engine=engine,
        criu=_first(annotations, VERSION_KEYS),
        container=_first(annotations, CONTAINER_KEYS),
        descriptor=descriptor,
        size=_total_size(document, children, fetch),
        created=time_of(annotations.get(CREATED_KEY, "")),
        optimized=FORMAT_VERSION_KEY in annotations,
    )


def describe_stored(
    name: str, store: BlobStore, descriptor: Descriptor, document: Mapping[str, Any]
) -> Entry:
    """Return the same for an image of a store at hand."""
    return describe_image(name, descriptor, document, lambda child: load(store, child)[0])


def _first(annotations: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((annotations[key] for key in keys if annotations.get(key)), "")


def _content(
    document: Mapping[str, Any], annotations: Mapping[str, str], engine: str, is_index: bool
) -> str:
    if engine or FORMAT_VERSION_KEY in annotations:
        return "checkpoint"
    if is_index:
        return "index"
    config = text_at(document, "config", "mediaType")
    is_image = config in _IMAGE_CONFIGS and not text_at(document, "artifactType")
    return "image" if is_image else "artifact"


def _total_size(
    document: Mapping[str, Any],
    children: tuple[Descriptor, ...],
    fetch: Callable[[Descriptor], Mapping[str, Any]],
) -> int | None:
    """Return the bytes of all layers and configs, None where that would take too much to know."""
    if len(children) > MAX_CHILDREN:
        return None
    size = _own_size(document)
    for child in children:
        if not is_manifest_type(child.media_type):
            size += child.size
            continue
        try:
            size += _own_size(fetch(child))
        except CkptError:  # a sparse index: some of its images are elsewhere
            return None
    return size
