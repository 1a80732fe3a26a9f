"""`verify` finds a flipped bit wherever something can prove it, and says where nothing can."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
import zstandard
from breakage import unpack, whole_images

from ckpt_tui.core.errors import NotACheckpoint, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.diagnose.verification import Verification, verify_target
from crafted import ARCHIVES, DATA, tar_of, unpacked
from fault_server import FaultServer
from served import legacy

OPTIMIZED = Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"


def verify(target: Path | str) -> Verification:
    return verify_target(str(target), quiet())


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 0x10
    path.write_bytes(data)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    return unpacked(OPTIMIZED, tmp_path / "layout")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The members of a small checkpoint."""
    folder = unpack(ARCHIVES / "counter.tar.zst", tmp_path / "files")
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_an_intact_layout_is_intact_and_read_to_the_last_byte(layout: Path) -> None:
    found = verify(layout)
    blobs = list((layout / "blobs/sha256").iterdir())
    assert (found.problems, found.unproven, found.verdict) == ([], [], "intact")
    assert found.bytes_read == sum(path.stat().st_size for path in blobs)
    assert {part.name for part in found.parts} == {f"sha256:{path.name}" for path in blobs}
    assert {part.proof for part in found.parts} == {"digest"}
    assert {part.role for part in found.parts} >= {"index", "config", "metadata", "criu", "pages"}


def test_a_flipped_bit_in_any_blob_of_a_layout_is_found(layout: Path) -> None:
    blobs = sorted((layout / "blobs/sha256").iterdir())
    assert len(blobs) == 11
    for blob in blobs:
        size = blob.stat().st_size
        for offset in (0, size // 3, size // 2, size - 1):
            flip(blob, offset)
            found = verify(layout)
            assert any(blob.name[:12] in p.where for p in found.problems), (blob, offset)
            assert found.verdict.startswith("damaged")
            flip(blob, offset)
    assert verify(layout).verdict == "intact"


def test_the_byte_of_a_damaged_frame_is_told(layout: Path) -> None:
    manifests = (p for p in (layout / "blobs/sha256").iterdir() if p.stat().st_size < 20_000)
    documents = [json.loads(p.read_bytes()) for p in manifests if p.read_bytes()[:1] == b"{"]
    layers = [layer for document in documents for layer in document.get("layers", ())]
    role = "org.criu.checkpoint.layer.role"
    (pages,) = (la for la in layers if la.get("annotations", {}).get(role) == "pages")
    flip(layout / "blobs/sha256" / pages["digest"][7:], pages["size"] // 2)
    problem = verify(layout).problems[0]
    assert (problem.where, problem.offset) == (pages["digest"], 0)
    assert problem.text.startswith("frame ")


@pytest.mark.parametrize("damage", ["missing", "cut", "longer"])
def test_a_blob_that_is_missing_or_has_another_size_is_found(layout: Path, damage: str) -> None:
    root = (layout / "index.json").read_text()
    for blob in sorted((layout / "blobs/sha256").iterdir()):
        data = blob.read_bytes()
        if damage == "missing":
            blob.unlink()
        else:
            blob.write_bytes(data[:-1] if damage == "cut" else data + b"\0")
        if blob.name in root and damage == "missing":
            with pytest.raises(SourceUnreachable):
                verify(layout)
        else:
            places = " ".join(problem.where for problem in verify(layout).problems)
            assert blob.name[:12] in places, blob
        blob.write_bytes(data)


@pytest.mark.parametrize("proof", ["gzip", "zstd"])
def test_a_flipped_bit_of_a_compressed_archive_is_found(
    proof: str, files: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x.tar"
    pack = gzip.compress if proof == "gzip" else _zstd
    path.write_bytes(pack(tar_of(files)))
    intact = verify(path)
    assert (intact.verdict, intact.parts[0].proof) == ("intact", proof)
    size = path.stat().st_size
    for offset in range(size // 10, size, size // 10):
        flip(path, offset)
        assert verify(path).problems, offset
        flip(path, offset)


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def test_of_a_plain_archive_images_are_decoded_and_the_rest_is_not_called_intact(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x.tar"
    tar = tar_of(files)
    path.write_bytes(tar)
    found = verify(path)
    assert (found.problems, found.verdict) == ([], "no damage found, but not all can be proven")
    assert found.bytes_read == len(tar)
    assert "A plain tar has checksums of its headers only" in found.unproven[0]
    image = tar.index(files["checkpoint/pstree.img"])
    flip(path, image)
    assert [p.where for p in verify(path).problems][:1] == ["pstree.img"]
    flip(path, image)
    pages = tar.index(files["checkpoint/pages-1.img"])
    flip(path, pages + 5000)
    assert "intact" not in verify(path).verdict


def test_of_a_directory_every_file_is_read(tmp_path: Path) -> None:
    folder = whole_images("counter", tmp_path / "counter")
    found = verify(folder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert (found.problems, found.bytes_read) == ([], size)
    assert "Files of a directory have no checksum" in found.unproven[0]
    os.truncate(folder / "core-1.img", 100)
    assert "core-1.img" in {p.where for p in verify(folder).problems}


def test_a_layer_of_a_registry_is_fetched_once_and_compared(server: FaultServer) -> None:
    target = legacy(server, "gzip")
    found = verify(target)
    assert (found.problems, found.verdict) == ([], "intact")
    assert found.transferred is not None
    assert found.transferred < 1.1 * found.bytes_read


def test_a_flipped_bit_in_a_registry_is_found(server: FaultServer) -> None:
    for tag in ("plain", "gzip"):
        target = legacy(server, tag)
        (key,) = (key for key, data in server.blobs.items() if len(data) > 1 << 20)
        data = bytearray(server.blobs.pop(key))
        data[2 << 20] ^= 1
        server.blobs[key] = bytes(data)
        assert key[1] in {problem.where for problem in verify(target).problems}
        del server.blobs[key]


def test_a_layer_that_a_store_has_unpacked_is_compared_as_a_tar(tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(DATA / "containers-storage", store)
    blobs = unpacked(ARCHIVES / "base-bb.oci.tar", tmp_path / "base") / "blobs/sha256"
    layer = max(blobs.iterdir(), key=lambda path: path.stat().st_size)
    (split,) = (store / "overlay-layers").glob("*.tar-split.gz")
    unpacked(layer, store / "overlay" / split.name.partition(".")[0] / "diff")
    name = f"containers-storage:[overlay@{store}]localhost/bb:1"
    assert verify(name).verdict == "intact"
    (busybox,) = store.glob("overlay/*/diff/bin/busybox")
    flip(busybox, 1000)
    (problem,) = verify(name).problems
    assert problem.text == "its bytes do not have the digest it is named by."


def test_an_image_without_a_checkpoint_is_compared_by_digest() -> None:
    found = verify(ARCHIVES / "base-bb.oci.tar")
    assert (found.verdict, found.has_checkpoint) == ("intact", False)


def test_what_is_neither_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(tar_of({"a": b"b"}))
    with pytest.raises(NotACheckpoint):
        verify(tmp_path / "x")
