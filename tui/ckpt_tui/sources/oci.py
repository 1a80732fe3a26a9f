"""OCI images: manifests and layers, from layouts in a directory or in an archive.

After the OCI image specification 1.1: image-layout.md, descriptor.md, manifest.md, image-index.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.errors import DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow, chunks
from ckpt_tui.sources.base import (
    MEDIA_INDEX,
    MEDIA_MANIFEST,
    REF_NAME,
    BlobStore,
    Descriptor,
    OpenedImage,
    checked_digest,
)
from ckpt_tui.sources.digests import check_bytes, verified
from ckpt_tui.sources.encrypted import encrypted_tree, encrypted_window
from ckpt_tui.sources.key_wrap import is_encrypted

MAX_MANIFEST = 4 << 20
"""Bytes of a manifest or index: what registries take at most (distribution-spec, "Push")."""

MAX_VERIFIED = 4 << 20
"""Bytes up to which a layer is verified when it is opened; a larger one would cost too long."""

ROOTFS_TAG_END = ".rootfs"
"""End of the tag that a rootfs image has for itself, see `is_rootfs_tag`."""

MAX_DEPTH = 8
"""Indexes in each other."""

MAX_DESCRIPTORS = 10_000
"""Descriptors of a layout, nested ones included."""


class LayoutStore:
    """An OCI image layout in any tree: a directory or an archive."""

    def __init__(self, tree: Tree) -> None:
        """The store owns `tree`."""
        self._tree = tree

    @property
    def tree(self) -> Tree:
        return self._tree

    def blob(self, digest: str) -> ByteWindow:
        algorithm, _, digits = checked_digest(digest, "the layout").partition(":")
        try:
            return self._tree.window(f"blobs/{algorithm}/{digits}")
        except KeyError:
            raise missing_blob(digest) from None

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        return layer_archive(self, layer, progress)

    def index(self) -> Mapping[str, Any]:
        """Return the layout's `index.json`."""
        try:
            window = self._tree.window("index.json")
        except KeyError:
            raise SourceUnreachable("The layout has no index.json.") from None
        document = parse_document(_bounded(window, "index.json"), "index.json")
        if not isinstance(document, dict):
            raise DamagedInput("index.json", 0, "it holds no object.")
        return document

    def referrers(self, digest: str, progress: Progress) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject is that one: those that the index names, as oras
        writes them, and those under the tag that stands in for the referrers API."""
        found: dict[str, Descriptor] = {}
        for one in descriptors_of(self.index(), "manifests", "index.json"):
            progress.tick(0)
            if one.annotations.get(REF_NAME) == referrers_tag(digest):
                listed = descriptors_of(load(self, one)[0], "manifests", "the referrers")
                found.update((other.digest, other) for other in listed)
            elif REF_NAME not in one.annotations and is_manifest_type(one.media_type):
                with suppress(DamagedInput, SourceUnreachable):
                    document, _ = load(self, one)
                    if text_at(document, "subject", "digest") == digest:
                        found[one.digest] = replace(one, artifact_type=artifact_type_of(document))
        return tuple(found.values())

    def close(self) -> None:
        self._tree.close()


def missing_blob(digest: str) -> SourceUnreachable:
    """Return the error for a blob that is not in its store."""
    return SourceUnreachable(
        f"Blob {short_digest(digest)} is not there.",
        "The copy of the image is not complete.",
        "Copy the image again, with all its platforms.",
    )


def layer_archive(store: BlobStore, layer: Descriptor, progress: Progress) -> Tree:
    """Open a layer whose blob is a tar archive; a small one is read whole and verified.

    Raises:
        DamagedInput: it has another size or, if it is small, another digest than its descriptor.
    """
    window, name = store.blob(layer.digest), f"layer {short_digest(layer.digest)}"
    if window.size != layer.size:
        raise DamagedInput(name, 0, f"it has {window.size:,} bytes instead of {layer.size:,}.")
    if window.size > MAX_VERIFIED:
        return open_archive(window, name, progress)
    data = window.read(0, window.size)
    check_bytes(data, layer.digest, name)
    tree = open_archive(BytesWindow(data), name, progress)
    tree.was_read = True
    return tree


def is_layout(tree: Tree) -> bool:
    """Tell whether a tree holds an OCI image layout."""
    return "oci-layout" in tree.members and "index.json" in tree.members


def descriptor_of(document: object, where: str) -> Descriptor:
    """Return the descriptor in a parsed document; `where` is what errors name.

    Raises:
        DamagedInput: it has no digest, or no size.
    """
    size = value_at(document, "size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise DamagedInput(where, 0, "a descriptor in it has no size.")
    return Descriptor(
        media_type=text_at(document, "mediaType"),
        digest=checked_digest(text_at(document, "digest"), where),
        size=size,
        annotations=_texts(value_at(document, "annotations")),
        platform=_texts(value_at(document, "platform")),
        artifact_type=text_at(document, "artifactType"),
    )


def artifact_type_of(manifest: object) -> str:
    """Return the type of an artifact (distribution-spec, "Pushing Manifests with Subject")."""
    return text_at(manifest, "artifactType") or text_at(manifest, "config", "mediaType")


def descriptors_of(document: object, key: str, where: str) -> tuple[Descriptor, ...]:
    """Return the descriptors in the list at `key` (`manifests` or `layers`) of a document."""
    found = value_at(document, key)
    if not isinstance(found, list):
        return ()
    if len(found) > MAX_DESCRIPTORS:
        raise DamagedInput(where, 0, f"it has more than {MAX_DESCRIPTORS:,} {key}.")
    return tuple(descriptor_of(one, where) for one in found)


def children_of(image: OpenedImage) -> tuple[Descriptor, ...]:
    """Return what an index lists; nothing of a manifest."""
    return descriptors_of(image.document, "manifests", "the index") if image.is_index else ()


def referrers_tag(digest: str) -> str:
    """Return the tag that lists the referrers of a digest (distribution-spec, "Referrers Tag
    Schema")."""
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm[:32]}-{digits[:64]}"


def is_referrers_tag(tag: str) -> bool:
    """Tell whether a tag is such a one, which lists leave out."""
    algorithm, _, digits = tag.partition("-")
    is_hex = len(digits) == 64 and not digits.strip("0123456789abcdef")
    return algorithm in ("sha256", "sha512") and is_hex


def is_index_type(media_type: str) -> bool:
    """Tell whether a media type is that of an index, OCI's or Docker's."""
    return media_type in (
        MEDIA_INDEX,
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )


def is_manifest_type(media_type: str) -> bool:
    """Tell whether a media type is that of an image manifest, OCI's or Docker's."""
    return media_type in (
        MEDIA_MANIFEST,
        "application/vnd.docker.distribution.manifest.v2+json",
    )


def load(store: BlobStore, descriptor: Descriptor) -> tuple[dict[str, Any], bytes]:
    """Read a small JSON blob, verified, and return it parsed and as it is stored.

    Raises:
        DamagedInput: it is not what the digest says, too large, or no JSON object.
        SourceUnreachable: it is not there.
    """
    name = f"blob {short_digest(descriptor.digest)}"
    data = _bounded(store.blob(descriptor.digest), name)
    check_bytes(data, descriptor.digest, name)
    document = parse_document(data, name)
    if not isinstance(document, dict):
        raise DamagedInput(name, 0, "it holds no object.")
    return document, data


def _bounded(window: ByteWindow, name: str) -> bytes:
    if window.size > MAX_MANIFEST:
        raise DamagedInput(name, 0, f"it has {window.size:,} bytes, more than a manifest may have.")
    return window.read(0, window.size)


def open_image(target: str, store: BlobStore, descriptor: Descriptor) -> OpenedImage:
    """Return the image that a descriptor names, its manifest or index read and verified."""
    document, data = load(store, descriptor)
    return OpenedImage(target, store, descriptor, document, data)


def manifests(
    store: BlobStore, document: Mapping[str, Any], where: str = "index.json"
) -> Iterator[Descriptor]:
    """Yield the descriptors in an index and in the indexes below it that are not indexes.

    Each digest comes once. An index below that is missing or damaged is passed over: a copy of one
    platform leaves the others out.

    Raises:
        DamagedInput: there are too many, or `document` itself is damaged.
    """
    seen: set[str] = set()
    waiting = [(one, 1) for one in reversed(descriptors_of(document, "manifests", where))]
    while waiting:
        descriptor, depth = waiting.pop()
        if descriptor.digest in seen:
            continue
        seen.add(descriptor.digest)
        if len(seen) > MAX_DESCRIPTORS or depth > MAX_DEPTH:
            raise DamagedInput(where, 0, "its indexes are nested without end.")
        if not is_index_type(descriptor.media_type):
            yield descriptor
            continue
        try:
            nested, _ = load(store, descriptor)
            below = descriptors_of(nested, "manifests", "an index")
        except (DamagedInput, SourceUnreachable):
            continue
        waiting += [(one, depth + 1) for one in reversed(below)]


def is_rootfs_tag(tag: str) -> bool:
    """Tell whether a tag is that of the rootfs image of an optimized pair, made of its digest: no
    name that a person gave, and lists leave it out."""
    return tag.endswith(ROOTFS_TAG_END) and is_referrers_tag(tag.removesuffix(ROOTFS_TAG_END))


def choose(store: LayoutStore, wanted: str, target: str) -> Descriptor:
    """Return the descriptor of a layout that `wanted` names: a tag, `@digest`, or "" for the one.

    Raises:
        UsageError: there is no such one, or several and none named.
    """
    document = store.index()
    top = descriptors_of(document, "manifests", "index.json")
    if wanted.startswith("@"):
        digest = wanted[1:]
        below = (one for one in manifests(store, document) if one.digest == digest)
        found = next((one for one in top if one.digest == digest), None) or next(below, None)
        if found is None:
            raise UsageError(f"{target} has no image {digest}.", hint=_names_hint(top))
        return found
    if not wanted:
        top = tuple(one for one in top if not is_rootfs_tag(one.annotations.get(REF_NAME, "")))
    named = [one for one in top if not wanted or _is_named(one, wanted)]
    if not named:
        what = f"no image {wanted}" if wanted else "no image at all"
        raise UsageError(f"{target} has {what}.", hint=_names_hint(top))
    if len({one.digest for one in named}) > 1 and not wanted:
        named = [one for one in named if not _refers(store, one)] or named
    if len({one.digest for one in named}) > 1:
        raise UsageError(f"{target} has {len(named)} images.", "", _names_hint(top))
    return named[0]


def _refers(store: LayoutStore, descriptor: Descriptor) -> bool:
    """Tell whether an image is kept for another one: a signature of it, or a list of those."""
    if is_referrers_tag(descriptor.annotations.get(REF_NAME, "")):
        return True
    with suppress(DamagedInput, SourceUnreachable):
        return "subject" in load(store, descriptor)[0]
    return False


def _is_named(descriptor: Descriptor, wanted: str) -> bool:
    """Compare with ref.name: skopeo writes the tag alone, podman the whole reference."""
    name = descriptor.annotations.get(REF_NAME, "")
    return name == wanted or (":" in name and name.rpartition(":")[2] == wanted)


def _names_hint(descriptors: tuple[Descriptor, ...]) -> str:
    names = [one.annotations.get(REF_NAME) or f"@{one.digest}" for one in descriptors[:8]]
    more = f" and {len(descriptors) - 8} more" if len(descriptors) > 8 else ""
    return f"Name one of: {', '.join(names)}{more}." if names else ""


@dataclass(frozen=True, slots=True)
class LayerBlob:
    """One layer of an image."""

    descriptor: Descriptor
    store: BlobStore

    def open_tree(self, progress: Progress, *, whole: bool = False) -> Tree:
        """Return its members; see `BlobStore.layer_tree`, and for one that is encrypted
        `encrypted_tree`."""
        if is_encrypted(self.descriptor):
            return encrypted_tree(self.store, self.descriptor, whole, progress)
        return self.store.layer_tree(self.descriptor, progress)

    def window(self) -> ByteWindow:
        """Return its bytes, decrypted; they were not verified.

        Raises: as `BlobStore.blob` and `encrypted_window`.
        """
        if is_encrypted(self.descriptor):
            return encrypted_window(self.store, self.descriptor)
        return self.store.blob(self.descriptor.digest)


def image_layers(image: OpenedImage) -> tuple[LayerBlob, ...]:
    """Return the layers of an image, lowest first.

    Raises:
        DamagedInput: a descriptor is malformed.
    """
    layers = descriptors_of(image.document, "layers", "the manifest")
    return tuple(LayerBlob(layer, image.store) for layer in layers)


def image_config(image: OpenedImage) -> dict[str, Any]:
    """Return the config of an image, verified against the manifest."""
    return load(image.store, config_of(image))[0]


def config_of(image: OpenedImage) -> Descriptor:
    """Return the descriptor of an image's config."""
    return descriptor_of(image.document.get("config"), "the manifest")


def verify(digest: str, window: ByteWindow, progress: Progress) -> None:
    """Read a blob from start to end and compare it with its digest; progress counts bytes.

    Raises:
        DamagedInput: the bytes are others.
    """
    for piece in verified(chunks(window), digest):
        progress.tick(len(piece))


def _texts(value: object) -> dict[str, str]:
    """Return the pairs of an object that are text."""
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
