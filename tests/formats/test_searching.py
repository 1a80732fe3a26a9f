"""Searching places: every checkpoint in a folder or layout, and what is none passed over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.patterns import parse_pattern
from ckpt_tui.core.errors import CkptError, NotACheckpoint, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.searching import Found, search_targets
from crafted import ARCHIVES, DATA, IMAGES, unpacked

OPTIMIZED = Path(__file__).parents[2] / "tui/ckpt_tui/demo/counter-optimized.oci.tar"


def search(target: object, text: str = "PATH=") -> list[Found]:
    return [*search_targets(str(target), parse_pattern(text), quiet())]


def test_each_checkpoint_of_a_folder_is_searched_and_others_are_passed_over(
    tmp_path: Path,
) -> None:
    inner = tmp_path / "a/b"
    inner.mkdir(parents=True)
    shutil.copy(DATA / "demo-web/web.tar.zst", tmp_path / "web.tar.zst")
    shutil.copy(ARCHIVES / "counter.tar.zst", inner)
    shutil.copytree(IMAGES / "counter", inner / "images")
    shutil.copy(ARCHIVES / "base-bb.oci.tar", tmp_path)  # an image without a checkpoint
    unpacked(OPTIMIZED, tmp_path / "layout")
    found = search(tmp_path)
    assert [one.problem or one.error for one in found if one.hit is None] == []
    targets = dict.fromkeys(one.target.removeprefix(f"oci:{tmp_path}/") for one in found)
    names = {t.removeprefix(f"{tmp_path}/").partition(":")[0] for t in targets}
    assert names == {"web.tar.zst", "a/b/counter.tar.zst", "a/b/images", "layout"}


def test_a_damaged_checkpoint_of_a_folder_is_told(tmp_path: Path) -> None:
    shutil.copy(ARCHIVES / "counter.tar.zst", tmp_path)
    archive = tmp_path / "cut.tar.zst"
    archive.write_bytes((DATA / "demo-web/web.tar.zst").read_bytes()[:90])
    found = search(tmp_path)
    assert [one.target for one in found if one.error] == [str(archive)]
    assert any(one.hit for one in found)


def test_a_target_that_is_no_checkpoint_fails(tmp_path: Path) -> None:
    with pytest.raises(NotACheckpoint):
        search(ARCHIVES / "base-bb.oci.tar")
    with pytest.raises(SourceUnreachable):
        search(tmp_path / "gone.tar")
    (tmp_path / "note").write_text("nothing")
    with pytest.raises(NotACheckpoint):
        search(tmp_path)


def test_the_documents_of_an_image_are_searched() -> None:
    found = search(OPTIMIZED, "org.criu.checkpoint.role")
    assert {one.hit.where.name for one in found if one.hit} == {"index"}
    found = search(OPTIMIZED, "diff_ids")
    assert {one.hit.where.name for one in found if one.hit} == {"config 1", "config 2"}


def test_errors_are_of_the_program() -> None:
    with pytest.raises(CkptError):
        search("oci:/nowhere")
