"""What the tags of a repository are: checkpoints, images or other things, told by annotations.

Nothing is fetched for a tag before it is asked for: some registries count each manifest as a pull.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from ckpt_tui.checkpoint.inventory import VERSION_KEYS
from ckpt_tui.core.document import text_at, value_at
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.images import CTR_CRIU
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.formats.table import CRIO_PREFIX, ENGINE_KEY, FORMAT_VERSION_KEY, PODMAN_PREFIX
from ckpt_tui.sources.base import CREATED_KEY, REF_NAME, BlobStore, Descriptor
from ckpt_tui.sources.docker_archive import DockerArchiveStore, docker_images
from ckpt_tui.sources.local import open_images
from ckpt_tui.sources.oci import (
    LayoutStore,
    descriptors_of,
    is_index_type,
    is_layout,
    is_manifest_type,
    load,
)

if TYPE_CHECKING:  # oras costs 130 ms; only registries need it
    from ckpt_tui.sources.registry_store import RegistryStore

TagKind = Literal["", "checkpoint", "image", "index", "artifact"]

MAX_CHILDREN = 8
"""Manifests of an index that are fetched for its size; for a larger index it is not told."""

CONTAINER_KEY = "org.criu.checkpoint.container.name"

_IMAGE_CONFIGS = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)

_ENGINES = (("podman", PODMAN_PREFIX), ("cri-o", CRIO_PREFIX))
"""Engines by the prefix of their annotations, where none is named."""


@dataclass(frozen=True, slots=True)
class TagEntry:
    """What is known of a tag so far; empty and None is what is not known, or not yet."""

    tag: str
    digest: str = ""
    media_type: str = ""
    size: int | None = None
    """Bytes of all layers and configs."""
    kind: TagKind = ""
    engine: str = ""
    criu: str = ""
    container: str = ""
    created: datetime | None = None
    optimized: bool = False


class RepositoryListing:
    """The tags of one repository, and what they are; digests are looked up once."""

    def __init__(self, store: RegistryStore) -> None:
        """The listing owns `store`."""
        self._store = store
        self._known: dict[str, TagEntry] = {}

    def tags(self, progress: Progress) -> Iterator[str]:
        """Yield the tags, without those that stand in for the referrers API."""
        from ckpt_tui.sources.registry import is_referrers_tag

        for tag in self._store.client.tags(self._store.repository, progress):
            if not is_referrers_tag(tag):
                yield tag

    def ask(self, tag: str, progress: Progress) -> TagEntry:
        """Return digest and type of a tag, at the cost of a HEAD, which counts as no pull."""
        head = self._store.client.head(self._store.repository, tag, progress)
        if head.digest in self._known:
            return replace(self._known[head.digest], tag=tag)
        kind: TagKind = "index" if is_index_type(head.media_type) else ""
        return TagEntry(tag, head.digest, head.media_type, kind=kind)

    def describe(self, tag: str, progress: Progress) -> TagEntry:
        """Return all of a tag: fetches its manifest, and for a size those of an index."""
        entry = self.ask(tag, progress)
        if entry.digest and entry.digest in self._known:
            return entry
        found = self._store.manifest(entry.digest or tag, progress)
        described = describe_document(tag, found.descriptor, found.document)
        size = total_size(
            found.document, lambda child: self._store.manifest(child.digest, progress).document
        )
        described = replace(described, size=size)
        self._known[found.descriptor.digest] = described
        return described

    def close(self) -> None:
        self._store.close()


def _own_size(document: Mapping[str, Any]) -> int:
    config = value_at(document, "config", "size")
    layers = sum(layer.size for layer in descriptors_of(document, "layers", "the manifest"))
    return layers + (config if isinstance(config, int) else 0)


def describe_document(tag: str, descriptor: Descriptor, document: Mapping[str, Any]) -> TagEntry:
    """Return what a manifest or index is, by its annotations and types; its size is left open."""
    found = value_at(document, "annotations")
    annotations = (
        {k: v for k, v in found.items() if isinstance(v, str)} if isinstance(found, dict) else {}
    )
    children = descriptors_of(document, "manifests", "the index")
    engine = annotations.get(ENGINE_KEY, "")
    for name, prefix in _ENGINES:
        if not engine and any(key.startswith(prefix) for key in annotations):
            engine = name
    if any(child.media_type == CTR_CRIU for child in children):
        engine = engine or "containerd"
    return TagEntry(
        tag,
        descriptor.digest,
        descriptor.media_type,
        kind=_kind(document, annotations, engine, bool(children)),
        engine=engine,
        criu=next((annotations[key] for key in VERSION_KEYS if annotations.get(key)), ""),
        container=next(
            (
                annotations[k]
                for k in (CONTAINER_KEY, PODMAN_PREFIX + "name", CRIO_PREFIX + "name")
                if annotations.get(k)
            ),
            "",
        ),
        created=time_of(annotations.get(CREATED_KEY, "")),
        optimized=FORMAT_VERSION_KEY in annotations,
    )


def _kind(
    document: Mapping[str, Any], annotations: Mapping[str, str], engine: str, is_index: bool
) -> TagKind:
    if engine or FORMAT_VERSION_KEY in annotations:
        return "checkpoint"
    if is_index:
        return "index"
    config = text_at(document, "config", "mediaType")
    is_image = config in _IMAGE_CONFIGS and not text_at(document, "artifactType")
    return "image" if is_image else "artifact"


def list_layout(store: LayoutStore, progress: Progress) -> Iterator[TagEntry]:
    """Yield the images that the index of a layout names; a damaged one with its name alone."""
    for one in descriptors_of(store.index(), "manifests", "index.json"):
        progress.tick()
        name = one.annotations.get(REF_NAME, "") or f"@{one.digest}"
        try:
            document, _ = load(store, one)
            size = stored_size(store, document)
        except CkptError:
            yield TagEntry(name, one.digest, one.media_type)
            continue
        yield replace(describe_document(name, one, document), size=size)


def list_archive(path: str, progress: Progress) -> Iterator[tuple[str, TagEntry]]:
    """Yield the images of an archive, each with the target that opens it; that is empty for one of
    several that has no name.

    Raises:
        CkptError: as `open_images`.
    """
    tree = open_images(path, progress)
    try:
        if is_layout(tree):
            for entry in list_layout(LayoutStore(tree), progress):
                yield named(f"oci-archive:{path}", entry.tag), entry
            return
        found = list(docker_images(tree))
        for names, store in found:
            progress.tick()
            for name in names or ("",):
                opens = named(f"docker-archive:{path}", name) if name or len(found) == 1 else ""
                yield opens, _saved(name, store)
    finally:
        tree.close()


def named(place: str, tag: str) -> str:
    """Return the target of an image in a layout or archive; `tag` may be a digest with its @."""
    return f"{place}{tag}" if tag.startswith("@") or not tag else f"{place}:{tag}"


def _saved(name: str, store: DockerArchiveStore | None) -> TagEntry:
    if store is None:
        return TagEntry(name)
    described = describe_document(name, store.manifest, store.document)
    return replace(
        described,
        tag=name or f"@{store.manifest.digest}",
        size=stored_size(store, store.document),
    )


def total_size(
    document: Mapping[str, Any], fetch: Callable[[Descriptor], Mapping[str, Any]]
) -> int | None:
    """Return the bytes of all layers and configs, None where that would take too much to know."""
    children = descriptors_of(document, "manifests", "the index")
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


def stored_size(store: BlobStore, document: Mapping[str, Any]) -> int | None:
    """Return the same for an image of a store at hand."""
    return total_size(document, lambda child: load(store, child)[0])
