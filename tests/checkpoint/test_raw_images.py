"""Images without records as lines."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.raw import RawImage, has_lines, raw_lines
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint


def lines(folder: Path, name: str) -> list[str]:
    opened = open_checkpoint(str(folder), quiet())
    try:
        image = RawImage(name, opened.images, partial(opened.load, quiet()))
        return raw_lines(image, quiet())
    finally:
        opened.close()


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data / "images/kinds", tmp_path / "images"))


def test_json_is_indented(folder: Path) -> None:
    assert lines(folder, "descriptors.json")[:2] == ["[", '  "/dev/null",']


def test_pages_say_whose_they_are_and_what_they_hold(folder: Path) -> None:
    (folder / "pages-2.img").write_bytes(bytes(4096) + b"a" * 4096 * 2)
    assert lines(folder, "pages-2.img") == [
        "a shared object, pagemap-shmem-2045.img",
        "3 pages of 4.00 KiB",
        "        1 hold only zeros",
        "        1 are equal to another one here",
        "        1 are different from all others here",
    ]


def test_a_tmpfs_is_listed_as_tar_lists_it(folder: Path) -> None:
    shown = lines(folder, "tmpfs-dev-50.tar.gz.img")
    assert shown[0].startswith("drwxr-xr-x   0/0")
    assert any(line.endswith("stdin -> /proc/self/fd/0") for line in shown)


def test_rules_and_routes_are_told(folder: Path, data: Path) -> None:
    for path in (data / "netlink").iterdir():
        shutil.copy(path, folder)
    (folder / "iptables-9.img").write_bytes(b"*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n")
    assert lines(folder, "iptables-9.img") == ["*filter", ":INPUT ACCEPT [0:0]", "COMMIT"]
    assert "route default via 10.88.0.1" in lines(folder, "route-9.img")[0]


def test_damage_is_the_last_line(folder: Path, data: Path) -> None:
    whole = (data / "netlink/rule-9.img").read_bytes()
    (folder / "rule-9.img").write_bytes(whole[:-3])
    shown = lines(folder, "rule-9.img")
    assert shown[0].startswith("rule 0")
    assert shown[-1].startswith("Damaged:")
    (folder / "rule-9.img").write_bytes(b"abcd" + whole[4:])
    assert lines(folder, "rule-9.img")[0].startswith("Damaged:")


def test_images_with_records_have_no_lines() -> None:
    assert not has_lines("core-1.img")
    assert not has_lines("nothing-known")
    assert has_lines("pages-1.img")
