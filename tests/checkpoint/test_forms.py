"""The two forms of a checkpoint as trees."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from ckpt_tui.checkpoint.forms import MOST_PAGES, Piece, forms
from ckpt_tui.checkpoint.model import Checkpoint, Share, StoredPart
from ckpt_tui.core.progress import quiet
from ckpt_tui.demo import demo_folder
from ckpt_tui.formats.opened import open_checkpoint


def loaded(path: Path) -> Checkpoint:
    opened = open_checkpoint(str(path), quiet())
    try:
        return opened.load(quiet())
    finally:
        opened.close()


def leaves(piece: Piece) -> Iterator[Piece]:
    if not piece.inside:
        yield piece
    for inner in piece.inside:
        yield from leaves(inner)


def test_an_archive_is_members_and_would_be_an_index_of_two_images(data: Path) -> None:
    checkpoint = loaded(data / "archives/rootfs.tar.zst")
    legacy, optimized = forms(checkpoint)
    assert (legacy.is_stored, optimized.is_stored) == (True, False)
    assert legacy.root.bytes == checkpoint.sizes.packed
    assert "rootfs-diff.tar, nested" in [p.name for p in legacy.root.inside]
    assert [p.name for p in optimized.root.inside] == ["checkpoint image", "rootfs image"]
    assert [p.component for p in optimized.root.inside[1].inside] == ["base", "delta"]
    whole = sum(share.bytes for share in checkpoint.sizes.components)
    for form in (legacy, optimized):
        assert sum(p.bytes for p in leaves(form.root) if p.component) == whole, form.name


def test_an_optimized_image_has_its_layers_as_stored() -> None:
    with demo_folder() as folder:
        checkpoint = loaded(folder / "counter-optimized.oci.tar")
    legacy, optimized = forms(checkpoint)
    assert (legacy.is_stored, optimized.is_stored) == (False, True)
    stored = {(la.digest, la.media_type, la.size) for la in checkpoint.sizes.layers}
    assert {(p.digest, p.media_type, p.bytes) for p in leaves(optimized.root)} == stored
    assert all(not p.digest for p in leaves(legacy.root))


def test_a_legacy_image_has_its_layers(data: Path) -> None:
    checkpoint = loaded(data / "archives/rootfs.tar.zst")
    layer = StoredPart("sha256:ab", "application/vnd.oci.image.layer.v1.tar", 7, 9, "checkpoint")
    sizes = dataclasses.replace(checkpoint.sizes, layers=(layer,))
    legacy, _ = forms(dataclasses.replace(checkpoint, sizes=sizes))
    (only,) = legacy.root.inside
    assert (only.digest, only.bytes) == ("sha256:ab", 7)
    assert "rootfs-diff.tar, nested" in [p.name for p in only.inside]


def test_of_many_layers_of_pages_the_largest_are_named(data: Path) -> None:
    checkpoint = loaded(data / "archives/rootfs.tar.zst")
    many = tuple(Share(str(pid), pid * 4096, "worker") for pid in range(1, 1001))
    sizes = dataclasses.replace(checkpoint.sizes, processes=many)
    _, optimized = forms(dataclasses.replace(checkpoint, sizes=sizes))
    pages = [p for p in optimized.root.inside[0].inside if p.component == "pages"]
    assert len(pages) == MOST_PAGES + 1
    largest = {f"pages of {pid} worker" for pid in range(993, 1001)}
    assert {piece.name for piece in pages[:-1]} == largest
    assert pages[-1].name == "992 more of pages"
    assert sum(p.bytes for p in pages) == sum(share.bytes for share in many)
