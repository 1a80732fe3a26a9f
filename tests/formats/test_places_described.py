"""What files of a folder are, by what is in them."""

from __future__ import annotations

import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.catalogue import children, place_at
from ckpt_tui.formats.entries import Entry
from ckpt_tui.formats.places.described import described


def in_folder(folder: Path, progress: Progress | None = None) -> dict[str, Entry]:
    listed = children(place_at(str(folder)), quiet())
    return {entry.name: described(entry, progress or quiet()) for entry in listed}


def test_archives_name_their_engine_container_and_time_of_the_dump(data: Path) -> None:
    found = in_folder(data / "archives")
    podman, crio = found["counter.tar.zst"], found["cri-crio.tar"]
    assert (podman.content, podman.engine, podman.container) == ("checkpoint", "podman", "counter")
    assert podman.created == datetime(2026, 11, 24, 3, 1, 46, tzinfo=UTC)
    assert (crio.engine, crio.namespace, crio.pod) == ("cri-o", "default", "p-counter")
    assert found["cri-containerd-cri.tar"].engine == "containerd"
    assert found["base-bb.oci.tar"].content == "image"
    assert not any(entry.problem or entry.note for entry in found.values())


def test_metadata_at_the_end_of_a_compressed_archive_is_found_too(
    data: Path, tmp_path: Path
) -> None:
    with (
        tarfile.open(data / "archives/cri-crio.tar") as old,
        tarfile.open(tmp_path / "web.tgz", "w:gz") as new,
    ):
        for member in old:
            new.addfile(member, old.extractfile(member) if member.isreg() else None)
    assert in_folder(tmp_path)["web.tgz"].pod == "p-counter"


def test_of_a_compressed_archive_of_podman_only_the_beginning_is_read(
    data: Path, tmp_path: Path
) -> None:
    archive = data / "archives/rootfs.tar.zst"
    shutil.copy(archive, tmp_path / "a.tar.zst")
    progress = Progress()
    assert in_folder(tmp_path, progress)["a.tar.zst"].container == "rootfs"
    assert progress.done < archive.stat().st_size / 2


def test_empty_cut_and_other_files_that_are_called_archives_are_named(
    data: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.tar").touch()
    (tmp_path / "text.tar.gz").write_text("no archive")
    (tmp_path / "cut.tar").write_bytes((data / "archives/cri-crio.tar").read_bytes()[:9000])
    (tmp_path / "notes.txt").write_text("none of them")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "notes.txt", "notes.txt")
    problems = {name: str(entry.problem) for name, entry in in_folder(tmp_path).items()}
    assert problems["empty.tar"] == "empty.tar is empty."
    assert problems["text.tar.gz"] == "text.tar.gz is not a tar archive."
    assert "The archive is cut" in problems["cut.tar"]
    assert problems["other.tar"] == "other.tar holds no checkpoint."
    assert "notes.txt" not in problems


@pytest.mark.parametrize("count", [1, 2])
def test_a_layout_is_its_only_image_or_says_how_many_there_are(
    data: Path, tmp_path: Path, count: int
) -> None:
    layout = tmp_path / "store"
    shutil.copytree(data / "ctr-counter", layout)
    index = layout / "index.json"
    one = index.read_text()
    start, end = one.index("["), one.rindex("]")
    entries = ",".join([one[start + 1 : end]] * count)
    index.write_text(f"{one[: start + 1]}{entries}{one[end:]}")
    entry = in_folder(tmp_path)["store"]
    assert (entry.engine, entry.note) == (("containerd", "") if count == 1 else ("", "2 images"))
