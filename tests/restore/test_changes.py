"""The changes of a container, written over a root: none of them outside of it."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.restore.changes import apply_changes, delete


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root, with a file outside of it that links in it lead to."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("kept")
    root = tmp_path / "root"
    (root / "etc/old").mkdir(parents=True)
    (root / "etc/old/file").write_text("old")
    (root / "link").symlink_to(tmp_path / "outside")
    return root


@pytest.fixture
def opened(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def member(name: str, text: str = "", **facts: object) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    found.uid, found.gid = os.getuid(), os.getgid()
    data = text.encode()
    found.size = len(data)
    for key, value in facts.items():
        setattr(found, key, value)
    return found, data


def write(root: int, *members: tuple[tarfile.TarInfo, bytes]) -> tuple[str, ...]:
    """Write these members below the root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one, data in members:
            tar.addfile(one, io.BytesIO(data))
    tree = open_archive(BytesWindow(packed.getvalue()), "rootfs-diff.tar", quiet())
    return apply_changes(root, tree, quiet())


def test_files_folders_and_links_are_written(root: Path, opened: int) -> None:
    write(
        opened,
        member("new", type=tarfile.DIRTYPE, mode=0o1777, mtime=5),
        member("new/file", "text", mode=0o4755, mtime=7),
        member("new/hard", type=tarfile.LNKTYPE, linkname="new/file"),
        member("new/soft", type=tarfile.SYMTYPE, linkname="/etc"),
        member("new/fifo", type=tarfile.FIFOTYPE, mode=0o600),
        member("implied/file", "x"),
        member("etc/old", "a file instead of a folder"),
    )
    assert (root / "new").stat().st_mode & 0o7777 == 0o1777
    assert ((root / "new").stat().st_mtime, (root / "new/file").stat().st_mtime) == (5, 7)
    assert (root / "new/file").stat().st_mode & 0o7777 == 0o4755
    assert (root / "new/hard").read_text() == "text"
    assert (root / "new/soft").readlink() == Path("/etc")
    assert (root / "new/fifo").is_fifo()
    assert (root / "implied").stat().st_mode & 0o7777 == 0o755
    assert (root / "etc/old").read_text() == "a file instead of a folder"


def test_a_sparse_file_has_its_size(root: Path, opened: int) -> None:
    zeros = "\0" * (3 << 20)
    write(opened, member("sparse", zeros))
    assert (root / "sparse").read_bytes() == zeros.encode()


def test_a_layer_deletes(root: Path, opened: int) -> None:
    write(opened, member("etc/old/.wh..wh..opq"), member("etc/old/new", "x"), member(".wh.link"))
    assert [path.name for path in (root / "etc/old").iterdir()] == ["new"]
    assert not (root / "link").is_symlink()


def test_deleted_paths_are_deleted(root: Path, opened: int, tmp_path: Path) -> None:
    delete(opened, ["/etc/old", "/gone", "/gone/below", "../outside", "/", ""])
    assert not (root / "etc/old").exists()
    assert (tmp_path / "outside/kept").read_text() == "kept"


def test_nothing_is_written_through_a_link(opened: int, tmp_path: Path) -> None:
    with pytest.raises(CkptError, match="link/evil cannot be written"):
        write(opened, member("link/evil", "x"))
    with pytest.raises(CkptError, match="hard cannot be written"):
        write(opened, member("hard", type=tarfile.LNKTYPE, linkname="link/kept"))
    delete(opened, ["/link/kept"])
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["kept"]


def test_a_link_is_replaced_and_not_followed(root: Path, opened: int, tmp_path: Path) -> None:
    write(opened, member("link", "a file now"))
    assert (root / "link").read_text() == "a file now"
    assert (tmp_path / "outside/kept").read_text() == "kept"


def test_devices_are_left_out(root: Path, opened: int) -> None:
    notes = write(opened, member("sda", type=tarfile.BLKTYPE, devmajor=8, devminor=0))
    assert notes == ("sda is a device and was left out.",)
    assert not (root / "sda").exists()
