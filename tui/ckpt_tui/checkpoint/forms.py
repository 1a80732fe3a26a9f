"""One checkpoint in its two forms, legacy and optimized, as trees of what an image consists of.

The form that it has is told as stored; the other one as it would be, in unpacked bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from ckpt_tui.checkpoint.model import Checkpoint, StoredPart

MOST_PAGES = 8
"""Layers of pages that are listed; smaller ones are one line together."""

_MEMBERS = {
    "metadata": "config.dump, spec.dump …",
    "images": "checkpoint/*.img",
    "pages": "checkpoint/pages-*.img",
    "delta": "rootfs-diff.tar, nested",
    "devshm": "devshm-checkpoint.tar, nested",
    "volumes": "volumes/*.tar, nested",
}
"""Component to the members of a legacy archive that it is in."""

_COMPONENT_OF_ROLE = {"criu": "images", "checkpoint": "pages"}


@dataclass(frozen=True, slots=True)
class Piece:
    """An archive, an image, a layer of it or a member; the name may be foreign text."""

    name: str
    bytes: int
    """As stored, or unpacked where it is not stored this way."""
    component: str = ""
    """What its colour says."""
    media_type: str = ""
    digest: str = ""
    inside: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointForm:
    """A form of a checkpoint."""

    name: str
    """legacy or optimized."""
    is_stored: bool
    """Whether the checkpoint has it; else it is how it would be."""
    root: Piece


def forms(checkpoint: Checkpoint) -> tuple[CheckpointForm, CheckpointForm]:
    """Return a checkpoint in the legacy form and in the optimized one."""
    optimized = checkpoint.format.optimized
    return (
        CheckpointForm("legacy", not optimized, _legacy(checkpoint)),
        CheckpointForm("optimized", optimized, _pair(checkpoint)),
    )


def _legacy(checkpoint: Checkpoint) -> Piece:
    sizes = checkpoint.sizes
    shares = {share.name: share.bytes for share in sizes.components}
    members = tuple(
        Piece(name, shares[component], component)
        for component, name in _MEMBERS.items()
        if shares.get(component)
    )
    if checkpoint.format.optimized:
        whole = sum(piece.bytes for piece in members)
        return Piece("archive, or image of one layer", whole, inside=members)
    if not sizes.layers:
        return Piece(checkpoint.format.name, sizes.packed, inside=members)
    layers = tuple(map(_layer, sizes.layers))
    if len(layers) == 1:
        only = layers[0]
        layers = (Piece(only.name, only.bytes, "", only.media_type, only.digest, members),)
    return Piece(checkpoint.format.name, sizes.packed, inside=layers)


def _layer(layer: StoredPart) -> Piece:
    component = _COMPONENT_OF_ROLE.get(layer.role, layer.role)
    return Piece(layer.role, layer.size, component, layer.media_type, layer.digest)


def _pair(checkpoint: Checkpoint) -> Piece:
    """Return an index of two images: checkpoint and root filesystem."""
    if checkpoint.format.optimized:
        layers = [_layer(layer) for layer in checkpoint.sizes.layers]
    else:
        layers = _layers_to_be(checkpoint)
    below = [p for p in layers if p.component in ("base", "delta")]
    above = [p for p in layers if p.component not in ("base", "delta")]
    images = (_image("checkpoint image", above), _image("rootfs image", below))
    return Piece("index", sum(image.bytes for image in images), inside=images)


def _layers_to_be(checkpoint: Checkpoint) -> list[Piece]:
    """Return the layers that a conversion would make, unpacked; the base's are not stored again."""
    shares = {share.name: share.bytes for share in checkpoint.sizes.components}
    pages = [
        Piece(f"pages of {share.name} {share.detail}".rstrip(), share.bytes, "pages")
        for share in checkpoint.sizes.processes
        if share.bytes
    ]
    shared = shares.get("pages", 0) - sum(piece.bytes for piece in pages)
    if shared > 0:
        pages.append(Piece("pages of shared memory", shared, "pages"))
    found = [
        Piece("metadata", shares.get("metadata", 0), "metadata"),
        Piece("criu", shares.get("images", 0), "images"),
        *pages,
        *(Piece(name, shares[name], name) for name in ("devshm", "volumes") if shares.get(name)),
        Piece("base, its own layers", 0, "base"),
    ]
    return [*found, Piece("delta", shares["delta"], "delta")] if shares.get("delta") else found


def _image(name: str, layers: list[Piece]) -> Piece:
    """Return an image; of very many layers of pages the largest are named."""
    whole = sum(piece.bytes for piece in layers)
    pages = sorted((p for p in layers if p.component == "pages"), key=lambda p: -p.bytes)
    rest = {id(piece) for piece in pages[MOST_PAGES:]}
    if not rest:
        return Piece(name, whole, inside=tuple(layers))
    more = Piece(f"{len(rest):,} more of pages", sum(p.bytes for p in pages[MOST_PAGES:]), "pages")
    kept = tuple(piece for piece in layers if id(piece) not in rest)
    return Piece(name, whole, inside=(*kept, more))
