import gzip
import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.directory import open_folder
from ckpt_tui.core.errors import CkptError, DamagedInput, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow, chunks
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import image_config, image_layers
from ckpt_tui.sources.stores import locations
from ckpt_tui.sources.table import resolve
from ckpt_tui.sources.tar_split import TarSplitWindow

IMAGE = "0e904b1129f2abb22ccc21cf114bbc9774af3047aef75db4379ad565b505ba3a"
LAYER = "aab572d6e2c4b08579bdb556974ed410c1deefdc3c256ebc3b9f467829c2b410"
MANIFEST = "sha256:f1166ded68e57fdd11d251295a45746d6c152ab51e9313b6c029919ebbf4a1c6"
LAYER_BLOB = "blobs/sha256/e7e5bff0eaa5ff2a8403cdb457f1b711c09cdc282dc507df2fea6c9e8bbe394e"


@pytest.fixture
def store(data: Path, tmp_path: Path) -> Path:
    """A real store, its layer unpacked again."""
    root = tmp_path / "storage"
    shutil.copytree(data / "containers-storage", root)
    with tarfile.open(data / "archives/base-bb.oci.tar") as outer:
        blob = outer.extractfile(LAYER_BLOB)
        assert blob
        with tarfile.open(fileobj=blob) as layer:
            for member in layer.getmembers():
                if member.isfile() or member.isdir():
                    layer.extract(member, root / "overlay" / LAYER / "diff", filter="data")
    return root


def found(store: Path, name: str = "localhost/bb:1", driver: str = "overlay@") -> OpenedImage:
    image = resolve(f"containers-storage:[{driver}{store}]{name}", quiet())
    assert isinstance(image, OpenedImage)
    return image


@pytest.mark.parametrize(
    "name",
    [
        "localhost/bb:1",
        "bb:1",
        IMAGE,
        IMAGE[:12],
        f"@{IMAGE}",
        f"localhost/bb@{MANIFEST}",
        f"bb:1@sha256:{IMAGE}",
    ],
)
def test_an_image_is_found_as_podman_finds_it(store: Path, name: str) -> None:
    image = found(store, name)
    assert image.descriptor.digest == MANIFEST
    assert image.descriptor.size == len(image.data) == 348
    assert image_config(image)["rootfs"]["diff_ids"] == [f"sha256:{LAYER}"]


@pytest.mark.parametrize(
    "name", ["bb", "bb:2", "b:1", "localhost/bb@sha256:" + "0" * 64, "0e904b", "x" * 12]
)
def test_another_name_is_in_no_store(store: Path, name: str) -> None:
    with pytest.raises(SourceUnreachable, match="in no local store"):
        found(store, name)


def test_a_layer_is_put_together_byte_for_byte(store: Path) -> None:
    (layer,) = image_layers(found(store))
    tree = layer.open_tree(quiet())
    assert isinstance(tree, ArchiveTree)
    assert len(tree.members) == 34
    assert tree.notes == ()
    assert tree.window("bin/busybox").read(0, 4) == b"\x7fELF"
    tree.close()
    split = (store / "overlay-layers" / f"{LAYER}.tar-split.gz").read_bytes()
    window = TarSplitWindow(
        BytesWindow(split),
        open_folder(store / f"overlay/{LAYER}/diff"),
        "l",
        quiet(),
    )
    digest = hashlib.sha256()
    for piece in chunks(window, 100_000):
        digest.update(piece)
    assert digest.hexdigest() == LAYER
    window.close()


def test_headers_are_read_without_the_files(store: Path) -> None:
    diff = store / "overlay" / LAYER / "diff"
    shutil.rmtree(diff)
    diff.mkdir()
    (layer,) = image_layers(found(store))
    tree = layer.open_tree(quiet())
    assert tree.members["bin/busybox"].size > 1_000_000
    with pytest.raises(SourceUnreachable):
        tree.window("bin/busybox").read(0, 4)
    tree.close()


def test_a_link_in_the_store_is_not_followed(store: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * 2_000_000)
    busybox = store / "overlay" / LAYER / "diff/bin/busybox"
    busybox.unlink()
    busybox.symlink_to(tmp_path / "secret")
    (layer,) = image_layers(found(store))
    tree = layer.open_tree(quiet())
    with pytest.raises(SourceUnreachable):
        tree.window("bin/busybox").read(0, 4)
    tree.close()


def test_a_file_that_is_too_short_is_damage(store: Path) -> None:
    (store / "overlay" / LAYER / "diff/bin/busybox").write_bytes(b"short")
    (layer,) = image_layers(found(store))
    tree = layer.open_tree(quiet())
    with pytest.raises(DamagedInput, match="fewer bytes"):
        tree.window("bin/busybox").read(0, 100)
    tree.close()


def test_a_vfs_store_opens(store: Path) -> None:
    for part in ("images", "layers"):
        (store / f"overlay-{part}").rename(store / f"vfs-{part}")
    (store / "vfs/dir").mkdir(parents=True)
    (store / "overlay" / LAYER / "diff").rename(store / "vfs/dir" / LAYER)
    (layer,) = image_layers(found(store, driver=""))
    tree = layer.open_tree(quiet())
    assert tree.window("bin/busybox").read(0, 4) == b"\x7fELF"
    tree.close()


def test_layers_follow_their_parents(store: Path) -> None:
    base = "1" * 64
    layers = [{"id": base}, {"id": LAYER, "parent": base}]
    (store / "overlay-layers/layers.json").write_text(json.dumps(layers[:1]))
    (store / "overlay-layers/volatile-layers.json").write_text(json.dumps(layers[1:]))
    (layer,) = image_layers(found(store))
    with pytest.raises(DamagedInput, match="do not agree"):
        layer.open_tree(quiet())


@pytest.mark.parametrize(
    "layers",
    [[], [{"id": LAYER, "parent": LAYER}], [{"id": LAYER, "parent": "../x"}], {}, [7], None],
)
def test_layers_of_another_shape_are_an_error(store: Path, layers: object) -> None:
    (store / "overlay-layers/layers.json").write_text(json.dumps(layers))
    (layer,) = image_layers(found(store))
    with pytest.raises(CkptError):
        layer.open_tree(quiet())


@pytest.mark.parametrize("images", [{}, [7], None, [{"id": "../x", "names": ["localhost/bb:1"]}]])
def test_images_of_another_shape_are_an_error(store: Path, images: object) -> None:
    (store / "overlay-images/images.json").write_text(json.dumps(images))
    with pytest.raises(CkptError):
        found(store)


def test_the_blob_of_a_layer_is_not_kept(store: Path) -> None:
    image = found(store)
    (layer,) = image_layers(image)
    with pytest.raises(SourceUnreachable):
        image.store.blob(layer.descriptor.digest)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b'{"type": 3}',
        b'{"type": 2, "payload": "%%%"}',
        b'{"type": 1, "name": "../../etc/passwd", "size": 5}',
        b'{"type": 1, "name_raw": "Li4veA==", "size": 5}',
        b'{"type": 1, "name_raw": "\xc3\xa9", "size": 5}',
    ],
)
def test_a_damaged_tar_split_is_an_error(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(DamagedInput):
        TarSplitWindow(
            BytesWindow(gzip.compress(line + b"\n")), open_folder(tmp_path), "l", quiet()
        )


def test_the_stores_are_found_by_their_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "storage.conf"
    config.write_text(
        '[storage]\ngraphroot = "/big/storage"\n'
        '[storage.options]\nadditionalimagestores = ["/more", "relative"]\n'
    )
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(config))
    roots = list(dict.fromkeys(str(location.root) for location in locations()))
    assert roots[:2] == ["/big/storage", "/more"]
    assert roots[-1] == "/var/lib/containers/storage"
    assert "relative" not in roots


def test_the_store_of_a_user_without_root_is_in_the_home(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(own_home / "absent"))
    assert str(own_home / ".local/share/containers/storage") in {
        str(location.root) for location in locations()
    }


def test_a_broken_configuration_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "storage.conf").write_bytes(b"[storage\xff")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    assert "/var/lib/containers/storage" in {str(location.root) for location in locations()}
