"""CRI-O's and containerd's archives, and moving an image to another repository."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest
from layouts import Layout, OpenSource, contents, repacked

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.inputs import Inputs
from ckpt_tui.convert.jsonedit import with_values
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.plan import make_plan
from ckpt_tui.convert.repoint import repoint
from ckpt_tui.convert.restore_archive import restore_archive
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import MEDIA_INDEX, MEDIA_MANIFEST, OpenedImage
from ckpt_tui.sources.table import resolve

REPOSITORY = "registry.example/app/counter"


def on_base(archive: Path, target: Path, base: BaseImage) -> Path:
    """Copy an archive so that it says it ran from `base`, whose files it shares."""
    config = dict(contents(open_archive(BytesWindow(archive.read_bytes()), "a", quiet())))[
        "config.dump"
    ]
    ref = base.config_digest.removeprefix("sha256:")
    if "containerd" in archive.name:
        ref = f"localhost:5000/bb@{base.digests[-1]}"
    return repacked(
        archive, target, {"config.dump": with_values(config, {"rootfsImageRef": ref}, "c")}
    )


def converted(source: Source, base: BaseImage, target: Path) -> tuple[ConvertedImage, Layout]:
    plan = make_plan(source, base, Destination(target, "opt"), REPOSITORY)
    return run(plan, Inputs(source, base), quiet()), Layout(target)


def config_dump(layout: Layout, result: ConvertedImage) -> dict[str, str]:
    found: dict[str, str] = json.loads(
        dict(contents(layout.tree(result.checkpoint)))["config.dump"]
    )
    return found


def test_cri_o_finds_the_rootfs_image_by_its_id(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = on_base(data / "archives/cri-crio.tar", tmp_path / "a.tar", base_bb)
    result, layout = converted(open_source(archive), base_bb, tmp_path / "out")
    config = config_dump(layout, result)
    digest = layout.document(result.rootfs)["config"]["digest"]
    assert config["rootfsImageRef"] == digest.removeprefix("sha256:")
    assert config["rootfsImageName"] == f"{REPOSITORY}@{result.rootfs}"
    assert config["rootfsImage"] == "localhost:5000/bb:1"
    tree = layout.tree(result.rootfs)
    assert "etc/motd" not in tree.members
    assert not {"data/old/a", "data/old/deep"} & set(tree.members)
    assert "data/old/n" in tree.members
    assert "deleted.files" not in layout.tree(result.checkpoint).members
    assert any("pull it first" in w for w in _plan(open_source(archive), base_bb).warnings)


def _plan(source: Source, base: BaseImage):  # type: ignore[no-untyped-def]
    return make_plan(source, base, Destination(Path("/nowhere"), "x"), REPOSITORY)


def test_containerd_finds_the_rootfs_image_by_its_manifest(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = on_base(data / "archives/cri-containerd-cri.tar", tmp_path / "a.tar", base_bb)
    result, layout = converted(open_source(archive), base_bb, tmp_path / "out")
    config = config_dump(layout, result)
    assert config["rootfsImageRef"] == f"{REPOSITORY}@{result.rootfs}"
    assert config["rootfsImageName"] == "localhost:5000/bb:1"


def test_containerds_delta_is_a_layer_already_and_stays_byte_for_byte(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = on_base(data / "archives/cri-containerd-cri.tar", tmp_path / "a.tar", base_bb)
    source = open_source(archive)
    result, layout = converted(source, base_bb, tmp_path / "out")
    manifest = layout.document(result.rootfs)
    layer = manifest["layers"][-1]
    diff = dict(contents(source.tree))["rootfs-diff.tar"]
    assert layer["mediaType"].endswith("+gzip")
    assert layout.blob(layer["digest"]) == diff
    config = layout.document(manifest["config"]["digest"])
    plain = hashlib.sha256(gzip.decompress(diff)).hexdigest()
    assert config["rootfs"]["diff_ids"][-1] == f"sha256:{plain}"
    assert "etc/motd" not in layout.tree(result.rootfs).members


def test_a_plain_tar_with_whiteouts_is_a_layer_already(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("etc/.wh.motd", "etc/new"):
            tar.addfile(tarfile.TarInfo(name))
    archive = repacked(
        data / "archives/counter.tar.zst", tmp_path / "a.tar", {"rootfs-diff.tar": out.getvalue()}
    )
    source = open_source(archive)
    result, layout = converted(source, base_bb, tmp_path / "out")
    names = layout.tree(result.rootfs).members
    assert "etc/new" in names
    assert "etc/motd" not in names
    delta = layout.blob(layout.document(result.rootfs)["layers"][-1]["digest"])
    restore_archive(
        layout.tree(result.checkpoint), BytesWindow(delta), tmp_path / "again.tar", quiet()
    )
    again = open_archive(BytesWindow((tmp_path / "again.tar").read_bytes()), "again", quiet())
    assert list(contents(again)) == list(contents(source.tree))


@pytest.mark.parametrize("name", ["cri-crio.tar", "cri-containerd-cri.tar", "cri-podman.tar"])
def test_the_way_back_gives_equal_members_for_every_engine(
    name: str, data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    archive = on_base(data / "archives" / name, tmp_path / "a.tar", base_bb)
    if name == "cri-podman.tar":
        digits = base_bb.config_digest.removeprefix("sha256:")
        config = dict(contents(open_source(archive).tree))["config.dump"]
        edited = with_values(config, {"rootfsImageID": digits}, "config.dump")
        archive = repacked(archive, tmp_path / "b.tar", {"config.dump": edited})
    source = open_source(archive)
    result, layout = converted(source, base_bb, tmp_path / "out")
    delta = layout.blob(layout.document(result.rootfs)["layers"][-1]["digest"])
    target = tmp_path / "again.tar"
    assert restore_archive(
        layout.tree(result.checkpoint), BytesWindow(delta), target, quiet()
    ).exact
    again = open_archive(BytesWindow(target.read_bytes()), "again", quiet())
    assert list(again.members.values()) == list(source.tree.members.values())
    assert list(contents(again)) == list(contents(source.tree))
    assert again.compression == "plain"


def test_the_way_back_without_the_delta_layer_says_so_and_leaves_nothing(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(
        open_source(data / "archives/counter.tar.zst"), base_bb, tmp_path / "out"
    )
    with pytest.raises(Exception, match="delta layer is not at hand"):
        restore_archive(layout.tree(result.checkpoint), None, tmp_path / "again.tar", quiet())
    assert not (tmp_path / "again.tar").exists()


def test_the_way_back_with_another_delta_layer_is_damage(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(
        open_source(data / "archives/counter.tar.zst"), base_bb, tmp_path / "out"
    )
    other = base_bb.layers[0].blob
    with pytest.raises(DamagedInput):
        restore_archive(layout.tree(result.checkpoint), other, tmp_path / "again.tar", quiet())
    assert not (tmp_path / "again.tar").exists()


def test_a_checkpoint_without_annotations_is_moved_like_another(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(
        open_source(data / "archives/counter.tar.zst"), base_bb, tmp_path / "out"
    )
    manifest = {**layout.document(result.checkpoint), "annotations": None}
    index = layout.document(result.digest)
    with LayoutSink(tmp_path / "out") as staging:
        bare = staging.add(json.dumps(manifest).encode(), MEDIA_MANIFEST)
        index["manifests"][0] |= {"digest": bare.digest, "size": bare.size}
        staging.publish(staging.add(json.dumps(index).encode(), MEDIA_INDEX), "bare", quiet())
    image = resolve(f"oci:{tmp_path / 'out'}:bare", quiet())
    assert isinstance(image, OpenedImage)
    with LayoutSink(tmp_path / "out") as staging:
        moved = repoint(image, "quay.example/other/place", staging, quiet())
        staging.publish(moved, "moved", quiet())
    image.close()
    entries = layout.document(moved.digest)["manifests"]
    assert [entry["digest"] for entry in entries][1] == result.rootfs
    assert layout.document(entries[0]["digest"])["annotations"] is None


def test_another_repository_changes_five_small_blobs_and_gives_what_converting_for_it_gives(
    data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    source = open_source(data / "archives/counter.tar.zst")
    converted(source, base_bb, tmp_path / "out")
    image = resolve(f"oci:{tmp_path / 'out'}:opt", quiet())
    assert isinstance(image, OpenedImage)
    with LayoutSink(tmp_path / "out") as staging:
        moved = repoint(image, "quay.example/other/place", staging, quiet())
        new = staging.digests
        staging.publish(moved, "moved", quiet())
    image.close()
    assert len(new) == 4
    source = open_source(data / "archives/counter.tar.zst")
    direct = make_plan(
        source,
        base_bb,
        Destination(tmp_path / "direct", "opt"),
        "quay.example/other/place",
    )
    assert run(direct, Inputs(source, base_bb), quiet()).digest == moved.digest
