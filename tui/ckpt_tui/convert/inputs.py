"""From an opened checkpoint to the source of a conversion, whatever it came in."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.archive.joined import JoinedTree, MemoryTree, PartTree
from ckpt_tui.archive.tree import Tree, WindowTree
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.first_pass import FirstPass
from ckpt_tui.convert.roles import CONFIG_DUMP, DIFF_TAR, IMAGES, PARENT_IMAGES, SPEC_DUMP
from ckpt_tui.convert.source import Feed, Source, archive_source, tree_source, unchanged
from ckpt_tui.convert.upper import UpperFolder
from ckpt_tui.core.document import MAX_DOCUMENT
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.fetching import BeforeFetching
from ckpt_tui.formats.images import CTR_CRIU
from ckpt_tui.formats.metadata import read_metadata
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.formats.table import Found, recognise
from ckpt_tui.sources.base import LAYER_PREFIX, Descriptor, OpenedImage
from ckpt_tui.sources.key_wrap import plain_digest
from ckpt_tui.sources.oci import children_of, image_layers, is_manifest_type, verify

ENGINES = ("podman", "cri-o", "containerd")
"""Engines whose checkpoints carry what a restore from an image needs."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a folder of CRIU images, or before an incremental dump: paths, targets."""

    upper: str = ""
    """The upper folder of the container's overlay mount."""
    spec: str = ""
    """The runtime spec: config.json of the bundle."""
    config: str = ""
    """The engine's own record of the container, as it writes it to config.dump."""
    previous: str = ""
    """The archive of the pre-dump that an incremental checkpoint goes on from."""


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a conversion reads, open as long as it runs."""

    source: Source
    base: BaseImage | None = None
    first: FirstPass | None = None
    """What was written already while the source was opened."""


def source_of(
    opened: OpenCheckpoint,
    beside: Beside,
    closing: ExitStack,
    progress: Progress,
    first: FirstPass | None = None,
    before_fetching: BeforeFetching | None = None,
) -> Source:
    """Return what is to be converted; what has to be closed with it goes to `closing`.

    `first` had its share in opening it; `before_fetching` hears what else has to be fetched.

    Raises:
        CkptError: something named cannot be read, or does not go with this checkpoint.
    """
    is_folder = isinstance(opened.tree, DirectoryTree)
    if (beside.upper or beside.spec or beside.config) and not is_folder:
        raise UsageError(
            f"{opened.target} is not a folder of CRIU images.",
            "Only beside one are an upper folder, a spec and a config of use.",
        )
    if is_folder:
        source = _folder_source(opened, beside, closing, progress)
    elif isinstance(opened.source, OpenedImage):
        source = _image_source(opened, opened.source)
    else:
        source = _archive_source(opened, first)
    if not beside.previous:
        return source
    before = open_checkpoint(beside.previous, progress, before_fetching=before_fetching)
    closing.callback(before.close)
    return _with_previous(source, before, closing, progress)


def _archive_source(opened: OpenCheckpoint, first: FirstPass | None) -> Source:
    tree = opened.tree
    assert isinstance(tree, ArchiveTree)
    read = first.archive if first else None
    source = archive_source(
        tree.stored,
        opened.target,
        opened.format.name,
        opened.format.engine,
        tree.compression,
        tree,
        opened.kind.container(opened.metadata),
        read=read,
    )
    return replace(source, check=first.check if first else unchanged(opened.target))


def _image_source(opened: OpenCheckpoint, image: OpenedImage) -> Source:
    if any(d.media_type == CTR_CRIU for d in children_of(image)):
        return _ctr_source(opened, image)
    tree = opened.tree
    container = opened.kind.container(opened.metadata)
    annotations = opened.metadata.annotations
    name, engine = opened.format.name, opened.format.engine
    if isinstance(tree, ArchiveTree) and not image.is_index:
        (layer,) = image_layers(image)
        source = archive_source(
            tree.stored,
            opened.target,
            name,
            engine,
            tree.compression,
            tree,
            container,
            annotations,
            plain_digest(layer.descriptor),
        )
        return replace(source, digest=lambda: image.descriptor.digest)
    source = tree_source(opened.target, name, engine, tree, container, annotations)
    layers = () if image.is_index else [layer.descriptor for layer in image_layers(image)]
    return _verified(source, image, layers, opened.source_size)


def _verified(
    source: Source, image: OpenedImage, blobs: Iterable[Descriptor], stored_size: int
) -> Source:
    """Return the source with a feed that first compares its blobs with their digests."""

    def feed(progress: Progress) -> Feed:
        for blob in blobs:
            verify(blob.digest, image.store.blob(blob.digest), progress)
        yield from source.feed(progress)

    digest = image.descriptor.digest
    return replace(source, feed=feed, digest=lambda: digest, stored_size=stored_size)


def _ctr_source(opened: OpenCheckpoint, image: OpenedImage) -> Source:
    """Return the source for an index of `ctr`: its layer is the delta, byte for byte what
    containerd's archives call rootfs-diff.tar."""
    blobs = children_of(image)
    layer = next((d for d in blobs if d.media_type.startswith(LAYER_PREFIX)), None)
    base = next((d for d in blobs if is_manifest_type(d.media_type)), None)
    tree = opened.tree
    if layer is not None:
        blob = image.store.blob(layer.digest)
        tree = JoinedTree([("", tree), ("", WindowTree({DIFF_TAR: blob}))])
    container = opened.kind.container(opened.metadata)
    source = tree_source(opened.target, opened.format.name, "containerd", tree, container, {})
    read = [d for d in blobs if d is not base]
    return replace(
        _verified(source, image, read, sum(d.size for d in read)),
        bare=True,
        base_digest=base.digest if base else "",
    )


def _folder_source(
    opened: OpenCheckpoint, beside: Beside, closing: ExitStack, progress: Progress
) -> Source:
    """Return the source for a folder: CRIU's images alone, or an unpacked archive."""
    kind, metadata = opened.kind, opened.metadata
    folder = "" if kind.images else f"{IMAGES}/"
    documents = {
        name: _document(path)
        for name, path in ((CONFIG_DUMP, beside.config), (SPEC_DUMP, beside.spec))
        if path
    }
    tree: Tree = opened.tree
    if folder or documents:
        tree = JoinedTree([(folder, tree), ("", MemoryTree(documents))])
    if documents:
        metadata = read_metadata(tree, {}, f"{IMAGES}/")
        found = recognise(Found(tree, metadata))
        kind = found if found and CONFIG_DUMP in tree.members else kind
    upper = UpperFolder(beside.upper, progress) if beside.upper else None
    if upper:
        closing.callback(upper.close)
    before = opened.tree.members

    def check() -> None:
        again = DirectoryTree(_folder_path(opened.target), quiet())
        again.close()
        if again.members != before:
            raise CkptError(f"{opened.target} changed while it was read.", hint="Start again.")
        if upper:
            upper.check()

    source = tree_source(
        opened.target,
        f"{kind.title} directory",
        kind.engine,
        tree,
        kind.container(metadata),
        {},
        stored_size=opened.source_size
        + (sum(m.size for m in upper.members.values()) if upper else 0),
    )
    return replace(source, bare=kind.engine not in ENGINES, upper=upper, check=check)


def _folder_path(target: str) -> str:
    return target.removeprefix("dir:")


def _document(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_DOCUMENT + 1)
    except OSError as error:
        raise SourceUnreachable(f"{path} cannot be read.", f"{error.strerror}.") from error
    if len(data) > MAX_DOCUMENT:
        raise UsageError(f"{path} is too large to be such a document.")
    return data


def _with_previous(
    source: Source, opened: OpenCheckpoint, closing: ExitStack, progress: Progress
) -> Source:
    """Return the source with a pre-dump beside its images, where checkpoint/parent leads."""
    before = source_of(opened, NOTHING_BESIDE, closing, progress)
    prefix = f"{PARENT_IMAGES}/"
    names = [n for n in before.tree.members if n == PARENT_IMAGES or n.startswith(prefix)]
    if f"{prefix}inventory.img" not in names:
        raise UsageError(
            f"{opened.target} is not a pre-dump.", f"There is no {prefix}inventory.img in it."
        )
    if f"{prefix}inventory.img" in source.tree.members:
        raise UsageError(f"{source.label} has its pre-dump with it already.")
    tree = JoinedTree([("", source.tree), ("", PartTree(before.tree, names))])

    def feed(again: Progress) -> Feed:
        wanted = set(names)
        added = ((m, p) for m, p in before.feed(again) if m.name in wanted)
        return chain(source.feed(again), added)

    def check() -> None:
        source.check()
        before.check()

    stored_size = source.stored_size + before.stored_size
    return replace(source, tree=tree, feed=feed, check=check, stored_size=stored_size)
