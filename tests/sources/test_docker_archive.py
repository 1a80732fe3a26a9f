"""Archives of `docker save`, laid out as podman 5.4 and skopeo write them, and older ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_tui.convert.copying import copy
from ckpt_tui.core.errors import CkptError, NotACheckpoint, SourceUnreachable, UsageError
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import image_config, image_layers
from ckpt_tui.sources.table import resolve
from docker_saved import DIGEST, GOOD, config, entry, save


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_checkpoint_in_it_opens(tmp_path: Path, name: str) -> None:
    opened = open_checkpoint(save(tmp_path / name, [entry()], GOOD), quiet())
    assert isinstance(opened.source, OpenedImage)
    checkpoint = opened.load(quiet())
    assert checkpoint.format.engine == "podman"
    assert checkpoint.processes
    assert image_config(opened.source)["architecture"] == "amd64"
    opened.close()


def test_a_layer_that_is_a_link_is_where_that_leads(tmp_path: Path) -> None:
    links = {"old/layer.tar": f"../{DIGEST}.tar"}
    target = save(tmp_path / "a.tar", [entry("old/layer.tar")], GOOD, links)
    image = resolve(target, quiet())
    assert isinstance(image, OpenedImage)
    (layer,) = image_layers(image)
    assert layer.descriptor.digest == f"sha256:{DIGEST}"
    assert "config.dump" in layer.open_tree(quiet()).members
    image.close()


def test_it_is_copied_to_a_layout_that_opens(tmp_path: Path) -> None:
    target = save(tmp_path / "a.tar", [entry()], GOOD)
    copied = copy(target, f"oci:{tmp_path / 'layout'}:1", quiet()).copied
    assert copied.blobs == {"copied": 2}
    opened = open_checkpoint(f"oci:{tmp_path / 'layout'}:1", quiet())
    assert opened.load(quiet()).processes
    opened.close()


def test_one_of_several_is_named(tmp_path: Path) -> None:
    names = [entry(f"{DIGEST}.tar", "web:1", "web:latest"), entry(f"{DIGEST}.tar", "db:2")]
    target = save(tmp_path / "a.tar", names, GOOD)
    with pytest.raises(UsageError, match="has 2 images") as caught:
        resolve(target, quiet())
    assert "web:1, web:latest, db:2" in caught.value.hint
    for name in ("db:2", "web:latest", "2"):
        resolve(f"docker-archive:{target}:{name}", quiet()).close()
    with pytest.raises(UsageError, match="has no image db:3"):
        resolve(f"docker-archive:{target}:db:3", quiet())


@pytest.mark.parametrize(
    ("entries", "files"),
    [
        ([entry("absent.tar")], GOOD),
        ([entry("../../etc/passwd")], GOOD),
        ([entry("/etc/passwd")], GOOD),
        ([{"Config": "absent.json"}], GOOD),
        ([{**entry(), "Layers": []}], GOOD),
        ([entry()], {**GOOD, "c.json": b"{"}),
        ([entry()], {**GOOD, "c.json": config("sha256:../../x")}),
        ([entry()], {**GOOD, "c.json": b" " * (5 << 20)}),
        ([entry("out/layer.tar")], GOOD),
    ],
)
def test_what_is_not_whole_is_an_error(
    tmp_path: Path, entries: object, files: dict[str, bytes]
) -> None:
    links = {"out/layer.tar": "../../../etc/passwd"}
    with pytest.raises(CkptError):
        resolve(save(tmp_path / "a.tar", entries, files, links), quiet())


def test_bytes_of_a_layer_that_are_others_are_not_copied(tmp_path: Path) -> None:
    files = {**GOOD, "c.json": config("sha256:" + "0" * 64)}
    target = save(tmp_path / "a.tar", [entry()], files)
    with pytest.raises(CkptError, match="digest"):
        copy(target, f"oci:{tmp_path / 'layout'}:1", quiet())
    assert not (tmp_path / "layout").exists()


@pytest.mark.parametrize("entries", [{}, [], [7], "x", None])
def test_another_manifest_json_is_none(tmp_path: Path, entries: object) -> None:
    target = save(tmp_path / "a.tar", entries, GOOD)
    with pytest.raises(NotACheckpoint):
        open_checkpoint(target, quiet())
    with pytest.raises((NotACheckpoint, SourceUnreachable)):
        resolve(f"docker-archive:{target}:web:1", quiet())
