"""Every container of a checkpoint is told by its members, never by its name."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from ckpt_tui.core.errors import CkptError, NotACheckpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.metadata import time_of
from ckpt_tui.formats.opened import open_checkpoint
from crafted import ARCHIVES, IMAGES, copied, loaded, tar_of, tarred, unpacked

DEMO = Path(__file__).parent.parent.parent / "tui/ckpt_tui/demo"


def members(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {prefix + p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


IMAGE_MEMBERS = members(IMAGES / "counter", "checkpoint/")


@pytest.mark.parametrize(
    ("name", "engine", "title", "compression"),
    [
        ("counter.tar.zst", "podman", "podman archive", "zstd"),
        ("cri-podman.tar", "podman", "podman archive", "plain"),
        ("cri-crio.tar", "cri-o", "CRI-O archive", "plain"),
        ("cri-containerd-cri.tar", "containerd", "containerd archive", "plain"),
    ],
)
def test_the_archives_of_the_engines(
    tmp_path: Path, name: str, engine: str, title: str, compression: str
) -> None:
    disguised = tmp_path / "holiday.jpg"
    shutil.copy(ARCHIVES / name, disguised)
    found = loaded(disguised)
    assert (found.format.engine, found.format.name) == (engine, title)
    assert (found.format.compression, found.format.optimized) == (compression, False)
    assert found.notes == ()
    assert [p.comm for p in found.processes] == ["sh", "sleep"]


def test_gzip_is_told_by_its_magic(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(gzip.compress((ARCHIVES / "cri-podman.tar").read_bytes(), 1))
    found = loaded(path)
    assert found.format.compression == "gzip"
    assert found.processes == loaded(ARCHIVES / "cri-podman.tar").processes


def test_an_unpacked_archive_and_the_images_alone_give_the_same_processes(tmp_path: Path) -> None:
    archive = loaded(ARCHIVES / "cri-podman.tar")
    folder = unpacked(ARCHIVES / "cri-podman.tar", tmp_path / "here")
    found = loaded(folder)
    assert (found.format.name, found.format.engine) == ("podman directory", "podman")
    assert found.processes == archive.processes
    images = loaded(f"dir:{folder / 'checkpoint'}")
    assert images.format.name == "runc, crun or Docker directory"
    assert images.processes == archive.processes


@pytest.mark.parametrize(
    ("extra", "title", "engine"),
    [
        ({"descriptors.json": None}, "CRIU directory", "criu"),
        ({"tty.info": b"", "descriptors.json": None}, "LXC directory", "lxc"),
        (
            {"inventory.img": None, "descriptors.json": None},
            "CRIU (no inventory) directory",
            "criu",
        ),
    ],
)
def test_directories_of_images(
    tmp_path: Path, extra: Mapping[str, bytes | None], title: str, engine: str
) -> None:
    images = copied("counter", tmp_path)
    for name, data in extra.items():
        if data is None:
            (images / name).unlink()
        else:
            (images / name).write_bytes(data)
    found = loaded(images)
    assert (found.format.name, found.format.engine) == (title, engine)
    assert len(found.processes) == 2


def test_an_archive_of_images_without_metadata(tmp_path: Path) -> None:
    found = loaded(tarred(tmp_path / "a", IMAGE_MEMBERS))
    assert (found.format.name, found.format.engine) == ("CRIU archive", "criu")


def test_metadata_without_an_engine_is_unknown(tmp_path: Path) -> None:
    both = {"config.dump": b"{}", "spec.dump": b"{}", **IMAGE_MEMBERS}
    found = loaded(tarred(tmp_path / "a", both))
    assert (found.format.name, found.format.engine) == ("unknown engine's archive", "unknown")


def test_a_pod_checkpoint_is_named_and_says_what_to_open(tmp_path: Path) -> None:
    path = tarred(tmp_path / "pod", {"pod.options": b"{}", "a/config.dump": b"{}"})
    with pytest.raises(NotACheckpoint) as caught:
        loaded(path)
    assert "pod checkpoint" in caught.value.what
    assert "open the archive of one container" in caught.value.why


def test_a_gvisor_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint) as caught:
        loaded(tarred(tmp_path / "g", {"checkpoint.img": b"gVisorSF" + bytes(64)}))
    assert "gVisor" in caught.value.what


def test_a_folder_in_place_of_gvisors_image_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "g/checkpoint.img").mkdir(parents=True)
    with pytest.raises(NotACheckpoint):
        loaded(tmp_path / "g")


def test_a_tar_of_something_else_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint) as caught:
        loaded(tarred(tmp_path / "a", {"readme": b"hello"}))
    assert "inventory.img" in caught.value.why
    assert caught.value.hint


def test_what_the_engines_say_of_the_container() -> None:
    podman = loaded(ARCHIVES / "counter.tar.zst").container
    assert (podman.name, podman.runtime) == ("counter", "runc")
    assert podman.image.startswith("localhost/")
    assert len(podman.image_id) == 64
    assert podman.command[:2] == ("sh", "-c")
    assert podman.created is not None
    assert loaded(DEMO / "web.tar.zst").container.networks == {"podman": ("10.88.0.2/16",)}
    crio = loaded(ARCHIVES / "cri-crio.tar").container
    assert crio.pod
    assert crio.namespace
    assert crio.checkpointed is not None
    containerd = loaded(ARCHIVES / "cri-containerd-cri.tar").container
    assert containerd.pod == crio.pod
    assert containerd.id


def test_an_optimized_pair_opens_as_one_checkpoint() -> None:
    optimized = loaded(DEMO / "counter-optimized.oci.tar")
    legacy = loaded(DEMO / "counter.tar.zst")
    assert (optimized.format.name, optimized.format.optimized) == ("podman image", True)
    assert optimized.format.compression == "per layer"
    assert optimized.processes == legacy.processes
    assert optimized.files == legacy.files
    assert [(e.path, e.size) for e in optimized.delta.entries] == [
        (e.path, e.size) for e in legacy.delta.entries
    ]
    roles = [layer.role for layer in optimized.sizes.layers]
    assert roles == ["metadata", "criu", "pages", "devshm", "base", "delta"]
    assert optimized.notes == ()


def test_an_image_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layer = layout.blob(tar_of(IMAGE_MEMBERS), "application/vnd.oci.image.layer.v1.tar")
    config = layout.blob(b"{}", "application/vnd.oci.image.config.v1+json")
    layout.manifest([layer], config, {"org.criu.checkpoint.format.version": "1.0.0"})
    with pytest.raises(NotACheckpoint) as caught:
        loaded(layout.folder)
    assert "newer ckpt-tui" in caught.value.hint


def test_a_checkpoint_image_of_an_engine_is_its_archive_in_a_layer(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layer = layout.blob(
        gzip.compress((ARCHIVES / "cri-crio.tar").read_bytes(), 1),
        "application/vnd.oci.image.layer.v1.tar+gzip",
    )
    config = layout.blob(b"{}", "application/vnd.oci.image.config.v1+json")
    key = "io.kubernetes.cri-o.annotations.checkpoint.name"
    layout.manifest([layer], config, {key: "looper"})
    found = loaded(layout.folder)
    assert (found.format.name, found.format.engine) == ("CRI-O image", "cri-o")
    assert found.container.annotations[key] == "looper"
    assert [layer.role for layer in found.sizes.layers] == ["checkpoint"]
    assert len(found.processes) == 2


def test_a_checkpoint_of_ctr_is_an_index_of_blobs(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    spec = json.dumps({"process": {"args": ["sh", "-c", "loop"], "env": ["A=1"]}}).encode()
    delta = {"tmp/count": b"7\n", "etc/.wh.motd": b""}
    layout.index(
        [
            layout.blob(
                tar_of(members(IMAGES / "counter")),
                "application/vnd.containerd.container.criu.checkpoint.criu.tar",
            ),
            layout.blob(
                AnyMessage(type_url="types.containerd.io/spec", value=spec).SerializeToString(),
                "application/vnd.containerd.container.checkpoint.config.v1+proto",
            ),
            layout.blob(
                gzip.compress(tar_of(delta)), "application/vnd.oci.image.layer.v1.tar+gzip"
            ),
        ]
    )
    found = loaded(layout.folder)
    assert (found.format.name, found.format.engine) == ("ctr image", "containerd")
    assert found.container.command == ("sh", "-c", "loop")
    assert [p.comm for p in found.processes] == ["sh", "sleep"]
    assert found.delta.dialect == "layer"
    assert {(e.path, e.change) for e in found.delta.entries} == {
        ("/tmp/count", "written"),
        ("/etc/motd", "deleted"),
    }
    assert [layer.role for layer in found.sizes.layers] == ["criu", "metadata", "delta"]


def test_a_spec_of_ctr_that_is_no_message_is_explained(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    images = tar_of(members(IMAGES / "counter"))
    prefix = "application/vnd.containerd.container."
    layout.index(
        [
            layout.blob(images, f"{prefix}criu.checkpoint.criu.tar"),
            layout.blob(b"\xff\xff\xff", f"{prefix}checkpoint.config.v1+proto"),
        ]
    )
    with pytest.raises(CkptError) as caught:
        open_checkpoint(str(layout.folder), quiet())
    assert "spec" in caught.value.what


@pytest.mark.parametrize("name", ["config.dump", "spec.dump", "network.status"])
def test_a_damaged_document_is_a_note(tmp_path: Path, name: str) -> None:
    folder = unpacked(ARCHIVES / "cri-podman.tar", tmp_path / "here")
    (folder / name).write_bytes(b'{"half": ')
    found = loaded(folder)
    assert [n.where for n in found.notes] == [name]
    assert len(found.processes) == 2


def test_documents_of_the_wrong_shape_are_no_reason_to_stop(tmp_path: Path) -> None:
    folder = unpacked(ARCHIVES / "cri-podman.tar", tmp_path / "here")
    shapes: tuple[Any, ...] = ([], 7, "x", None, {"process": 3, "annotations": [1], "id": {}})
    for shape in shapes:
        for name in ("config.dump", "network.status"):
            (folder / name).write_text(json.dumps(shape))
        assert len(loaded(folder).processes) == 2


def test_the_root_entry_of_a_folder_in_place_of_a_document_is_a_note(tmp_path: Path) -> None:
    folder = unpacked(ARCHIVES / "cri-podman.tar", tmp_path / "here")
    (folder / "network.status").unlink()
    (folder / "network.status").mkdir()
    notes = loaded(folder).notes
    assert [(n.where, n.text) for n in notes] == [("network.status", "It is not a regular file.")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24T03:01:48.123456789Z", datetime(2026, 11, 24, 3, 1, 48, 123456, tzinfo=UTC)),
        ("2026-11-24T05:01:48+02:00", datetime(2026, 11, 24, 3, 1, 48, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_times_of_engines(text: str, expected: datetime | None) -> None:
    assert time_of(text) == expected


@pytest.mark.parametrize("mtime", ["1e300", "nan", "-1e18", "inf"])
def test_any_time_an_archive_claims_for_the_inventory(tmp_path: Path, mtime: str) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in IMAGE_MEMBERS.items():
            one = tarfile.TarInfo(name)
            one.size = len(data)
            one.pax_headers = {"mtime": mtime}
            tar.addfile(one, io.BytesIO(data))
    assert len(loaded(path).processes) == 2


class Layout:
    """An OCI layout in the making."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def manifest(
        self, layers: list[dict[str, Any]], config: dict[str, Any], annotations: dict[str, str]
    ) -> None:
        kind = "application/vnd.oci.image.manifest.v1+json"
        document = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": config,
            "layers": layers,
            "annotations": annotations,
        }
        self._top(self.blob(json.dumps(document).encode(), kind))

    def index(self, manifests: list[dict[str, Any]]) -> None:
        kind = "application/vnd.oci.image.index.v1+json"
        document = {"schemaVersion": 2, "mediaType": kind, "manifests": manifests}
        self._top(self.blob(json.dumps(document).encode(), kind))

    def _top(self, descriptor: dict[str, Any]) -> None:
        document = {"schemaVersion": 2, "manifests": [descriptor]}
        (self.folder / "index.json").write_text(json.dumps(document))


def test_an_image_without_one_of_its_layers_shows_the_others(tmp_path: Path) -> None:
    folder = unpacked(DEMO / "counter-optimized.oci.tar", tmp_path / "layout")
    whole = loaded(folder)
    for layer in whole.sizes.layers:
        if layer.role == "pages":
            (folder / "blobs/sha256" / layer.digest.removeprefix("sha256:")).unlink()
    found = loaded(folder)
    assert [p.comm for p in found.processes] == [p.comm for p in whole.processes]
    assert found.files == whole.files
    assert [(la.role, la.digest) for la in found.sizes.layers] == [
        (la.role, la.digest) for la in whole.sizes.layers
    ]
    assert any(n.where.startswith("pages layer ") and n.damaged for n in found.notes)
    assert any("The page image is missing" in n.text for n in found.notes)


def test_an_image_with_one_layer_that_is_gone_cannot_be_opened(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layer = layout.blob(tar_of(IMAGE_MEMBERS), "application/vnd.oci.image.layer.v1.tar")
    config = layout.blob(b"{}", "application/vnd.oci.image.config.v1+json")
    layout.manifest([layer], config, {})
    (layout.folder / "blobs/sha256" / layer["digest"].removeprefix("sha256:")).unlink()
    with pytest.raises(CkptError):
        loaded(layout.folder)
