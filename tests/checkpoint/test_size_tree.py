"""The bytes as a tree: every level adds up to the one above."""

from __future__ import annotations

import dataclasses
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.checkpoint.model import Delta, DeltaEntry, Share
from ckpt_tui.checkpoint.sizetree import SizeNode, bytes_after, place_of, size_trees
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint


@pytest.fixture(params=["counter.tar.zst", "rootfs.tar.zst", "cri-containerd-cri.tar"])
def opened(request: pytest.FixtureRequest, data: Path) -> Iterator[OpenCheckpoint]:
    found = open_checkpoint(str(data / "archives" / request.param), quiet())
    yield found
    found.close()


def trees(opened: OpenCheckpoint) -> dict[str, SizeNode]:
    tree = opened.tree
    layers = [t.members for t in tree.trees] if isinstance(tree, LayeredTree) else []
    found = size_trees(opened.load(quiet()), tree.members, opened.kind.images, layers)
    return {root.name: root for root in found}


def parts(node: SizeNode) -> tuple[SizeNode, ...]:
    return tuple(node.inside(quiet())) if node.inside else ()


def part(node: SizeNode, name: str) -> SizeNode:
    return next(p for p in parts(node) if p.name == name)


def test_components_and_files_add_up_to_the_whole(opened: OpenCheckpoint) -> None:
    found = trees(opened)
    for name in ("component", "kind of memory", "file"):
        assert sum(p.bytes for p in parts(found[name])) == found[name].bytes, name


def test_files_add_up_in_every_folder(opened: OpenCheckpoint) -> None:
    waiting = [trees(opened)["file"]]
    leaves = set()
    while waiting:
        node = waiting.pop()
        inside = parts(node)
        if inside:
            assert sum(p.bytes for p in inside) == node.bytes, node.name
        else:
            leaves.add(node.detail)
        waiting += inside
    assert "/config.dump" in leaves
    assert "/checkpoint/inventory.img" in leaves


def test_pages_lead_from_process_to_the_region_itself(opened: OpenCheckpoint) -> None:
    process = parts(part(trees(opened)["component"], "pages"))[0]
    kind = parts(process)[0]
    region = parts(kind)[0]
    assert region.ref is not None
    assert region.inside is None
    assert sum(k.bytes for k in parts(process)) <= process.bytes


def test_pages_of_shared_memory_are_a_kind_of_memory(data: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    shared = part(trees(opened)["kind of memory"], "shared")
    assert {p.name: p.bytes for p in parts(shared)} == {
        "pages-1.img": 8192,
        "pages-2.img": 12288,
        "pages-7.img": 0,
    }
    memory = {share.name: share.bytes for share in opened.load(quiet()).sizes.memory}
    assert memory["shared"] == shared.bytes
    opened.close()
    damaged = tmp_path / "damaged"
    shutil.copytree(data / "images/kinds", damaged)
    (damaged / "pagemap-shmem-0.img").unlink()
    opened = open_checkpoint(str(damaged), quiet())
    memory = {share.name: share.bytes for share in opened.load(quiet()).sizes.memory}
    assert memory["of no process"] == shared.bytes, "nothing says whose they are"
    assert "shared" not in memory
    opened.close()


def test_an_optimized_image_has_its_layers(data: Path) -> None:
    from ckpt_tui.demo import demo_folder

    with demo_folder() as folder:
        opened = open_checkpoint(str(folder / "counter-optimized.oci.tar"), quiet())
        layers = {p.name.split()[0]: p for p in parts(trees(opened)["layer"])}
        assert set(layers) >= {"metadata", "criu", "pages", "base"}
        assert [p.name for p in parts(layers["pages"])] == ["checkpoint/"]
        assert layers["base"].inside is None
        opened.close()


def delta_of(opened: OpenCheckpoint, *entries: DeltaEntry) -> SizeNode:
    checkpoint = opened.load(quiet())
    share = Share("delta", sum(entry.size for entry in entries))
    changed = dataclasses.replace(
        checkpoint,
        delta=Delta("files", entries),
        sizes=dataclasses.replace(checkpoint.sizes, components=(share,)),
    )
    return part(size_trees(changed, {}, "checkpoint/")[0], "delta")


def test_a_folder_of_many_files_is_in_order_and_made_as_it_is_seen(opened: OpenCheckpoint) -> None:
    chosen = random.Random(1)
    sizes = [chosen.randrange(1, 1 << chosen.randrange(1, 40)) for _ in range(3000)]
    entries = [DeltaEntry(f"/d/f{n}", "added", "file", size) for n, size in enumerate(sizes)]
    folder = parts(delta_of(opened, *entries, DeltaEntry("/e/x", "added", "file", 1)))[0]
    assert folder.name == "d/"
    inside = folder.inside(quiet()) if folder.inside else ()
    assert [node.bytes for node in inside] == sorted(sizes, reverse=True)
    assert place_of(inside, inside[1234].name) == 1234
    assert bytes_after(inside, 10) == folder.bytes - sum(node.bytes for node in inside[:10])


def test_an_entry_of_a_folder_itself_counts_with_it(opened: OpenCheckpoint) -> None:
    entries = [DeltaEntry("/d", "added", "other", 3), DeltaEntry("/d/f", "added", "file", 4)]
    assert [(n.name, n.bytes) for n in parts(delta_of(opened, *entries))] == [("d/", 7)]
