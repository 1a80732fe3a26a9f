"""Images in registries, opened where they are."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard

from ckpt_tui.archive.seekable import SeekableZstdWriter
from ckpt_tui.core.errors import CkptError, DamagedInput, NotACheckpoint, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import image_layers, manifests, open_image
from ckpt_tui.sources.registry_store import RegistryStore
from ckpt_tui.sources.table import resolve
from crafted import tar_of
from fault_server import INDEX, FaultServer, sha256

LAYER = "application/vnd.oci.image.layer.v1.tar"
LARGE = random.Random(1).randbytes(5_000_000)
LARGE_NAME = "checkpoint/pages-1.img"


TAR = tar_of({"config.dump": b"{}", LARGE_NAME: LARGE, "spec.dump": b"{}"})


def seekable(data: bytes) -> bytes:
    out = io.BytesIO()
    with SeekableZstdWriter(out, frame_size=1 << 16) as writer:
        writer.write(data)
        writer.close()
    return out.getvalue()


PACKED = {
    "plain": TAR,
    "gzip": gzip.compress(TAR, 1),
    "zstd": zstandard.ZstdCompressor(1).compress(TAR),
    "seekable": seekable(TAR),
}


class Opener:
    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.opened: list[OpenedImage] = []

    def __call__(self, reference: str) -> OpenedImage:
        found = resolve(f"docker://{self.server.host}/{reference}", quiet())
        assert isinstance(found, OpenedImage)
        self.opened.append(found)
        return found

    def image(self, layer: bytes, **more: Any) -> OpenedImage:
        """Open an image of one layer."""
        config = self.server.add_blob("app", b"{}")
        blob = {"mediaType": LAYER, **self.server.add_blob("app", layer), **more}
        self.server.add_manifest("app", "1", {"config": config, "layers": [blob]})
        return self("app:1")


@pytest.fixture
def opener(server: FaultServer) -> Iterator[Opener]:
    made = Opener(server)
    yield made
    for opened in made.opened:
        opened.close()


def transferred(image: OpenedImage) -> int:
    assert isinstance(image.store, RegistryStore)
    return image.store.transferred


@pytest.mark.parametrize("form", PACKED)
def test_a_layer_of_any_compression_is_a_tree(opener: Opener, form: str) -> None:
    image = opener.image(PACKED[form])
    (layer,) = image_layers(image)
    tree = layer.open_tree(quiet())
    assert list(tree.members) == ["config.dump", LARGE_NAME, "spec.dump"]
    assert tree.window(LARGE_NAME).read(3_000_000, 50) == LARGE[3_000_000:3_000_050]
    assert tree.window("spec.dump").read(0, 9) == b"{}"
    tree.close()


@pytest.mark.parametrize("form", ["plain", "seekable"])
def test_headers_are_read_without_what_is_between_them(opener: Opener, form: str) -> None:
    image = opener.image(PACKED[form])
    (layer,) = image_layers(image)
    tree = layer.open_tree(quiet())
    assert transferred(image) < 400_000
    tree.window(LARGE_NAME).read(2_000_000, 4096)
    assert transferred(image) < 600_000


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_what_cannot_be_read_in_parts_comes_over_the_wire_once(
    opener: Opener, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ckpt_tui.sources.remote_blob.MAX_CACHED", 500_000)
    image = opener.image(PACKED[form])
    (layer,) = image_layers(image)
    assert isinstance(image.store, RegistryStore)
    assert image.store.pass_size(layer.descriptor, quiet()) == len(PACKED[form])
    tree = layer.open_tree(quiet())
    tree.window(LARGE_NAME).read(2_000_000, 4096)
    tree.close()
    assert transferred(image) < len(PACKED[form]) + 200_000


@pytest.mark.parametrize("form", ["plain", "seekable"])
def test_what_can_be_read_in_parts_needs_no_pass(opener: Opener, form: str) -> None:
    image = opener.image(PACKED[form])
    assert isinstance(image.store, RegistryStore)
    assert image.store.pass_size(image_layers(image)[0].descriptor, quiet()) == 0


def test_opening_fetches_the_manifest_alone(server: FaultServer, opener: Opener) -> None:
    opener.image(PACKED["plain"])
    assert server.paths() == ["/v2/app/manifests/1"]


def test_manifests_in_an_index_are_fetched_as_manifests(
    server: FaultServer, opener: Opener
) -> None:
    blob = {"mediaType": LAYER, **server.add_blob("app", TAR)}
    inner = server.add_manifest(
        "app", "", {"config": server.add_blob("app", b"{}"), "layers": [blob]}
    )
    server.add_manifest("app", "1", {"manifests": [inner]}, INDEX)
    image = opener("app:1")
    assert image.is_index
    (found,) = manifests(image.store, image.document)
    assert len(image_layers(open_image("app", image.store, found))) == 1
    assert server.paths() == ["/v2/app/manifests/1", f"/v2/app/manifests/{inner['digest']}"]


def test_blobs_in_an_index_are_fetched_as_blobs(server: FaultServer, opener: Opener) -> None:
    child = {"mediaType": "application/x", **server.add_blob("app", b"data")}
    server.add_manifest("app", "1", {"manifests": [child]}, INDEX)
    assert opener("app:1").store.blob(str(child["digest"])).read(0, 9) == b"data"


def test_a_blob_of_unknown_size_is_asked_for_it(server: FaultServer, opener: Opener) -> None:
    image = opener.image(TAR)
    digest = str(server.add_blob("app", b"other")["digest"])
    assert image.store.blob(digest).read(1, 3) == b"the"
    with pytest.raises(SourceUnreachable, match="not there"):
        image.store.blob(sha256(b"nothing"))
    with pytest.raises(DamagedInput):
        image.store.blob("sha256:../../../etc/passwd")


def test_a_layer_that_is_missing_is_unreachable(server: FaultServer, opener: Opener) -> None:
    image = opener.image(TAR)
    server.blobs.clear()
    with pytest.raises(SourceUnreachable, match="not there"):
        image_layers(image)[0].open_tree(quiet())


@pytest.mark.parametrize("data", [b"no tar at all" * 100, b"x" * 1_000_000, b""])
def test_a_layer_that_is_no_tar_is_told(opener: Opener, data: bytes) -> None:
    with pytest.raises((NotACheckpoint, DamagedInput)):
        image_layers(opener.image(data))[0].open_tree(quiet())


def test_titles_that_lead_outside_are_no_names(opener: Opener) -> None:
    title = {"annotations": {"org.opencontainers.image.title": "../../../etc/passwd"}}
    image = opener.image(tar_of({"../../etc/passwd": b"x", "good": b"y"}), **title)
    tree = image_layers(image)[0].open_tree(quiet())
    assert list(tree.members) == ["good"]
    assert tree.notes


@pytest.mark.parametrize("size", [-1, "5", None, True, 10**30])
def test_a_size_that_is_none_is_damage(server: FaultServer, opener: Opener, size: object) -> None:
    blob = {"mediaType": LAYER, **server.add_blob("app", TAR), "size": size}
    server.add_manifest("app", "1", {"config": {}, "layers": [blob]})
    with pytest.raises(CkptError):
        image_layers(opener("app:1"))[0].open_tree(quiet())
