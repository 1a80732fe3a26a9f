"""containerd's store, as the program itself left it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources import containerd
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.containerd import named_images
from ckpt_tui.sources.oci import image_config
from ckpt_tui.sources.stores import DATABASE
from ckpt_tui.sources.table import resolve
from containerd_store import unpack

IMAGE = "sha256:f1166ded68e57fdd11d251295a45746d6c152ab51e9313b6c029919ebbf4a1c6"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return unpack(tmp_path / "containerd")


def found(store: Path, name: str, space: str = "") -> OpenedImage:
    image = resolve(f"containerd:[{space + '@' if space else ''}{store}]{name}", quiet())
    assert isinstance(image, OpenedImage)
    return image


def test_names_are_read_with_what_they_stand_for(store: Path) -> None:
    images = named_images(str(store), quiet())
    assert len(images) == 303
    assert [(i.namespace, i.name) for i in images[:3]] == [
        ("default", "localhost/bb:1"),
        ("default", "localhost/counter:checkpoint"),
        ("k8s.io", "localhost/bb:1"),
    ]
    assert images[0].descriptor.digest == IMAGE
    assert images[0].descriptor.size == 348
    assert images[0].created is not None
    assert str(images[0].created) == "2026-11-24 08:29:08+00:00"


def test_a_ctr_checkpoint_opens(store: Path) -> None:
    opened = open_checkpoint(f"containerd:[{store}]localhost/counter:checkpoint", quiet())
    checkpoint = opened.load(quiet())
    assert checkpoint.format.engine == "containerd"
    assert [p.comm for p in checkpoint.processes][:1] == ["sh"]
    assert checkpoint.notes == ()
    opened.close()


@pytest.mark.parametrize(
    ("name", "space"),
    [
        ("localhost/bb:1", ""),
        ("localhost/bb:1", "default"),
        ("registry.example/team/bb:300", ""),
        ("registry.example/team/bb:7", "k8s.io"),
        (IMAGE, ""),
        (f"@{IMAGE}", "k8s.io"),
    ],
)
def test_an_image_is_found_by_its_name(store: Path, name: str, space: str) -> None:
    image = found(store, name, space)
    assert image.descriptor.digest == IMAGE
    assert image_config(image)["architecture"] == "amd64"
    image.close()


@pytest.mark.parametrize(
    ("name", "space"), [("localhost/bb", ""), ("bb:1", ""), ("registry.example/team/bb:7", "moby")]
)
def test_another_name_is_not_there(store: Path, name: str, space: str) -> None:
    with pytest.raises(SourceUnreachable, match="in no image store of containerd"):
        found(store, name, space)


def test_no_name_is_a_wrong_call(store: Path) -> None:
    with pytest.raises(UsageError):
        found(store, "")


def test_no_store_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable):
        found(tmp_path / "absent", "a")
    with pytest.raises(SourceUnreachable):
        found(tmp_path, "a")


def test_content_that_is_gone_is_told(store: Path) -> None:
    shutil.rmtree(store / "io.containerd.content.v1.content/blobs/sha256")
    with pytest.raises(SourceUnreachable, match="is not there"):
        found(store, "localhost/bb:1")


def test_a_link_in_the_store_is_not_followed(store: Path, tmp_path: Path) -> None:
    blob = store / "io.containerd.content.v1.content/blobs/sha256" / IMAGE[7:]
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceUnreachable):
        found(store, "localhost/bb:1")


def test_a_damaged_database_is_told(store: Path) -> None:
    (store / DATABASE).write_bytes(b"nothing" * 10_000)
    with pytest.raises(DamagedInput, match=r"meta\.db is damaged"):
        found(store, "localhost/bb:1")


def test_what_is_written_meanwhile_is_read_again(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = containerd._read_names, []

    def torn(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise DamagedInput("meta.db", 0, "a page of it is invalid.")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(containerd, "_read_names", torn)
    assert len(named_images(str(store), quiet())) == 303


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (IMAGE.encode(), b"sha256:../../../../../etc/passwd" + b"x" * 39),
        (b"mediatype", b"mediatypo"),
        (b"target", b"targer"),
        (b"\x01\x00\x00\x00\x0e", b"\x01\x7f\xff\xff\xff"),
    ],
)
def test_keys_of_another_kind_are_an_error_or_nothing(store: Path, old: bytes, new: bytes) -> None:
    path = store / DATABASE
    path.write_bytes(path.read_bytes().replace(old, new))
    try:
        images = named_images(str(store), quiet())
    except CkptError:
        return
    assert len(images) == 303
