"""Images as places: manifests, configs, layers and blobs, and what refers to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.images import CTR_PREFIX, LAYER_ROLE_KEY, ROLE_KEY
from ckpt_tui.formats.places.layout import SCHEMES
from ckpt_tui.sources.base import Descriptor, OpenedImage, ReferringStore
from ckpt_tui.sources.oci import (
    config_of,
    image_layers,
    is_manifest_type,
    manifests,
    open_image,
)
from ckpt_tui.sources.reference import SCHEME, parse_place
from ckpt_tui.sources.stores import stored_target
from ckpt_tui.sources.table import resolve, split_reference


def image_at(target: str) -> Entry | None:
    """Return the image that a target names: in a registry, a store, a layout or an archive."""
    if target.startswith(SCHEME):
        is_image = bool(parse_place(target).wanted)
    else:
        scheme, _, rest = target.partition(":")
        is_image = scheme in SCHEMES and bool(split_reference(rest)[1])
        is_image = is_image or stored_target(target) is not None
    return Entry(Kind.IMAGE, target, target=target) if is_image else None


def children(image: Entry, progress: Progress) -> tuple[Entry, ...]:
    """Return what an image is made of, and after it what refers to it; see `look_inside`."""
    return look_inside(image, progress).parts or ()


def look_inside(image: Entry, progress: Progress) -> Entry:
    """Return an image with its descriptor, what it is made of, and what refers to it.

    Raises:
        CkptError: it cannot be read.
    """
    opened = resolve(image.target, progress)
    try:
        if not isinstance(opened, OpenedImage):
            raise SourceUnreachable(f"{image.target} is not an image.")
        parts = (*_parts(opened, progress), *_referrers(opened, progress))
        return replace(image, descriptor=opened.descriptor, parts=parts)
    finally:
        opened.close()


def _parts(image: OpenedImage, progress: Progress) -> tuple[Entry, ...]:
    """Return what an image is made of; a manifest in an index that is elsewhere says so."""
    if image.is_index:
        found = manifests(image.store, image.document, "the index")
        return tuple(_child(image, child, progress) for child in found)
    layers = (
        _part(layer.descriptor.annotations.get(LAYER_ROLE_KEY, "layer"), layer.descriptor)
        for layer in image_layers(image)
    )
    return (*layers, _part("config", config_of(image)))


def _referrers(image: OpenedImage, progress: Progress) -> Iterator[Entry]:
    """Yield what refers to an image, nothing where the store does not keep that."""
    if not isinstance(image.store, ReferringStore):
        return
    in_registry = image.target.startswith(SCHEME)
    for one in image.store.referrers(image.descriptor.digest, progress):
        entry = _part("referrer", one)
        if in_registry:
            place = f"{SCHEME}{parse_place(image.target).name}"
            entry = replace(entry, kind=Kind.IMAGE, target=f"{place}@{one.digest}")
        yield entry


def _child(image: OpenedImage, child: Descriptor, progress: Progress) -> Entry:
    progress.tick()
    if not is_manifest_type(child.media_type):
        return _part(_blob_role(child.media_type), child)
    entry = _part("manifest", child)
    try:
        inner = open_image(image.target, image.store, child)
        return replace(entry, parts=_parts(inner, progress))
    except CkptError as error:
        return replace(entry, problem=error)


def _part(role: str, one: Descriptor) -> Entry:
    name = f"{one.annotations.get(ROLE_KEY, '')} {role}".strip()
    return Entry(
        Kind.PART,
        f"{name}  {short_digest(one.digest)}",
        content=_last_word(one.artifact_type or one.media_type),
        role=role,
        descriptor=one,
        size=one.size,
    )


def _blob_role(media_type: str) -> str:
    """Return what a blob of `ctr` is for, by the part of its type that says so."""
    if media_type.startswith(CTR_PREFIX):
        rest = media_type.removeprefix(CTR_PREFIX).removeprefix("criu.")
        return rest.removeprefix("checkpoint.").partition(".")[0]
    return "delta" if media_type.startswith("application/vnd.oci.image.layer.") else "blob"


def _last_word(media_type: str) -> str:
    """Return the telling end of a media type: `tar+zstd` of a layer, `config` of a config."""
    end = media_type.rpartition("/")[2].removesuffix("+json").removesuffix("+proto")
    words = [word for word in end.split(".") if not re.fullmatch("v[0-9]+", word)]
    return words[-1] if words else ""
