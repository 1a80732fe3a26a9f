"""OCI layouts and archives of images as places: the images in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.describing import describe_stored
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.sources.base import REF_NAME
from ckpt_tui.sources.docker_archive import DockerArchiveStore, docker_images
from ckpt_tui.sources.local import open_images
from ckpt_tui.sources.oci import (
    LayoutStore,
    descriptors_of,
    is_layout,
    is_referrers_tag,
    is_rootfs_tag,
    load,
)

SCHEMES = ("oci", "oci-archive", "docker-archive")
"""Of targets that may be written before the path of a layout or an archive."""


def local_path(target: str) -> str:
    """Return the path of a layout or an archive without its scheme."""
    scheme, _, rest = target.partition(":")
    return rest if scheme in SCHEMES else target


def layout_at(target: str) -> Entry | None:
    """Return the layout at a path."""
    path = local_path(target)
    has_mark = os.path.exists(os.path.join(path, "oci-layout"))
    return Entry(Kind.LAYOUT, os.path.basename(path), path) if has_mark else None


def archive_at(target: str) -> Entry | None:
    """Return the file at a path, which should be an archive."""
    path = local_path(target)
    is_file = os.path.isfile(path)
    return Entry(Kind.ARCHIVE, os.path.basename(path), path, path) if is_file else None


def layout_images(layout: Entry, progress: Progress) -> Iterator[Entry]:
    """Yield the images of a layout.

    Raises:
        CkptError: its index cannot be read.
    """
    store = LayoutStore(DirectoryTree(layout.path, progress))
    try:
        yield from _images(store, f"oci:{layout.path}", layout.path, progress)
    finally:
        store.close()


def archive_images(archive: Entry, progress: Progress) -> Iterator[Entry]:
    """Yield the images of an archive; one of several that has no name has no target.

    Raises:
        CkptError: as `open_images`.
    """
    path = archive.path
    tree = open_images(path, progress)
    try:
        if is_layout(tree):
            yield from _images(LayoutStore(tree), f"oci-archive:{path}", path, progress)
            return
        found = list(docker_images(tree))
        for names, store in found:
            progress.tick()
            for name in names or ("",):
                opens = _named(f"docker-archive:{path}", name) if name or len(found) == 1 else ""
                yield replace(_saved(name, store), path=path, target=opens)
    finally:
        tree.close()


def _images(store: LayoutStore, place: str, path: str, progress: Progress) -> Iterator[Entry]:
    """Yield the images that the index of a layout names, without those that refer to another; a
    damaged one with its name alone."""
    for one in descriptors_of(store.index(), "manifests", "index.json"):
        progress.tick()
        name = one.annotations.get(REF_NAME, "") or f"@{one.digest}"
        if is_rootfs_tag(name):
            continue
        try:
            document, _ = load(store, one)
            if "subject" in document or is_referrers_tag(name):
                continue
            entry = describe_stored(name, store, one, document)
        except CkptError as error:
            entry = Entry(Kind.IMAGE, name, descriptor=one, problem=error)
        yield replace(entry, path=path, target=_named(place, name))


def _named(place: str, tag: str) -> str:
    """Return the target of an image; `tag` may be a digest with its @."""
    return f"{place}{tag}" if tag.startswith("@") or not tag else f"{place}:{tag}"


def _saved(name: str, store: DockerArchiveStore | None) -> Entry:
    if store is None:
        return Entry(Kind.IMAGE, name)
    name = name or f"@{store.manifest.digest}"
    return describe_stored(name, store, store.manifest, store.document)
