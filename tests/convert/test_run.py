"""Whole conversions of real checkpoints: what is written, and what is not when it goes wrong."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import hashlib
import json
import os
import random
import tarfile
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from layouts import Layout, OpenSource, contents, repacked

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.convert import roles
from ckpt_tui.convert import staging as staging_module
from ckpt_tui.convert.base_image import BaseImage
from ckpt_tui.convert.destination import Destination
from ckpt_tui.convert.inputs import Inputs
from ckpt_tui.convert.plan import Options, Plan, make_plan
from ckpt_tui.convert.record import read_record
from ckpt_tui.convert.restore_archive import restore_archive
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.convert.source import Source
from ckpt_tui.core.errors import Cancelled, CkptError, UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow

REPOSITORY = "registry.example/app/counter"

MADE = {"conversion.json", "frames.bin"}
"""Members of the metadata layer that are not the source's."""


def planned(source: Source, base: BaseImage | None, target: Path, **options: bool) -> Plan:
    return make_plan(source, base, Destination(target, "opt"), REPOSITORY, Options(**options))


def converted(
    source: Source, base: BaseImage | None, target: Path
) -> tuple[ConvertedImage, Layout]:
    plan = planned(source, base, target)
    return run(plan, Inputs(source, base), quiet()), Layout(target)


def test_one_tag_names_an_index_of_two_images(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    (entry,) = layout.index["manifests"]
    assert entry["digest"] == result.digest
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "opt"}
    index = layout.document(result.digest)
    roles_of = [
        (m["annotations"]["org.criu.checkpoint.role"], m["digest"]) for m in index["manifests"]
    ]
    assert roles_of == [("checkpoint", result.checkpoint), ("rootfs", result.rootfs)]
    assert [m["platform"] for m in index["manifests"]] == [
        {"architecture": "amd64", "os": "linux"},
        {"architecture": "unknown", "os": "unknown"},
    ]


def test_every_engine_finds_its_trigger_on_manifest_and_index(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    for digest in (result.digest, result.checkpoint):
        annotations = layout.document(digest)["annotations"]
        assert annotations["io.podman.annotations.checkpoint.runtime.name"] == "runc"
        assert annotations["io.podman.annotations.checkpoint.name"] == "counter"
        assert annotations["io.kubernetes.cri-o.annotations.checkpoint.name"] == "counter"
        assert annotations["org.criu.checkpoint.container.name"] == "counter"
        assert annotations["org.criu.checkpoint.format.version"] == "0.2"


def test_every_image_of_criu_is_there_byte_for_byte_and_nothing_else_is(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    tree = layout.tree(result.checkpoint)
    before, after = dict(contents(counter.tree)), dict(contents(tree))
    assert set(after) == set(before) - {"rootfs-diff.tar"} | {"conversion.json", "frames.bin"}
    changed = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    assert changed == {"config.dump"}
    assert tree.members["checkpoint"].mode == 0o700


def test_each_layer_says_what_it_is_and_page_images_are_apart(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    manifest = layout.document(result.checkpoint)
    found = []
    for layer in manifest["layers"]:
        tree = open_archive(BytesWindow(layout.blob(layer["digest"])), "layer", quiet())
        pages = [n for n in tree.members if n.startswith("checkpoint/pages-")]
        found.append((layer["annotations"]["org.criu.checkpoint.layer.role"], len(pages)))
        assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    assert found == [("metadata", 0), ("criu", 0), ("pages", 2), ("devshm", 0)]


def test_configs_have_the_diff_ids_of_their_layers(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    for digest in (result.checkpoint, result.rootfs):
        manifest = layout.document(digest)
        config = layout.document(manifest["config"]["digest"])
        plain = []
        for layer in manifest["layers"]:
            tree = open_archive(BytesWindow(layout.blob(layer["digest"])), "layer", quiet())
            assert tree.compression in layer["mediaType"]
            plain.append("sha256:" + _plain_digest(layout.blob(layer["digest"])))
        assert config["rootfs"]["diff_ids"] == plain


def _plain_digest(blob: bytes) -> str:
    if blob.startswith(b"\x1f\x8b"):
        return hashlib.sha256(gzip.decompress(blob)).hexdigest()
    reader = zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True)
    return hashlib.sha256(reader.read()).hexdigest()


def test_the_rootfs_image_is_the_base_with_one_layer_more_and_a_command(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    manifest = layout.document(result.rootfs)
    assert [item["digest"] for item in manifest["layers"][:-1]] == [
        layer.digest for layer in base_bb.layers
    ]
    config = layout.document(manifest["config"]["digest"])
    assert config["config"]["Entrypoint"] == [*counter.container.command]
    assert "Cmd" not in config["config"]
    assert "Entrypoint" not in layout.document(
        layout.document(result.checkpoint)["config"]["digest"]
    ).get("config", {})
    assert dict(contents(layout.tree(result.rootfs)))["tmp/count"] == b"3\n"


def test_config_dump_names_the_rootfs_image_and_keeps_every_other_byte(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(counter, base_bb, tmp_path / "out")
    reference = f"{REPOSITORY}@{result.rootfs}"
    config_digest = layout.document(result.rootfs)["config"]["digest"]
    tree = layout.tree(result.checkpoint)
    after = dict(contents(tree))["config.dump"]
    document = json.loads(after)
    assert document["rootfsImageName"] == document["RawImageName"] == reference
    assert document["rootfsImageID"] == config_digest.removeprefix("sha256:")
    before = dict(contents(counter.tree))["config.dump"]
    undone = after.replace(reference.encode(), b"localhost/bb:1").replace(
        document["rootfsImageID"].encode(), base_bb.config_digest[7:].encode()
    )
    assert undone == before


def test_the_delta_of_every_hard_kind_becomes_a_layer(
    rootfs: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result, layout = converted(rootfs, base_bb, tmp_path / "out")
    tree = layout.tree(result.rootfs)
    names = tree.members
    assert not {"etc/motd", "data/gone", "data/old/a", "data/old/deep"} & set(names)
    assert tree.members["data/suid"].mode == 0o4755
    assert tree.members["data/h2"].link == "data/h1"
    assert tree.members["data/pipe"].kind.value == "p"
    assert tree.members["data/sparse"].size == 104857601
    root, expected = tree.members["."], base_bb.tree["."]
    assert (root.mode, root.uid, root.mtime) == (expected.mode, expected.uid, expected.mtime)
    assert dict(contents(tree))["data/old/n"] == b"new\n"


def test_two_conversions_give_the_same_bytes(
    rootfs: Source, base_bb: BaseImage, data: Path, open_source: OpenSource, tmp_path: Path
) -> None:
    _, first = converted(rootfs, base_bb, tmp_path / "1")
    again = open_source(data / "archives/rootfs.tar.zst")
    _, second = converted(again, base_bb, tmp_path / "2")
    assert first.files() == second.files()


def test_a_second_run_into_the_same_layout_changes_nothing(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    _, layout = converted(counter, base_bb, tmp_path / "out")
    before = layout.files()
    converted(counter, base_bb, tmp_path / "out")
    assert layout.files() == before


@pytest.mark.parametrize("name", ["counter.tar.zst", "rootfs.tar.zst"])
def test_the_way_back_gives_an_archive_with_equal_members(
    name: str, data: Path, open_source: OpenSource, base_bb: BaseImage, tmp_path: Path
) -> None:
    source = open_source(data / "archives" / name)
    result, layout = converted(source, base_bb, tmp_path / "out")
    delta = layout.document(result.rootfs)["layers"][-1]["digest"]
    target = tmp_path / "again.tar.zst"
    back = restore_archive(
        layout.tree(result.checkpoint), BytesWindow(layout.blob(delta)), target, quiet()
    )
    assert back.exact
    again = open_archive(BytesWindow(target.read_bytes()), "again", quiet())
    assert again.compression == "zstd"
    assert list(again.members.items()) == list(source.tree.members.items())
    assert list(contents(again)) == list(contents(source.tree))
    assert {path.name for path in tmp_path.iterdir()} == {"out", target.name}
    again.close()


def test_the_record_has_what_the_image_has_no_place_for(
    rootfs: Source, base_bb: BaseImage, data: Path, tmp_path: Path
) -> None:
    result, layout = converted(rootfs, base_bb, tmp_path / "out")
    record = read_record(dict(contents(layout.tree(result.checkpoint)))["conversion.json"])
    before = dict(contents(rootfs.tree))
    assert record.originals == {name: before[name] for name in ("config.dump", "deleted.files")}
    archive = (data / "archives/rootfs.tar.zst").read_bytes()
    assert record.source.digest == "sha256:" + hashlib.sha256(archive).hexdigest()
    assert record.source.kind == "podman archive"
    assert [member.name for member in record.members] == [*rootfs.tree.members]
    assert record.delta is not None
    assert record.delta.digest == "sha256:" + hashlib.sha256(before["rootfs-diff.tar"]).hexdigest()
    assert "etc/.wh.motd" in record.delta.synthetic


def test_the_half_step_keeps_the_delta_and_config_dump_and_needs_no_base(
    rootfs: Source, tmp_path: Path
) -> None:
    plan = planned(rootfs, None, tmp_path / "out", keep_delta_tar=True)
    result = run(plan, Inputs(rootfs), quiet())
    layout = Layout(tmp_path / "out")
    before, after = dict(contents(rootfs.tree)), dict(contents(layout.tree(result.digest)))
    assert {name: data for name, data in after.items() if name not in MADE} == before
    assert result.rootfs == ""
    annotations = layout.document(result.digest)["annotations"]
    assert "org.criu.checkpoint.format.version" not in annotations
    assert annotations["io.podman.annotations.checkpoint.runtime.name"] == "runc"


def test_the_way_back_from_the_half_step_gives_equal_members(
    rootfs: Source, tmp_path: Path
) -> None:
    result = run(
        planned(rootfs, None, tmp_path / "out", keep_delta_tar=True), Inputs(rootfs), quiet()
    )
    target = tmp_path / "again.tar"
    restore_archive(Layout(tmp_path / "out").tree(result.digest), None, target, quiet())
    again = open_archive(BytesWindow(target.read_bytes()), "again", quiet())
    assert list(contents(again)) == list(contents(rootfs.tree))
    again.close()


def test_an_archive_target_holds_the_same_blobs(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    _, layout = converted(counter, base_bb, tmp_path / "out")
    target = tmp_path / "out.tar"
    plan = make_plan(counter, base_bb, Destination(target, "opt", archive=True), REPOSITORY)
    run(plan, Inputs(counter, base_bb), quiet())
    with tarfile.open(target) as tar:
        found = {i.name: tar.extractfile(i).read() for i in tar if i.isfile()}  # type: ignore[union-attr]
    assert found == layout.files()


def test_pages_that_are_compressed_already_are_stored_as_they_are(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    result = run(
        planned(counter, base_bb, tmp_path / "out", compressed_pages=True),
        Inputs(counter, base_bb),
        quiet(),
    )
    kinds = {w.role: w.layer.descriptor.media_type for w in result.layers}
    assert kinds["pages"] == "application/vnd.oci.image.layer.v1.tar"
    assert kinds["criu"].endswith("+zstd")


def test_large_files_get_layers_of_their_own(
    counter: Source, base_bb: BaseImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "LARGE", 70_000)
    result, layout = converted(counter, base_bb, tmp_path / "out")
    pages = [w.names for w in result.layers if w.role == "pages"]
    assert pages == [
        ("checkpoint", "checkpoint/pages-2.img"),
        ("checkpoint", "checkpoint/pages-1.img"),
    ]
    after = dict(contents(layout.tree(result.checkpoint)))
    before = dict(contents(counter.tree))
    assert after["checkpoint/pages-1.img"] == before["checkpoint/pages-1.img"]


def test_what_comes_twice_in_an_archive_counts_once_with_its_last_bytes(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "twice.tar", {})
    with tarfile.open(archive, "a") as tar:
        tar.add(data / "README.md", "ctr.log")
    result, layout = converted(open_source(archive), base_bb, tmp_path / "out")
    after = dict(contents(layout.tree(result.checkpoint)))
    assert after["ctr.log"] == (data / "README.md").read_bytes()


def test_a_delta_that_comes_twice_is_refused(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "twice.tar", {})
    diff = tmp_path / "rootfs-diff.tar"
    diff.write_bytes(dict(contents(open_source(archive).tree))["rootfs-diff.tar"])
    with tarfile.open(archive, "a") as tar:
        tar.add(diff, "rootfs-diff.tar")
    with pytest.raises(CkptError, match="twice"):
        converted(open_source(archive), base_bb, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_volumes_have_a_layer_and_their_digest_in_the_record(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    volume = b"a tar of a volume" * 100
    archive = repacked(
        data / "archives/counter.tar.zst", tmp_path / "a.tar", {"volumes/db.tar": volume}
    )
    result, layout = converted(open_source(archive), base_bb, tmp_path / "out")
    assert [w.names for w in result.layers if w.role == "volumes"] == [
        ("volumes", "volumes/db.tar")
    ]
    after = dict(contents(layout.tree(result.checkpoint)))
    assert after["volumes/db.tar"] == volume
    digests = read_record(after["conversion.json"]).digests
    assert digests["volumes/db.tar"] == "sha256:" + hashlib.sha256(volume).hexdigest()


def test_deletions_alone_make_a_layer_and_no_changes_make_none(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    counter = data / "archives/counter.tar.zst"
    gone = {"rootfs-diff.tar": None, "deleted.files": b'["/etc/motd"]'}
    source = open_source(repacked(counter, tmp_path / "gone.tar", gone))
    result, layout = converted(source, base_bb, tmp_path / "gone")
    assert len(layout.document(result.rootfs)["layers"]) == 2
    assert "etc/motd" not in layout.tree(result.rootfs).members
    same = repacked(counter, tmp_path / "same.tar", {"rootfs-diff.tar": None})
    result, layout = converted(open_source(same), base_bb, tmp_path / "same")
    assert len(layout.document(result.rootfs)["layers"]) == 1
    config = layout.document(layout.document(result.rootfs)["config"]["digest"])
    assert len(config["rootfs"]["diff_ids"]) == 1
    assert config["config"]["Entrypoint"]


@pytest.mark.parametrize("seed", range(12))
def test_cancelling_at_any_point_leaves_nothing(
    counter: Source, base_bb: BaseImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr("ckpt_tui.core.progress.YIELD_S", -1)
    monkeypatch.setattr("ckpt_tui.core.progress.REPORT_S", -1)
    _, layout = converted(counter, base_bb, tmp_path / "out")
    before = layout.files()
    plan = make_plan(counter, base_bb, Destination(tmp_path / "out", "two"), REPOSITORY)
    left = random.Random(seed).randrange(
        1, _ticks(plan, Inputs(counter, base_bb), tmp_path / "count")
    )

    def cancelled() -> bool:
        nonlocal left
        left -= 1
        return left <= 0

    with pytest.raises(Cancelled):
        run(plan, Inputs(counter, base_bb), Progress(cancelled=cancelled))
    assert layout.files() == before
    assert not [*layout.folder.glob(".ckpt-tui-*")]


def _ticks(plan: Plan, inputs: Inputs, target: Path) -> int:
    """Count how often a conversion asks whether it is still wanted."""
    count = 0

    def cancelled() -> bool:
        nonlocal count
        count += 1
        return False

    destination = dataclasses.replace(plan.destination, path=target)
    plan = dataclasses.replace(plan, destination=destination)
    run(plan, inputs, Progress(cancelled=cancelled))
    return count


@pytest.mark.parametrize("room", [0, 1000, 20_000, 1_130_000])
def test_a_full_disk_is_one_error_and_leaves_nothing(
    counter: Source, base_bb: BaseImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    left = room
    create = staging_module._create

    class Full:
        def __init__(self, path: Path) -> None:
            self._file = create(path)

        def write(self, piece: bytes) -> int:
            nonlocal left
            left -= len(piece)
            if left < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self._file.write(piece)

        def close(self) -> None:
            self._file.close()

    def limited(path: Path) -> BinaryIO:
        return Full(path)  # type: ignore[return-value]

    monkeypatch.setattr(staging_module.Staging.__init__, "__defaults__", (limited,))
    plan = planned(counter, base_bb, tmp_path / "out")
    with pytest.raises(CkptError, match="No space left") as caught:
        run(plan, Inputs(counter, base_bb), quiet())
    assert caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_plan_with_problems_is_not_run(counter: Source, tmp_path: Path) -> None:
    plan = planned(counter, None, tmp_path / "out")
    assert "--keep-delta-tar" in plan.problems[0]
    with pytest.raises(UsageError):
        run(plan, Inputs(counter), quiet())
    assert not (tmp_path / "out").exists()


def test_a_base_layer_with_other_bytes_is_refused(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    layer = base_bb.layers[0]
    blob = bytearray(layer.blob.read(0, layer.size))
    blob[-20] ^= 1
    damaged = dataclasses.replace(layer, blob=BytesWindow(bytes(blob)))
    base = dataclasses.replace(base_bb, layers=(damaged,))
    with pytest.raises(CkptError, match="damaged"):
        converted(counter, base, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_base_of_which_only_the_tar_is_at_hand_is_compressed_and_keeps_its_diff_id(
    counter: Source, base_bb: BaseImage, tmp_path: Path
) -> None:
    layer = base_bb.layers[0]
    tar = gzip.decompress(layer.blob.read(0, layer.size))
    plain = dataclasses.replace(layer, digest="", size=len(tar), blob=BytesWindow(tar))
    result, layout = converted(
        counter, dataclasses.replace(base_bb, layers=(plain,)), tmp_path / "o"
    )
    manifest = layout.document(result.rootfs)
    config = layout.document(manifest["config"]["digest"])
    assert manifest["layers"][0]["mediaType"].endswith("tar+zstd")
    assert "annotations" not in manifest["layers"][0]
    assert config["rootfs"]["diff_ids"][0] == layer.diff_id


def test_the_source_that_changed_since_the_plan_is_refused(
    data: Path, base_bb: BaseImage, open_source: OpenSource, tmp_path: Path
) -> None:
    archive = repacked(data / "archives/counter.tar.zst", tmp_path / "a.tar", {})
    source = open_source(archive)
    plan = planned(source, base_bb, tmp_path / "out")
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"checkpoint/mm-1.img", b"checkpoint/mm-9.img"))
    with pytest.raises(CkptError):
        run(plan, Inputs(source, base_bb), quiet())
    assert not (tmp_path / "out").exists()
