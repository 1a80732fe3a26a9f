"""Checkpoints inside images: podman's and CRI-O's, the optimized pair, and containerd's `ctr`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.joined import JoinedTree, MemoryTree
from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import Member, Tree
from ckpt_tui.checkpoint.delta import layer_entries
from ckpt_tui.checkpoint.model import Delta, Note, StoredPart
from ckpt_tui.core.document import read_document, strings_at, text_at, texts_at
from ckpt_tui.core.errors import CkptError, DamagedInput, KeyNeeded, NotACheckpoint
from ckpt_tui.core.parallel import side_by_side
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.formats.contents import Contents
from ckpt_tui.formats.frame_digests import FRAMES, MAX_FRAMES_FILE, decode
from ckpt_tui.formats.table import FORMAT_VERSION_KEY
from ckpt_tui.sources.base import LAYER_PREFIX, BlobStore, Descriptor, OpenedImage, RemoteStore
from ckpt_tui.sources.key_wrap import is_encrypted, key_ids
from ckpt_tui.sources.oci import (
    LayerBlob,
    children_of,
    image_config,
    image_layers,
    is_manifest_type,
    manifests,
    open_image,
)
from ckpt_tui.sources.transfer import verified_pieces

ROLE_KEY = "org.criu.checkpoint.role"
"""Annotation on the two manifests of an optimized pair: checkpoint or rootfs."""

LAYER_ROLE_KEY = "org.criu.checkpoint.layer.role"

FORMAT_MAJOR = 0
"""Major version of the optimized format that is understood."""

CONVERSION = "conversion.json"
"""Metadata file with what a conversion has no other place for."""

LAYERS_AT_ONCE = 8
"""Layers of an image in a registry that are opened side by side: each takes several answers."""

CTR_PREFIX = "application/vnd.containerd.container."
CTR_CRIU = CTR_PREFIX + "criu.checkpoint.criu.tar"
CTR_SPEC = CTR_PREFIX + "checkpoint.config.v1+proto"


def is_delta(layer: Descriptor) -> bool:
    """Return whether a layer of the rootfs image holds what the container changed."""
    return layer.annotations.get(LAYER_ROLE_KEY) == "delta"


def read_image(image: OpenedImage, progress: Progress) -> Contents:
    """Return the checkpoint in an image.

    Raises:
        NotACheckpoint: the image holds none, or one of a newer format.
        CkptError: a layer is missing or damaged.
    """
    annotations = strings_at(image.document, "annotations")
    if any(d.media_type == CTR_CRIU for d in children_of(image)):
        return _ctr(image, annotations, progress)
    if not image.is_index:
        return _manifest(image, annotations, progress)
    return _index(image, annotations, progress)


def _check_version(annotations: Mapping[str, str]) -> bool:
    """Return whether the image is in the optimized format; refuse a newer major version."""
    version = annotations.get(FORMAT_VERSION_KEY, "")
    major = version.partition(".")[0]
    if not version:
        return False
    if not major.isdigit() or int(major) > FORMAT_MAJOR:
        raise NotACheckpoint(
            f"This image is in version {version} of the optimized format.",
            f"This program understands version {FORMAT_MAJOR}.",
            "Use a newer ckpt-tui.",
        )
    return True


def _manifest(image: OpenedImage, annotations: dict[str, str], progress: Progress) -> Contents:
    optimized = _check_version(annotations)
    blobs = image_layers(image)
    trees, notes, locked = _opened_layers(blobs, progress)
    tree = LayeredTree([*trees.values()])
    _prove_frames(image, blobs, trees)
    hidden = dict(zip(trees, tree.hidden_bytes, strict=True))
    layers = tuple(
        _layer(blob, trees.get(number), "checkpoint", hidden.get(number, 0))
        for number, blob in enumerate(blobs)
    )
    return Contents(
        tree=trees[0] if len(blobs) == len(trees) == 1 else tree,
        annotations=annotations,
        layers=layers,
        packed=sum(layer.size for layer in layers),
        checked=sum(blobs[number].descriptor.size for number in trees if trees[number].was_read),
        optimized=optimized,
        notes=tuple(notes),
        locked=locked,
        key_ids=_key_ids(blobs),
    )


def _opened_layers(
    blobs: Sequence[LayerBlob], progress: Progress
) -> tuple[dict[int, Tree], list[Note], KeyNeeded | None]:
    """Return the layers by their number, notes on those that cannot be read, and why those cannot
    that are encrypted.

    Raises:
        CkptError: the only one cannot be read.
    """
    trees: dict[int, Tree] = {}
    notes: dict[int, Note] = {}
    locked: list[KeyNeeded] = []

    def open_layer(number: int, blob: LayerBlob, progress: Progress) -> None:
        try:
            trees[number] = blob.open_tree(progress, whole=_role(blob) == "metadata")
        except KeyNeeded as error:
            locked.append(error)
        except CkptError as error:
            if len(blobs) == 1:
                raise
            notes[number] = _damage(blob, str(error))

    jobs = [partial(open_layer, number, blob) for number, blob in enumerate(blobs)]
    _run(jobs, blobs[0].store if blobs else None, progress)
    told = [notes[number] for number in sorted(notes)]
    return dict(sorted(trees.items())), told, locked[0] if locked else None


def _run(
    jobs: Sequence[Callable[[Progress], None]], store: BlobStore | None, progress: Progress
) -> None:
    """Run jobs that read from a store, side by side where each has to wait for answers."""
    if isinstance(store, RemoteStore) and len(jobs) > 1:
        side_by_side(jobs, LAYERS_AT_ONCE, progress)
    else:
        for job in jobs:
            job(progress)


def _key_ids(blobs: Iterable[LayerBlob]) -> tuple[str, ...]:
    encrypted = (blob.descriptor for blob in blobs if is_encrypted(blob.descriptor))
    found = dict.fromkeys(one for layer in encrypted for one in key_ids(layer) or ("no key",))
    return tuple(found)


def _role(blob: LayerBlob) -> str:
    return blob.descriptor.annotations.get(LAYER_ROLE_KEY, "")


def _prove_frames(
    image: OpenedImage, blobs: Sequence[LayerBlob], trees: Mapping[int, Tree]
) -> None:
    """Compare each frame of a layer that is read from now on with its digest in frames.bin, which
    images have from version 0.2 of the format on. It is read when the first frame is."""
    at = next((number for number, tree in trees.items() if FRAMES in tree.members), None)
    if at is None:
        return

    @cache
    def known() -> tuple[tuple[str, ...], dict[str, bytes]]:
        diff_ids = texts_at(image_config(image), "rootfs", "diff_ids")
        return diff_ids, read_frame_digests(blobs[at], trees[at])

    def digests(number: int) -> bytes:
        diff_ids, frames = known()
        found = frames.get(diff_ids[number], b"") if number < len(diff_ids) else b""
        if not found and _role(blobs[number]) == "pages":
            raise DamagedInput(FRAMES, 0, "it does not have the digests of a layer of pages.")
        return found

    for number, tree in trees.items():
        if number != at and isinstance(tree, ArchiveTree) and not tree.was_read:
            tree.prove(partial(digests, number))


def read_frame_digests(blob: LayerBlob, tree: Tree) -> dict[str, bytes]:
    """Return the digests of frames by the diff id of their layer; `tree` is the metadata layer
    `blob` opened. A blob that was not verified when it was opened is read again and verified.

    Raises:
        DamagedInput: the layer or the file in it is damaged.
    """
    if not tree.was_read:
        data = b"".join(verified_pieces(blob.store, blob.descriptor, quiet()))
        tree = open_archive(BytesWindow(data), FRAMES, quiet())
    window = tree.window(FRAMES)
    if window.size > MAX_FRAMES_FILE:
        raise DamagedInput(FRAMES, 0, f"it has {window.size:,} bytes, more than one ever has.")
    return decode(window.read(0, window.size))


def _damage(blob: LayerBlob, why: str) -> Note:
    role = _role(blob)
    return Note(f"{role} layer {short_digest(blob.descriptor.digest)}".lstrip(), why, damaged=True)


def _layer(blob: LayerBlob, tree: Tree | None, role: str, hidden: int = 0) -> StoredPart:
    return StoredPart(
        digest=blob.descriptor.digest,
        media_type=blob.descriptor.media_type,
        size=blob.descriptor.size,
        plain_size=sum(m.size for m in tree.members.values()) if tree else None,
        role=_role(blob) or role,
        members=len(tree.members) if tree else 0,
        hidden=hidden,
    )


def _index(image: OpenedImage, annotations: dict[str, str], progress: Progress) -> Contents:
    optimized = _check_version(annotations)
    found = list(manifests(image.store, image.document, "the index"))
    by_role = {d.annotations.get(ROLE_KEY, ""): d for d in reversed(found)}
    chosen = by_role.get("checkpoint") or next(
        (d for d in found if is_manifest_type(d.media_type)), None
    )
    if chosen is None:
        raise NotACheckpoint(
            "This index lists no image.", hint="Name a manifest in it by its digest."
        )
    inner = open_image(image.target, image.store, chosen)
    contents: list[Contents] = []
    rootfs: list[Contents] = []

    def read_checkpoint(progress: Progress) -> None:
        known = annotations | strings_at(inner.document, "annotations")
        contents.append(_manifest(inner, known, progress))

    def read_rootfs(progress: Progress) -> None:
        rootfs.append(_rootfs(image, by_role["rootfs"], progress))

    is_pair = optimized and "rootfs" in by_role
    _run([read_checkpoint, read_rootfs][: 1 + is_pair], image.store, progress)
    if not is_pair:
        return contents[0]
    joined = _joined(contents[0], rootfs[0])
    if rootfs[0].key_ids:
        others = _other_rootfs(joined.tree, by_role["rootfs"])
        joined = replace(joined, notes=(*joined.notes, *others))
    return joined


def _joined(checkpoint: Contents, rootfs: Contents) -> Contents:
    """Return a checkpoint with what is known of its rootfs image."""
    return replace(
        checkpoint,
        layers=(*checkpoint.layers, *rootfs.layers),
        packed=checkpoint.packed + rootfs.packed,
        checked=checkpoint.checked + rootfs.checked,
        delta=rootfs.delta,
        delta_blob=rootfs.delta_blob,
        notes=(*checkpoint.notes, *rootfs.notes),
        locked=checkpoint.locked or rootfs.locked,
        key_ids=tuple(dict.fromkeys((*checkpoint.key_ids, *rootfs.key_ids))),
    )


def _rootfs(image: OpenedImage, descriptor: Descriptor, progress: Progress) -> Contents:
    """Return the layers of the rootfs image and its delta. Only the delta layer is read: base
    layers may be large, or absent from a sparse layout."""
    layers: list[StoredPart] = []
    notes: list[Note] = []
    packed = checked = 0
    delta, delta_blob, locked = Delta("none"), None, None
    try:
        blobs = image_layers(open_image(image.target, image.store, descriptor))
    except CkptError as error:
        blobs, notes = (), [Note("rootfs image", str(error), damaged=True)]
    for blob in blobs:
        one = blob.descriptor
        if not is_delta(one):
            layers.append(StoredPart(one.digest, one.media_type, one.size, None, "base"))
            continue
        try:
            layer, delta, is_checked = _read_delta(blob, progress)
        except KeyNeeded as error:
            layers.append(_layer(blob, None, "delta"))
            packed, locked = packed + one.size, locked or error
            continue
        except CkptError as error:
            notes.append(Note("delta layer", str(error), damaged=True))
            continue
        layers.append(layer)
        packed, delta_blob = packed + layer.size, blob
        checked += layer.size * is_checked
    return Contents(
        MemoryTree({}),
        packed,
        checked,
        layers=tuple(layers),
        delta=delta,
        delta_blob=delta_blob,
        notes=tuple(notes),
        locked=locked,
        key_ids=_key_ids(blobs),
    )


def _other_rootfs(tree: Tree, rootfs: Descriptor) -> Iterator[Note]:
    """Yield what is wrong with a rootfs image that is named by a tag: it is not the one that the
    conversion made, by the digest that is encrypted with the metadata."""
    if CONVERSION not in tree.members:
        return
    expected = text_at(read_document(tree.window(CONVERSION), CONVERSION), "rootfs")
    if expected and expected != rootfs.digest:
        text = f"It is {short_digest(rootfs.digest)}, and not {short_digest(expected)} of the dump."
        yield Note("rootfs image", text, damaged=True)


def _read_delta(blob: LayerBlob, progress: Progress) -> tuple[StoredPart, Delta, bool]:
    """Return a layer of what the container changed, its entries, and whether it was verified."""
    tree = blob.open_tree(progress)
    entries = tuple(layer_entries(_without_parents(tree.members), None))
    layer = _layer(blob, tree, "delta")
    tree.close()
    return layer, Delta("layer", entries, layer.size), tree.was_read


def _without_parents(members: Mapping[str, Member]) -> dict[str, Member]:
    """Return the members without the folders that only lead to others: a layer repeats them."""
    parents = {name[: name.rfind("/")] for name in members if "/" in name} | {"."}
    grown = {p for name in parents for p in _above(name)}
    return {n: m for n, m in members.items() if n not in grown or m.kind.value != "d"}


def _above(name: str) -> Iterator[str]:
    while name:
        yield name
        name = name.rpartition("/")[0]


def _ctr(image: OpenedImage, annotations: dict[str, str], progress: Progress) -> Contents:
    """Return a `ctr` checkpoint: an index whose descriptors are blobs, not manifests
    (containerd client/container_checkpoint_opts.go)."""
    parts: list[tuple[str, Tree]] = []
    layers: list[StoredPart] = []
    delta, delta_blob, checked = Delta("none"), None, 0
    for one in children_of(image):
        blob = LayerBlob(one, image.store)
        if one.media_type == CTR_CRIU:
            tree = blob.open_tree(progress)
            parts.append(("checkpoint/", tree))
            layers.append(_layer(blob, tree, "criu"))
            checked += one.size * tree.was_read
        elif one.media_type == CTR_SPEC:
            spec = _any_value(image.store.blob(one.digest))
            parts.append(("", MemoryTree({"spec.dump": spec})))
            layers.append(StoredPart(one.digest, one.media_type, one.size, len(spec), "metadata"))
        elif one.media_type.startswith(LAYER_PREFIX):
            layer, changes, is_checked = _read_delta(blob, progress)
            layers.append(layer)
            checked += one.size * is_checked
            if delta_blob is None:
                delta, delta_blob = changes, blob
        else:
            role = "base" if is_manifest_type(one.media_type) else "metadata"
            layers.append(StoredPart(one.digest, one.media_type, one.size, None, role))
    return Contents(
        tree=JoinedTree(parts),
        annotations=annotations,
        layers=tuple(layers),
        packed=sum(layer.size for layer in layers if layer.role != "base"),
        checked=checked,
        delta=delta,
        delta_blob=delta_blob,
    )


def _any_value(window: ByteWindow) -> bytes:
    """Return field 2 of a google.protobuf.Any: here the JSON of the runtime spec."""
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.protobuf.message import DecodeError

    try:
        return AnyMessage.FromString(window.read(0, window.size)).value
    except DecodeError:
        raise DamagedInput("the container's spec", 0, "it is not a protobuf message.") from None
