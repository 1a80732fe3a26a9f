import os
import shutil
import tarfile
from pathlib import Path

import pytest

from ckpt_tui.core.errors import Cancelled, SourceUnreachable
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.entries import Kind
from ckpt_tui.formats.places.folder import (
    is_folder_of_checkpoints,
    list_folder,
)


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    for name in ("counter.tar.zst", "cri-crio.tar"):
        shutil.copy(data / "archives" / name, tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a checkpoint")
    (tmp_path / "empty").touch()
    (tmp_path / "plain").mkdir()
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout/oci-layout").touch()
    (tmp_path / "images").mkdir()
    (tmp_path / "images/inventory.img").touch()
    (tmp_path / "unpacked/checkpoint").mkdir(parents=True)
    (tmp_path / "unpacked/checkpoint/inventory.img").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo")
    return tmp_path


def test_a_folder_lists_what_may_be_a_checkpoint(folder: Path) -> None:
    entries = {entry.name: entry for entry in list_folder(str(folder), quiet())}
    assert {name: entry.kind for name, entry in entries.items()} == {
        "counter.tar.zst": Kind.ARCHIVE,
        "cri-crio.tar": Kind.ARCHIVE,
        "plain": Kind.FOLDER,
        "layout": Kind.LAYOUT,
        "images": Kind.CHECKPOINT,
        "unpacked": Kind.CHECKPOINT,
    }
    archive = entries["counter.tar.zst"]
    assert (archive.compression, archive.size) == ("zstd", 28329)
    assert archive.path == str(folder / "counter.tar.zst")


def test_an_archive_of_images_is_told_by_its_first_member(data: Path, folder: Path) -> None:
    for name in ("base-bb.oci.tar", "cri-podman.tar"):
        shutil.copy(data / "archives" / name, folder / name)
    found = {entry.name: entry.kind for entry in list_folder(str(folder), quiet())}
    images = {name for name, kind in found.items() if kind is Kind.IMAGE_ARCHIVE}
    assert images == {"base-bb.oci.tar"}
    with tarfile.open(folder / "saved.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("./" + "0f" * 32 + ".json"))
    found = {entry.name: entry.kind for entry in list_folder(str(folder), quiet())}
    assert found["saved.tar"] is Kind.IMAGE_ARCHIVE


def test_entries_come_lazily(folder: Path) -> None:
    progress = Progress()
    next(iter(list_folder(str(folder), progress)))
    assert progress.done < 10


def test_listing_can_be_cancelled(folder: Path) -> None:
    with pytest.raises(Cancelled):
        list(list_folder(str(folder), Progress(cancelled=lambda: True)))


def test_a_folder_that_is_absent_cannot_be_reached(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable):
        list(list_folder(str(tmp_path / "absent"), quiet()))


def test_a_folder_to_look_around_in_is_no_checkpoint_itself(folder: Path) -> None:
    assert is_folder_of_checkpoints(str(folder))
    (folder / "plain/core-1.img").touch()
    for name in ("plain", "layout", "images", "unpacked", "unpacked/..", "nowhere", "notes.txt"):
        assert is_folder_of_checkpoints(str(folder / name)) == (name == "unpacked/..")
    (folder / "none").mkdir()
    assert not is_folder_of_checkpoints(str(folder / "none"))
