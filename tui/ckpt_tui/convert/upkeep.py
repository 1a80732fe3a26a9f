"""Removal of images from OCI layouts, and of blobs that nothing names."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.convert.destination import writing
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.core.document import text_at
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import DIGEST, REF_NAME, Descriptor
from ckpt_tui.sources.oci import (
    MAX_DEPTH,
    LayoutStore,
    choose,
    descriptors_of,
    is_index_type,
    is_manifest_type,
    is_referrers_tag,
    load,
    referrers_tag,
)


@dataclass(frozen=True, slots=True)
class Removal:
    """What was removed, or would be."""

    target: str
    digest: str
    names: tuple[str, ...]
    """Tags that are gone: that of the image, and those of what belongs to it."""
    referrers: tuple[str, ...]
    """Digests of manifests without a tag that refer to it."""
    other_names: tuple[str, ...]
    """Tags that name the same image still; then its blobs stay."""
    images: tuple[str, ...]
    """Digests of the images of its index that are gone, in a registry."""
    blobs: int | None
    """How many are gone; None in a registry, which removes them by itself."""
    bytes: int | None
    """Of these blobs."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Blobs of a layout that nothing names."""

    layout: str
    blobs: int
    bytes: int
    kept: int
    """Bytes of the blobs that something names."""


def remove_image(folder: Path, wanted: str, progress: Progress, *, dry_run: bool) -> Removal:
    """Remove the image of a layout that `wanted` names (a tag or `@digest`), with its referrers and
    the tags that belong to it; then the blobs that only it had.

    Raises:
        UsageError: the layout has no such image, or several and none is named.
        CkptError: it cannot be read or written.
    """
    target = f"oci:{folder}{':' if wanted else ''}{wanted}"
    with _held(folder, progress, dry_run) as (store, sink):
        entries = list(descriptors_of(store.index(), "manifests", "index.json"))
        gone = choose(store, wanted, target)
        same = [one for one in entries if one.digest == gone.digest]
        chosen = [one for one in same if wanted and _is_called(one, wanted)] or same
        others = [one for one in same if one not in chosen]
        rest = [one for one in entries if one not in same]
        going = chosen if others else [*chosen, *_belonging(store, gone, rest, progress)]
        kept = named_blobs(store, [one for one in entries if one not in going], progress)
        freed = {d: s for d, s in named_blobs(store, going, progress).items() if d not in kept}
        if sink:
            sink.rewrite(lambda index: _without(index, {_key(one) for one in going}))
            sink.delete(freed)
    return Removal(
        target,
        gone.digest,
        tuple(name for one in going if (name := _name(one))),
        tuple(one.digest for one in going if not _name(one) and one not in chosen),
        tuple(filter(None, map(_name, others))),
        (),
        len(freed),
        sum(freed.values()),
    )


def collect(folder: Path, progress: Progress, *, dry_run: bool) -> Collection:
    """Remove the blobs of a layout that its index does not lead to.

    Raises:
        CkptError: the index leads to a manifest that is missing or damaged, so that what it names
            is not known; or the layout cannot be written.
    """
    with _held(folder, progress, dry_run) as (store, sink):
        entries = descriptors_of(store.index(), "manifests", "index.json")
        named = named_blobs(store, entries, progress)
        there = dict(_blobs(folder, progress))
        lost = {digest: size for digest, size in there.items() if digest not in named}
        if sink:
            sink.delete(lost)
    kept = sum(size for digest, size in there.items() if digest in named)
    return Collection(str(folder), len(lost), sum(lost.values()), kept)


@contextmanager
def _held(
    folder: Path, progress: Progress, dry_run: bool
) -> Iterator[tuple[LayoutStore, LayoutSink | None]]:
    """Lend a layout, and what changes it, which other writers wait for."""
    if not (folder / "oci-layout").is_file():
        raise UsageError(f"{folder} is not an OCI layout.", "", "Name it as oci:DIR[:TAG].")
    with ExitStack() as held, writing(str(folder)):
        sink = None if dry_run else held.enter_context(LayoutSink(folder))
        if sink:
            held.enter_context(sink.locked())
        store = LayoutStore(DirectoryTree(str(folder), progress))
        held.callback(store.close)
        yield store, sink


def named_blobs(
    store: LayoutStore, entries: Iterable[Descriptor], progress: Progress
) -> dict[str, int]:
    """Return the digests and sizes of all blobs that manifests and indexes lead to, themselves
    included.

    Raises:
        CkptError: one cannot be read.
    """
    found: dict[str, int] = {}
    waiting = [(one, 0) for one in entries]
    while waiting:
        progress.tick(0)
        one, depth = waiting.pop()
        if one.digest in found:
            continue
        found[one.digest] = one.size
        if not (is_index_type(one.media_type) or is_manifest_type(one.media_type)):
            continue
        if depth > MAX_DEPTH:
            raise CkptError("The layout cannot be read:", "its indexes are nested without end.")
        document, _ = load(store, one)
        for key in ("manifests", "layers"):
            waiting += [(child, depth + 1) for child in descriptors_of(document, key, one.digest)]
        config = {"config": [document["config"]]} if "config" in document else {}
        waiting += [(child, depth + 1) for child in descriptors_of(config, "config", one.digest)]
    return found


def _belonging(
    store: LayoutStore, image: Descriptor, entries: Sequence[Descriptor], progress: Progress
) -> list[Descriptor]:
    """Return those of the other entries that are kept for an image: its referrers, and tags made of
    its digest or of that of an image that only it has (`sha256-….rootfs`, cosign's `.sig`)."""
    digests = {image.digest}
    if is_index_type(image.media_type):
        named = [one for one in entries if not is_referrers_tag(_name(one).partition(".")[0])]
        elsewhere = named_blobs(store, [one for one in named if _name(one)], progress)
        children = descriptors_of(load(store, image)[0], "manifests", "the index")
        digests |= {child.digest for child in children} - elsewhere.keys()
    tags = {referrers_tag(digest) for digest in digests}
    found: list[Descriptor] = []
    for one in entries:
        name = _name(one)
        if name.partition(".")[0] in tags:
            found.append(one)
        elif not name and is_manifest_type(one.media_type) and one.digest not in digests:
            subject = text_at(load(store, one)[0], "subject", "digest")
            if subject in digests:
                found.append(one)
    return found


def _blobs(folder: Path, progress: Progress) -> Iterator[tuple[str, int]]:
    """Yield digest and size of each blob file. Links are not followed, and other files are left
    alone."""
    try:
        kinds = [entry for entry in os.scandir(folder / "blobs") if entry.is_dir()]
        if any(entry.is_symlink() for entry in kinds) or (folder / "blobs").is_symlink():
            raise CkptError(f"{folder} is not cleaned up:", "its blobs are behind a link.")
        for kind in kinds:
            for entry in os.scandir(kind.path):
                progress.tick(0)
                status = entry.stat(follow_symlinks=False)
                digest = f"{kind.name}:{entry.name}"
                if stat.S_ISREG(status.st_mode) and DIGEST.fullmatch(digest):
                    yield digest, status.st_size
    except OSError as error:
        raise SourceUnreachable(f"{folder} cannot be read:", f"{error.strerror}.") from error


def _name(descriptor: Descriptor) -> str:
    return descriptor.annotations.get(REF_NAME, "")


def _is_called(descriptor: Descriptor, wanted: str) -> bool:
    name = _name(descriptor)
    return name == wanted or name.rpartition(":")[2] == wanted


def _key(descriptor: Descriptor) -> tuple[str, str]:
    return descriptor.digest, _name(descriptor)


def _without(index: dict[str, Any], going: set[tuple[str, str]]) -> dict[str, Any]:
    entries = index.get("manifests", [])
    kept = [
        entry
        for entry in entries
        if (text_at(entry, "digest"), text_at(entry, "annotations", REF_NAME)) not in going
    ]
    return {**index, "manifests": kept}
