"""Looks for the base image of a checkpoint where it may be, the nearest place first."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, replace

from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.base_image import FoundImage
from ckpt_tui.convert.roles import CONFIG_DUMP, DIFF_TAR
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.formats.entries import Kind
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.formats.places.folder import list_folder
from ckpt_tui.sources.base import BlobStore, Descriptor, Opened, OpenedImage
from ckpt_tui.sources.oci import config_of, descriptors_of, load, manifests, open_image
from ckpt_tui.sources.reference import SCHEME
from ckpt_tui.sources.table import resolve


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, or why the last place did not give it."""

    found: FoundImage | None = None
    why_not: str = ""


def search_base(
    source: Source,
    opened: OpenCheckpoint,
    named: str,
    progress: Progress,
    *,
    reach_out: bool,
) -> Search:
    """Find the image that the container ran from; the caller closes it.

    Where nothing is `named`: in the checkpoint itself, in podman's local store, beside the
    checkpoint, and with `reach_out` in the registry that the engine names.

    Raises:
        CkptError: the named one cannot be read, or is not an image.
    """
    if named:
        return Search(find_base(source, named, progress))
    if source.bare and not (source.base_digest or source.upper or DIFF_TAR in source.tree.members):
        return Search()
    found = _within(source, opened) or find_base(source, "", progress) or _beside(source, progress)
    if found or not reach_out:
        return Search(found)
    recorded = opened.metadata.text(CONFIG_DUMP, "rootfsImageRef")
    return _in_registry(source, recorded, progress)


def _within(source: Source, opened: OpenCheckpoint) -> FoundImage | None:
    """Return the base image that an index of `ctr` has with it."""
    image = opened.source
    if not source.base_digest or not isinstance(image, OpenedImage):
        return None
    for one in descriptors_of(image.document, "manifests", "the index"):
        if one.digest == source.base_digest:
            try:
                inner = open_image(image.target, image.store, one)
                lent = replace(inner, store=_Lent(image.store))
                return open_base(lent, source)
            except CkptError:
                return None
    return None


class _Lent:
    """A store that is closed elsewhere."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def blob(self, digest: str) -> ByteWindow:
        return self._store.blob(digest)

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        return self._store.layer_tree(layer, progress)

    def close(self) -> None:
        """The store stays open."""


def _beside(source: Source, progress: Progress) -> FoundImage | None:
    """Return the image the container ran from, if it lies beside the checkpoint as an OCI layout
    or archive. Only one whose config has the digest that the engine recorded is taken."""
    target = source.label
    folder = os.path.dirname(target) or "."
    wanted = f"sha256:{source.container.image_id}"
    if not os.path.isfile(target) or not source.container.image_id:
        return None
    with suppress(SourceUnreachable):  # the folder may not be listed
        for entry in list_folder(folder, progress):
            is_image = entry.kind is Kind.LAYOUT or entry.compression == "plain"
            if not is_image or os.path.samefile(entry.path, target):
                continue
            with suppress(CkptError):
                return open_base(resolve(entry.path, progress), source, wanted)
    return None


def _in_registry(source: Source, recorded: str, progress: Progress) -> Search:
    """Ask the registry; `recorded` is the engine's reference, which may be by digest."""
    reference = recorded if "@sha256:" in recorded else source.container.image
    host, slash, _ = reference.partition("/")
    # `localhost/` without a port is podman's name for what never was in a registry
    if not slash or not ("." in host or ":" in host):
        return Search()
    try:
        return Search(find_base(source, f"{SCHEME}{reference}", progress))
    except CkptError as error:
        return Search(why_not=str(error))


def find_base(source: Source, target: str, progress: Progress) -> FoundImage | None:
    """Find the base image of `source`: where `target` says, or else in podman's local store.

    None: no target was named, and the store does not have it. Whether it is the right one is told
    by `check_base`.

    Raises:
        CkptError: the target is not an image, or is damaged.
    """
    if target:
        return open_base(resolve(target, progress), source)
    container = source.container
    for name in (container.image_id, container.image):
        if name:
            with suppress(SourceUnreachable, UsageError):
                return open_base(resolve(f"containers-storage:{name}", progress), source)
    return None


def open_base(opened: Opened, source: Source, config_digest: str = "") -> FoundImage:
    """Take an opened image as the base of `source`; on failure it is closed.

    With `config_digest` only an image with that config is taken.
    """
    try:
        if not isinstance(opened, OpenedImage):
            raise UsageError(f"{opened.target} is not an image and cannot be a base.")
        image, digests = _manifest_of(opened, source)
        config = load(image.store, config_of(image))[1]
        if config_digest and f"sha256:{hashlib.sha256(config).hexdigest()}" != config_digest:
            raise UsageError(f"{opened.target} is another image.")
    except BaseException:
        opened.close()
        raise
    return FoundImage(image, config, tuple(digests))


def _manifest_of(opened: OpenedImage, source: Source) -> tuple[OpenedImage, list[str]]:
    """Return the image manifest to use, and the digests that led to it.

    Of an index it is the one whose config the engine recorded, else the first for Linux.
    """
    if not opened.is_index:
        return opened, [opened.descriptor.digest]
    found = []
    for descriptor in manifests(opened.store, opened.document):
        if descriptor.platform.get("os", "linux") != "linux":
            continue
        image = open_image(opened.target, opened.store, descriptor)
        if config_of(image).digest == f"sha256:{source.container.image_id}":
            found = [image]
            break
        found.append(image)
    if not found:
        raise CkptError(f"{opened.target} cannot be a base:", "it has no image for Linux.")
    return found[0], [opened.descriptor.digest, found[0].descriptor.digest]
