"""Finding the base image, and refusing another one."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest
from layouts import repacked

from ckpt_tui.convert import base_search
from ckpt_tui.convert import base_tree as base_trees
from ckpt_tui.convert.base_image import BaseImage, read_base, read_image
from ckpt_tui.convert.base_search import find_base
from ckpt_tui.convert.base_tree import base_tree
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import CkptError, SourceUnreachable, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_INDEX, MEDIA_MANIFEST, OpenedImage
from ckpt_tui.sources.base import MEDIA_LAYER as LAYER
from ckpt_tui.sources.oci import LayerBlob, image_layers


def test_the_headers_of_the_base_are_read_and_its_digest_is_the_recorded_one(
    base_bb: BaseImage, counter: Source
) -> None:
    assert base_bb.tree["tmp"].name == "tmp"
    assert base_bb.tree["data/old/deep/b"].size == 2
    assert base_bb.config_digest == f"sha256:{counter.container.image_id}"
    assert base_bb.layers[0].diff_id.startswith("sha256:")


def test_a_base_that_nobody_has_is_none_unless_it_was_named(
    counter: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "storage.conf"
    storage.write_text(f'[storage]\ndriver="overlay"\ngraphroot="{tmp_path}/none"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
    source = dataclasses.replace(
        counter,
        container=dataclasses.replace(
            counter.container, image_id="ab" * 32, image="localhost/never-made-anywhere:1"
        ),
    )
    assert find_base(source, "", quiet()) is None
    with pytest.raises(SourceUnreachable):
        find_base(source, f"oci:{tmp_path}/nothing:1", quiet())


def test_an_archive_is_no_base(counter: Source, data: Path) -> None:
    with pytest.raises(UsageError, match="not an image"):
        find_base(counter, str(data / "archives/counter.tar.zst"), quiet())


def test_of_an_index_the_image_with_the_recorded_config_is_taken(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    layer = base_bb.layers[0]
    with LayoutSink(tmp_path / "out") as staging:
        blob = staging.add(layer.blob.read(0, layer.size), layer.media_type)
        entries = []
        for config in (b'{"os":"linux","rootfs":{"diff_ids":["sha256:00"]}}', base_bb.config):
            manifest = {
                "schemaVersion": 2,
                "mediaType": MEDIA_MANIFEST,
                "config": staging.add(config, MEDIA_CONFIG).document(),
                "layers": [blob.document()],
            }
            entries.append(staging.add(json.dumps(manifest).encode(), MEDIA_MANIFEST))
        index = {"schemaVersion": 2, "manifests": [entry.document() for entry in entries]}
        root = staging.add(json.dumps(index).encode(), MEDIA_INDEX)
        staging.publish(root, "many", quiet())
    found = find_base(counter, f"oci:{tmp_path / 'out'}:many", quiet())
    assert found is not None
    base = read_image(found, quiet())
    assert base.config_digest == base_bb.config_digest
    assert base.digests == (root.digest, entries[1].digest)
    base.close()


def test_config_and_manifest_that_disagree_are_refused() -> None:
    with pytest.raises(CkptError, match="2 layers"):
        read_base("x", b'{"rootfs":{"diff_ids":["sha256:a","sha256:b"]}}', [], [], quiet())


def test_dockers_names_of_layers_become_those_of_oci(base_bb: BaseImage) -> None:
    layer = base_bb.layers[0]
    docker = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    found = (docker, layer.digest, layer.size, layer.blob)
    base = read_base("x", base_bb.config, [found], [], quiet())
    assert base.layers[0].media_type == LAYER + "+gzip"


@pytest.mark.parametrize("change", ["cut", "other bytes"])
def test_a_damaged_layer_is_an_error(base_bb: BaseImage, change: str) -> None:
    layer = base_bb.layers[0]
    tar = gzip.decompress(layer.blob.read(0, layer.size))
    damaged = tar[: len(tar) // 2] if change == "cut" else tar.replace(b"the base", b"the face")
    blob = BytesWindow(damaged)
    with pytest.raises(CkptError, match="damaged"):
        read_base("x", base_bb.config, [(layer.media_type, "", blob.size, blob)], [], quiet())


def test_whiteouts_of_upper_layers_count(base_bb: BaseImage, tmp_path: Path, data: Path) -> None:
    packed = repacked(data / "archives/counter.tar.zst", tmp_path / "l.tar", {"tmp/.wh.x": b""})
    content = gzip.compress(packed.read_bytes(), mtime=0)
    config = json.loads(base_bb.config)
    config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(packed.read_bytes()).hexdigest())
    lower = base_bb.layers[0]
    layers = [
        (lower.media_type, lower.digest, lower.size, lower.blob),
        (LAYER, "sha256:1", len(content), BytesWindow(content)),
    ]
    base = read_base("x", json.dumps(config).encode(), layers, [], quiet())
    assert "tmp/.wh.x" not in base.tree
    assert "config.dump" in base.tree


def beside(tmp_path: Path, *archives: Path) -> OpenCheckpoint:
    for archive in archives:
        shutil.copy(archive, tmp_path)
    return open_checkpoint(str(tmp_path / archives[0].name), quiet())


def test_an_image_beside_the_checkpoint_is_read_only_if_it_is_the_base(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def reading(image: OpenedImage) -> tuple[LayerBlob, ...]:
        read.append(Path(image.target).name)
        return image_layers(image)

    monkeypatch.setattr(base_trees, "image_layers", reading)
    archives = data / "archives"
    opened = beside(tmp_path, archives / "counter.tar.zst", archives / "cri-base-bb.oci.tar")
    with base_tree(opened, "", quiet()) as files:
        assert files is None
    assert read == []
    shutil.copy(archives / "base-bb.oci.tar", tmp_path)
    with base_tree(opened, "", quiet()) as files:
        assert files is not None
        assert "tmp" in files.members
        assert files.window("bin/busybox").read(0, 4) == b"\x7fELF"
    assert read == ["base-bb.oci.tar"]
    opened.close()


def test_a_folder_that_may_not_be_listed_is_no_place_to_look(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SourceUnreachable("It cannot be read.")

    monkeypatch.setattr(base_search, "list_folder", refuse)
    shutil.copy(data / "archives/counter.tar.zst", tmp_path)
    prepared = prepare(Request(str(tmp_path / "counter.tar.zst"), f"oci:{tmp_path / 'o'}"), quiet())
    assert prepared.plan.base is None
    assert any("--keep-delta-tar" in problem for problem in prepared.plan.problems)
    prepared.close()
