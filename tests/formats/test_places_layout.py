"""What is in archives of images: names, what opens them, and what each is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ckpt_tui.core.errors import NotACheckpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.entries import Entry
from ckpt_tui.formats.places.layout import archive_at, archive_images
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.table import resolve
from crafted import ARCHIVES, DATA
from docker_saved import DIGEST, GOOD, config, entry, save


def images(path: str | Path) -> list[Entry]:
    archive = archive_at(str(path))
    assert archive is not None
    return list(archive_images(archive, quiet()))


def test_a_layout_in_an_archive_has_the_images_of_its_index(tmp_path: Path) -> None:
    path = shutil.make_archive(str(tmp_path / "ctr"), "tar", DATA / "ctr-counter")
    (found,) = images(path)
    assert found.target == f"oci-archive:{path}:{found.name}"
    assert (found.content, found.engine) == ("checkpoint", "containerd")
    resolve(found.target, quiet()).close()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_docker_archive_has_each_name_of_each_image(tmp_path: Path, name: str) -> None:
    layer = f"{DIGEST}.tar"
    entries = [entry(layer, "web:1", "web:latest"), entry(layer, "db:2")]
    path = save(tmp_path / name, entries, GOOD)
    found = {one.target: one for one in images(path)}
    assert [one.name for one in found.values()] == ["web:1", "web:latest", "db:2"]
    for target, one in found.items():
        image = resolve(target, quiet())
        assert isinstance(image, OpenedImage)
        assert (one.digest, one.content) == (image.descriptor.digest, "image")
        image.close()
    assert found[f"docker-archive:{path}:db:2"].size == len(config()) + len(GOOD[f"{DIGEST}.tar"])


def test_the_only_image_needs_no_name_and_one_of_several_does(tmp_path: Path) -> None:
    unnamed = {**entry(), "RepoTags": None}
    alone = save(tmp_path / "a.tar", [unnamed], GOOD)
    (found,) = images(alone)
    assert found.target == f"docker-archive:{alone}"
    assert found.name == f"@{found.digest}"
    resolve(found.target, quiet()).close()
    several = save(tmp_path / "b.tar", [unnamed, entry()], GOOD)
    assert [one.target for one in images(several)] == [
        "",
        f"docker-archive:{several}:web:1",
    ]


def test_a_damaged_image_is_listed_by_its_name(tmp_path: Path) -> None:
    entries = [entry("absent.tar", "bad:1"), entry()]
    path = save(tmp_path / "a.tar", entries, GOOD)
    assert [(e.name, e.digest != "") for e in images(path)] == [
        ("bad:1", False),
        ("web:1", True),
    ]


def test_a_checkpoint_holds_no_images() -> None:
    with pytest.raises(NotACheckpoint, match="holds no images"):
        images(ARCHIVES / "counter.tar.zst")
