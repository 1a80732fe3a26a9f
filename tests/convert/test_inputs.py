"""Every form that a checkpoint comes in, opened and converted as the program does it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from layouts import Layout, contents, repacked

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.checkpoint.inventory import build_criu_facts
from ckpt_tui.convert import request as request_module
from ckpt_tui.convert.back import convert_back
from ckpt_tui.convert.destination import destination_of
from ckpt_tui.convert.inputs import Beside
from ckpt_tui.convert.layer_writer import LayerWriter
from ckpt_tui.convert.layout import LayoutSink
from ckpt_tui.convert.plan import Plan
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import ConvertedImage, run
from ckpt_tui.core.errors import CkptError, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import MEDIA_CONFIG, MEDIA_MANIFEST

PODMAN = {
    "io.podman.annotations.checkpoint.name": "counter",
    "io.podman.annotations.checkpoint.runtime.name": "crun",
    "io.podman.annotations.checkpoint.rootfsImageName": "localhost/bb:1",
}
"""What podman says of a checkpoint image, in part."""


def converted(target: str, folder: Path, **more: Any) -> tuple[Plan, ConvertedImage, Layout]:
    prepared = prepare(Request(target, f"oci:{folder}:opt", **more), quiet())
    try:
        return prepared.plan, run(prepared.plan, prepared.inputs, quiet()), Layout(folder)
    finally:
        prepared.close()


def checkpoint_image(folder: Path, archive: Path, split: int = 1) -> str:
    """Write a legacy checkpoint image with the members of `archive` in `split` layers."""
    tree = open_archive(BytesWindow(archive.read_bytes()), archive.name, quiet())
    members = [*tree.members.values()]
    with LayoutSink(folder) as staging:
        layers = []
        for number in range(split):
            with LayerWriter(staging, "") as writer:
                for member in members[number::split]:
                    is_file = member.kind.value == "-"
                    data = tree.window(member.name).read(0, member.size) if is_file else b""
                    writer.add(member, (data,) if data else ())
                layers.append(writer.finish())
        config = staging.add(json.dumps({"rootfs": {"type": "layers"}}).encode(), MEDIA_CONFIG)
        manifest = {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": config.document(),
            "layers": [layer.descriptor.document() for layer in layers],
            "annotations": PODMAN,
        }
        staging.publish(
            staging.add(json.dumps(manifest).encode(), MEDIA_MANIFEST), "legacy", quiet()
        )
    tree.close()
    return f"oci:{folder}:legacy"


def base_of(data: Path) -> str:
    return f"oci-archive:{data / 'archives/base-bb.oci.tar'}"


def same_but_for_the_record(
    left: Layout, first: ConvertedImage, right: Layout, second: ConvertedImage
) -> None:
    assert first.rootfs == second.rootfs
    trees = (left.tree(first.checkpoint), right.tree(second.checkpoint))
    one, two = (dict(contents(tree)) for tree in trees)
    del one["conversion.json"], two["conversion.json"]
    assert one == two


@pytest.mark.parametrize("split", [1, 3])
def test_podmans_checkpoint_image_gives_what_its_archive_gives(
    data: Path, tmp_path: Path, split: int
) -> None:
    archive = data / "archives/rootfs.tar.zst"
    image = checkpoint_image(tmp_path / "legacy", archive, split)
    _, first, left = converted(image, tmp_path / "1", base=base_of(data))
    _, second, right = converted(str(archive), tmp_path / "2", base=base_of(data))
    same_but_for_the_record(left, first, right, second)


def test_annotations_of_a_checkpoint_image_are_carried_over(data: Path, tmp_path: Path) -> None:
    image = checkpoint_image(tmp_path / "legacy", data / "archives/counter.tar.zst")
    _, result, layout = converted(image, tmp_path / "out", base=base_of(data))
    found = layout.document(result.checkpoint)["annotations"]
    assert found["io.podman.annotations.checkpoint.runtime.name"] == "crun"
    assert "io.podman.annotations.checkpoint.rootfsImageName" not in found


def test_the_way_back_from_an_image_gives_the_archive_that_it_was_made_of(
    data: Path, tmp_path: Path
) -> None:
    archive = data / "archives/counter.tar.zst"
    image = checkpoint_image(tmp_path / "legacy", archive)
    converted(image, tmp_path / "out", base=base_of(data))
    convert_back(f"oci:{tmp_path / 'out'}:opt", tmp_path / "again.tar", quiet())
    before = open_archive(BytesWindow(archive.read_bytes()), "before", quiet())
    after = open_archive(BytesWindow((tmp_path / "again.tar").read_bytes()), "after", quiet())
    assert list(contents(after)) == list(contents(before))


@pytest.mark.parametrize("split", [1, 2])
def test_an_image_whose_layer_has_other_bytes_is_refused(
    data: Path, tmp_path: Path, split: int
) -> None:
    folder = tmp_path / "legacy"
    image = checkpoint_image(folder, data / "archives/counter.tar.zst", split)
    blobs = folder / "blobs/sha256"
    layer = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    with layer.open("ab") as file:
        file.write(b"\x50\x2a\x4d\x18\x04\x00\x00\x00more")  # a frame that decoders skip
    with pytest.raises(CkptError, match=r"damaged|changed"):
        converted(image, tmp_path / "out", base=base_of(data))
    assert not (tmp_path / "out").exists()


def ctr_layout(data: Path, folder: Path) -> str:
    """Complete the layout of `ctr` with the blobs of its base image."""
    shutil.copytree(data / "ctr-counter", folder)
    with tarfile.open(data / "archives/base-bb.oci.tar") as base:
        for member in base:
            if member.isfile() and member.name.startswith("blobs/sha256/"):
                base.extract(member, folder, filter="data")
    return f"oci:{folder}"


def test_an_index_of_ctr_has_its_base_with_it_and_its_delta_stays_byte_for_byte(
    data: Path, tmp_path: Path
) -> None:
    plan, result, layout = converted(ctr_layout(data, tmp_path / "ctr"), tmp_path / "out")
    layers = layout.document(result.rootfs)["layers"]
    assert layers[-1]["digest"].startswith("sha256:498e00bdcce3")
    assert layers[-1]["mediaType"].endswith("+gzip")
    assert "tmp/count" in layout.tree(result.rootfs).members
    tree = dict(contents(layout.tree(result.checkpoint)))
    assert json.loads(tree["config.dump"])["rootfsImageRef"].endswith(result.rootfs)
    assert json.loads(tree["spec.dump"])["process"]["args"][0] == "/bin/sh"
    assert any("runc restore" in warning for warning in plan.warnings)


def test_no_engine_is_told_that_it_could_restore_a_checkpoint_of_ctr(
    data: Path, tmp_path: Path
) -> None:
    _, result, layout = converted(ctr_layout(data, tmp_path / "ctr"), tmp_path / "out")
    found = layout.document(result.digest)["annotations"]
    assert not [k for k in found if k.startswith(("io.podman", "io.kubernetes"))]
    assert "org.criu.checkpoint.container.name" not in found
    assert found["org.criu.checkpoint.format.version"] == "0.2"


def test_another_base_than_the_index_of_ctr_names_is_refused(data: Path, tmp_path: Path) -> None:
    other = f"oci-archive:{data / 'archives/cri-base-bb.oci.tar'}"
    with pytest.raises(UsageError, match="is not the base image"):
        converted(ctr_layout(data, tmp_path / "ctr"), tmp_path / "out", base=other)


def test_a_folder_of_images_without_a_base_is_a_checkpoint_image_alone(
    data: Path, tmp_path: Path
) -> None:
    plan, result, layout = converted(f"dir:{data / 'images/counter'}", tmp_path / "out")
    assert result.rootfs == ""
    assert result.digest == result.checkpoint
    tree = layout.tree(result.checkpoint)
    assert tree.members["checkpoint"].mode == 0o700
    names = {path.name for path in (data / "images/counter").iterdir()}
    assert set(tree.members) - {"."} == {
        "checkpoint",
        "conversion.json",
        "frames.bin",
        *(f"checkpoint/{name}" for name in names),
    }
    assert any("config.json" in warning for warning in plan.warnings)


def test_a_folder_of_images_on_a_base_names_it_in_a_config_of_its_own(
    data: Path, tmp_path: Path
) -> None:
    _, result, layout = converted(
        f"dir:{data / 'images/counter'}", tmp_path / "out", base=base_of(data)
    )
    config = json.loads(dict(contents(layout.tree(result.checkpoint)))["config.dump"])
    assert config["rootfsImageName"].endswith(result.rootfs)
    assert len(layout.document(result.rootfs)["layers"]) == 1


def test_with_spec_and_config_a_folder_is_the_engines_again(data: Path, tmp_path: Path) -> None:
    archive = data / "archives/counter.tar.zst"
    tree = open_archive(BytesWindow(archive.read_bytes()), "counter", quiet())
    documents = dict(contents(tree))
    for name in ("config.dump", "spec.dump"):
        (tmp_path / name).write_bytes(documents[name])
    beside = Beside(spec=str(tmp_path / "spec.dump"), config=str(tmp_path / "config.dump"))
    plan, result, layout = converted(
        f"dir:{data / 'images/counter'}", tmp_path / "out", base=base_of(data), beside=beside
    )
    assert plan.source.engine == "podman"
    found = layout.document(result.checkpoint)["annotations"]
    assert found["io.podman.annotations.checkpoint.name"] == "counter"


def test_what_lies_beside_images_is_of_no_use_to_an_archive(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder of CRIU images"):
        converted(
            str(data / "archives/counter.tar.zst"),
            tmp_path / "out",
            beside=Beside(spec=str(tmp_path)),
        )


@pytest.fixture
def chain(data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint that goes on from a pre-dump, and that, as podman writes them."""
    last = repacked(data / "archives/counter.tar.zst", tmp_path / "last.tar", {})
    with tarfile.open(last, "a") as tar:
        link = tarfile.TarInfo("checkpoint/parent")
        link.type, link.linkname = tarfile.SYMTYPE, "../pre-checkpoint"
        tar.addfile(link)
    before = tmp_path / "before.tar"
    with tarfile.open(before, "w") as tar:
        tar.add(data / "images/counter", "pre-checkpoint")
        tar.add(data / "README.md", "config.dump")
    return last, before


def test_a_pre_dump_is_a_layer_of_its_own_and_comes_back(
    chain: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    last, before = chain
    beside = Beside(previous=str(before))
    plan, result, layout = converted(str(last), tmp_path / "o", base=base_of(data), beside=beside)
    parents = [w for w in result.layers if w.role == "criu-parent"]
    assert parents
    names = {name for w in parents for name in w.names}
    assert "pre-checkpoint/pages-1.img" in names
    assert not any(name.startswith("checkpoint/") for name in names)
    tree = layout.tree(result.checkpoint)
    assert tree.members["checkpoint/parent"].link == "../pre-checkpoint"
    assert tree.members["pre-checkpoint"].mode == 0o700
    assert any("pre-dump is with it" in warning for warning in plan.warnings)
    convert_back(f"oci:{tmp_path / 'o'}:opt", tmp_path / "again.tar", quiet())
    again = open_archive(BytesWindow((tmp_path / "again.tar").read_bytes()), "again", quiet())
    found = dict(contents(again))
    source = open_archive(BytesWindow(last.read_bytes()), "last", quiet())
    for name, content in contents(source):
        assert found.pop(name) == content
    assert set(found) == {n for n in names if n != "pre-checkpoint"}


def test_an_incremental_checkpoint_without_its_pre_dump_says_so(
    chain: tuple[Path, Path], data: Path, tmp_path: Path
) -> None:
    plan, result, layout = converted(str(chain[0]), tmp_path / "out", base=base_of(data))
    assert any("--previous" in warning for warning in plan.warnings)
    assert "checkpoint/parent" in layout.tree(result.checkpoint).members


def test_a_pre_dump_alone_is_not_converted(chain: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--previous"):
        converted(str(chain[1]), tmp_path / "out")


def test_what_is_no_pre_dump_is_none(data: Path, tmp_path: Path) -> None:
    archive = str(data / "archives/counter.tar.zst")
    with pytest.raises(UsageError, match="not a pre-dump"):
        converted(archive, tmp_path / "out", beside=Beside(previous=archive))


@pytest.mark.parametrize("change", ["time", "size", "gone"])
def test_an_archive_that_changes_meanwhile_is_noticed(
    data: Path, tmp_path: Path, change: str
) -> None:
    archive = Path(shutil.copy(data / "archives/counter.tar.zst", tmp_path / "a.tar.zst"))
    prepared = prepare(Request(str(archive), f"oci:{tmp_path / 'o'}", base_of(data)), quiet())
    if change == "time":
        os.utime(archive, ns=(1, 1))
    elif change == "size":
        with archive.open("ab") as file:
            file.write(bytes(512))
    else:
        archive.unlink()
    with pytest.raises(CkptError, match="changed while it was read"):
        run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
    assert not (tmp_path / "o").exists()


def test_a_folder_that_changes_meanwhile_is_noticed(data: Path, tmp_path: Path) -> None:
    images = shutil.copytree(data / "images/counter", tmp_path / "images")
    prepared = prepare(Request(f"dir:{images}", f"oci:{tmp_path / 'o'}"), quiet())
    (images / "late.img").write_bytes(b"")
    with pytest.raises(CkptError, match="changed while it was read"):
        run(prepared.plan, prepared.inputs, quiet())
    prepared.close()
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("mark", ["compressed", "encrypted"])
def test_pages_that_criu_wrote_in_another_form_stay_plain_and_it_is_said(
    data: Path, tmp_path: Path, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked(*arguments: Any) -> Any:
        key = "compressed_pages" if mark == "compressed" else "encrypted"
        return dataclasses.replace(build_criu_facts(*arguments), **{key: True})

    monkeypatch.setattr(request_module, "build_criu_facts", marked)
    plan, result, layout = converted(
        str(data / "archives/counter.tar.zst"), tmp_path / "out", base=base_of(data)
    )
    types = {
        layer["mediaType"].rpartition(".")[2]
        for layer in layout.document(result.checkpoint)["layers"]
        if layer["annotations"]["org.criu.checkpoint.layer.role"] == "pages"
    }
    assert types == {"tar"}
    assert any(mark in warning for warning in plan.warnings)


def test_an_archive_that_is_there_already_is_not_written_over(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "there.oci.tar"
    target.write_bytes(b"precious")
    request = Request(
        str(data / "archives/counter.tar.zst"), f"oci-archive:{target}", base_of(data)
    )
    prepared = prepare(request, quiet())
    prepared.close()
    assert any("exists already" in problem for problem in prepared.plan.problems)
    with pytest.raises(UsageError):
        run(prepared.plan, prepared.inputs, quiet())
    assert target.read_bytes() == b"precious"


def test_the_way_back_does_not_write_over_a_file(data: Path, tmp_path: Path) -> None:
    converted(str(data / "archives/counter.tar.zst"), tmp_path / "o", base=base_of(data))
    target = tmp_path / "there.tar"
    target.write_bytes(b"precious")
    with pytest.raises(UsageError, match="exists already"):
        convert_back(f"oci:{tmp_path / 'o'}:opt", target, quiet())
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci:/a/b:tag", "oci:/a/b:tag"),
        ("oci-archive:/a/b.tar:tag", "oci-archive:/a/b.tar:tag"),
        ("docker://host.example:5000/a/b:tag", "docker://host.example:5000/a/b:tag"),
    ],
)
def test_places_are_read_as_they_are_written(text: str, expected: str) -> None:
    found = destination_of(text)
    assert found.named(found.tag) == expected


@pytest.mark.parametrize(
    "text", ["/a/b", "oci:", "docker://host.example", "docker://h.example/a@sha256:" + "0" * 64]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        destination_of(text)


def test_a_result_in_a_registry_cannot_be_for_another(data: Path) -> None:
    request = Request(
        str(data / "archives/counter.tar.zst"),
        "docker://127.0.0.1:1/a/b:tag",
        base_of(data),
        "other.example/a",
    )
    with pytest.raises(UsageError, match="cannot be for"):
        prepare(request, quiet())
