"""Optimized images that are copied: the repository that config.dump names goes with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.convert.copying import copy
from ckpt_tui.convert.request import Request, prepare
from ckpt_tui.convert.run import run
from ckpt_tui.convert.staged import repository_named_in
from ckpt_tui.core.document import parse_document, text_at
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.sources.base import Descriptor, OpenedImage
from ckpt_tui.sources.oci import LayoutStore
from ckpt_tui.sources.table import resolve
from fault_server import FaultServer


@pytest.fixture
def optimized(data: Path, tmp_path: Path) -> str:
    """A converted checkpoint in a layout, said to be in reg.example/app/c."""
    target = f"oci:{tmp_path / 'out'}:opt"
    base = f"oci-archive:{data / 'archives/base-bb.oci.tar'}"
    archive = str(data / "archives/counter.tar.zst")
    made = prepare(Request(archive, target, base, "reg.example/app/c"), quiet())
    run(made.plan, made.inputs, quiet())
    made.close()
    return target


def opened(target: str) -> OpenedImage:
    image = resolve(target, quiet())
    assert isinstance(image, OpenedImage)
    return image


def named_in(server: FaultServer, repository: str, tag: str) -> str:
    """The rootfs image that config.dump of an image in the registry names."""
    index = json.loads(server.manifests[repository, tag][1])
    checkpoint = json.loads(server.manifests[repository, index["manifests"][0]["digest"]][1])
    for layer in checkpoint["layers"]:
        blob = BytesWindow(server.blobs[repository, layer["digest"]])
        tree = open_archive(blob, "layer", quiet())
        if "config.dump" in tree.members:
            window = tree.window("config.dump")
            return text_at(parse_document(window.read(0, window.size), "c"), "rootfsImageName")
    return ""


def test_the_repository_is_read_from_the_metadata_layer_alone(
    optimized: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    layer_tree = LayoutStore.layer_tree

    def reading(store: LayoutStore, layer: Descriptor, progress: object) -> object:
        read.append(layer.annotations["org.criu.checkpoint.layer.role"])
        return layer_tree(store, layer, quiet())

    monkeypatch.setattr(LayoutStore, "layer_tree", reading)
    image = opened(optimized)
    assert repository_named_in(image, quiet()) == "reg.example/app/c"
    assert read == ["metadata"]
    image.close()


def test_any_other_image_names_no_repository(data: Path) -> None:
    image = opened(f"oci-archive:{data / 'archives/base-bb.oci.tar'}")
    assert repository_named_in(image, quiet()) == ""
    image.close()


def test_an_image_that_goes_elsewhere_names_where_it_is(
    optimized: str, server: FaultServer
) -> None:
    copied = copy(optimized, f"docker://{server.host}/new/c:1", quiet())
    assert copied.moved
    assert named_in(server, "new/c", "1").startswith(f"{server.host}/new/c@sha256:")
    again = copy(f"docker://{server.host}/new/c:1", f"docker://{server.host}/new/c:2", quiet())
    assert not again.moved
    assert server.manifests["new/c", "1"] == server.manifests["new/c", "2"]
