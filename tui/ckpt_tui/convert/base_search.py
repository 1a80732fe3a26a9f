"""Looks for the base image of a checkpoint where it may be, the nearest place first."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Generic

from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.base import Read, T, find_base, open_base
from ckpt_tui.convert.roles import CONFIG_DUMP, DIFF_TAR
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.formats.entries import Kind
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.formats.places.folder import list_folder
from ckpt_tui.sources.base import BlobStore, Descriptor, OpenedImage
from ckpt_tui.sources.oci import descriptors_of, open_image
from ckpt_tui.sources.reference import SCHEME
from ckpt_tui.sources.table import resolve


@dataclass(frozen=True, slots=True)
class Search(Generic[T]):
    """What was found, or why the last place did not give it."""

    base: T | None = None
    why_not: str = ""


def search_base(
    source: Source,
    opened: OpenCheckpoint,
    named: str,
    progress: Progress,
    read: Read[T],
    *,
    reach_out: bool,
) -> Search[T]:
    """Find the image that the container ran from, and `read` it; the caller closes it.

    Where nothing is `named`: in the checkpoint itself, in podman's local store, beside the
    checkpoint, and with `reach_out` in the registry that the engine names.

    Raises:
        CkptError: the named one cannot be read, or is no image.
    """
    if named:
        return Search(find_base(source, named, progress, read))
    if source.bare and not (source.base_digest or source.upper or DIFF_TAR in source.tree.members):
        return Search()
    found = (
        _within(source, opened, progress, read)
        or find_base(source, "", progress, read)
        or _beside(source, progress, read)
    )
    if found or not reach_out:
        return Search(found)
    recorded = opened.metadata.text(CONFIG_DUMP, "rootfsImageRef")
    return _in_registry(source, recorded, progress, read)


def _within(source: Source, opened: OpenCheckpoint, progress: Progress, read: Read[T]) -> T | None:
    """Return the base image that an index of `ctr` has with it."""
    image = opened.source
    if not source.base_digest or not isinstance(image, OpenedImage):
        return None
    for one in descriptors_of(image.document, "manifests", "the index"):
        if one.digest == source.base_digest:
            try:
                inner = open_image(image.target, image.store, one)
                lent = replace(inner, store=_Lent(image.store))
                return open_base(lent, source, progress, read)
            except CkptError:
                return None
    return None


class _Lent:
    """A store that somebody else closes."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def blob(self, digest: str) -> ByteWindow:
        return self._store.blob(digest)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        return self._store.layer_tree(layer, progress)

    def close(self) -> None:
        """The store stays open."""


def _beside(source: Source, progress: Progress, read: Read[T]) -> T | None:
    """Return the image the container ran from, if it lies beside the checkpoint as an OCI layout
    or archive. Only one whose config has the digest that the engine recorded is taken."""
    target = source.label
    folder = os.path.dirname(target) or "."
    wanted = f"sha256:{source.container.image_id}"
    if not os.path.isfile(target) or not source.container.image_id:
        return None
    with suppress(SourceUnreachable):  # the folder may be one that nobody may list
        for entry in list_folder(folder, progress):
            is_image = entry.kind is Kind.LAYOUT or entry.compression == "plain"
            if not is_image or os.path.samefile(entry.path, target):
                continue
            with suppress(CkptError):
                return open_base(resolve(entry.path, progress), source, progress, read, wanted)
    return None


def _in_registry(source: Source, recorded: str, progress: Progress, read: Read[T]) -> Search[T]:
    """Ask the registry; `recorded` is the engine's reference, which may be by digest."""
    reference = recorded if "@sha256:" in recorded else source.container.image
    host, slash, _ = reference.partition("/")
    # `localhost/` without a port is podman's name for what never was in a registry
    if not slash or not ("." in host or ":" in host):
        return Search()
    try:
        return Search(find_base(source, f"{SCHEME}{reference}", progress, read))
    except CkptError as error:
        return Search(why_not=str(error))
