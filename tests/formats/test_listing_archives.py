"""What is in archives of images: names, what opens them, and what each is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ckpt_tui.core.errors import NotACheckpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.listing import list_archive
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.table import resolve
from crafted import ARCHIVES, DATA
from docker_saved import DIGEST, GOOD, config, entry, save


def test_a_layout_in_an_archive_has_the_images_of_its_index(tmp_path: Path) -> None:
    path = shutil.make_archive(str(tmp_path / "ctr"), "tar", DATA / "ctr-counter")
    ((target, found),) = list_archive(path, quiet())
    assert target == f"oci-archive:{path}:{found.tag}"
    assert (found.kind, found.engine) == ("checkpoint", "containerd")
    resolve(target, quiet()).close()


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_a_docker_archive_has_each_name_of_each_image(tmp_path: Path, name: str) -> None:
    layer = f"{DIGEST}.tar"
    entries = [entry(layer, "web:1", "web:latest"), entry(layer, "db:2")]
    path = save(tmp_path / name, entries, GOOD)
    found = dict(list_archive(path, quiet()))
    assert [one.tag for one in found.values()] == ["web:1", "web:latest", "db:2"]
    for target, one in found.items():
        image = resolve(target, quiet())
        assert isinstance(image, OpenedImage)
        assert (one.digest, one.kind) == (image.descriptor.digest, "image")
        image.close()
    assert found[f"docker-archive:{path}:db:2"].size == len(config()) + len(GOOD[f"{DIGEST}.tar"])


def test_the_only_image_needs_no_name_and_one_of_several_does(tmp_path: Path) -> None:
    unnamed = {**entry(), "RepoTags": None}
    alone = save(tmp_path / "a.tar", [unnamed], GOOD)
    ((target, found),) = list_archive(alone, quiet())
    assert target == f"docker-archive:{alone}"
    assert found.tag == f"@{found.digest}"
    resolve(target, quiet()).close()
    several = save(tmp_path / "b.tar", [unnamed, entry()], GOOD)
    assert [target for target, _ in list_archive(several, quiet())] == [
        "",
        f"docker-archive:{several}:web:1",
    ]


def test_a_damaged_image_is_listed_by_its_name(tmp_path: Path) -> None:
    entries = [entry("absent.tar", "bad:1"), entry()]
    path = save(tmp_path / "a.tar", entries, GOOD)
    assert [(e.tag, e.digest != "") for _, e in list_archive(path, quiet())] == [
        ("bad:1", False),
        ("web:1", True),
    ]


def test_a_checkpoint_holds_no_images() -> None:
    with pytest.raises(NotACheckpoint, match="holds no images"):
        list(list_archive(str(ARCHIVES / "counter.tar.zst"), quiet()))
