"""Data outside of memory, found in real checkpoints and in damaged ones."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.items import Item, Recovered
from ckpt_tui.checkpoint.recovered import recover
from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.opened import open_checkpoint


@contextmanager
def recovered(target: Path) -> Iterator[Recovered]:
    opened = open_checkpoint(str(target), quiet())
    checkpoint = opened.load(quiet())
    found = recover(opened.tree, opened.images, opened.memory, checkpoint, quiet())
    try:
        yield found
    finally:
        found.close()
        opened.close()


def told(item: Item) -> tuple[str, str, int, bytes]:
    return item.kind, item.name, item.size, item.window.read(0, 10)


def test_unread_bytes_of_pipes_and_sockets_have_names_and_holders(data: Path) -> None:
    with recovered(data / "images/sockets") as found:
        assert [told(item) for item in found.items] == [
            ("fifo", "/tmp/fifo", 9, b"fifo data"),
            ("pipe", "pipe 590492", 9, b"pipe data"),
            ("unix socket", "/tmp/srv.sock", 6, b"queued"),
            ("TCP unread", "127.0.0.1:8080 → 127.0.0.1:37084", 9, b"in flight"),
        ]
        assert [item.holders for item in found.items] == [
            ((1, 16),),
            ((1, 14), (1, 15)),
            ((1, 10),),
            ((1, 5),),
        ]
        assert not found.notes


def test_deleted_files_memfds_and_ipc_are_found(data: Path) -> None:
    with recovered(data / "images/kinds") as found:
        items = {item.name: item for item in found.items}
        ghost = items["/tmp/ghost"]
        assert told(ghost) == ("deleted file", "/tmp/ghost", 1300, b"gone but o")
        assert ghost.holders[0] == (1, 12)
        assert told(items["/memfd:scratch"])[2:] == (10000, b"memfd data")
        assert items["/memfd:/dev/zero"].window.read(0, 6) == b"shared"
        assert items["key 0x1235, id 0"].size == 6


def test_what_is_only_partly_dumped_says_so(data: Path) -> None:
    with recovered(data / "images/kinds") as found:
        shared = next(item for item in found.items if item.name == "/memfd:/dev/zero")
        assert shared.size == 1 << 20
        assert "8,192 bytes of it are in the dump" in shared.note
        assert shared.window.read(shared.size - 4, 9) == bytes(4)


def test_files_of_tmpfs_mounts_are_listed_with_their_place(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    shutil.copytree(data / "images/sockets", folder)
    packed = folder / "tmpfs-dev-50.tar.gz.img"
    with tarfile.open(packed, "w:gz") as archive:
        member = tarfile.TarInfo("shm/state")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"hello"))
    with recovered(folder) as found:
        item = next(item for item in found.items if item.kind == "tmpfs file")
        assert told(item) == ("tmpfs file", "/dev/shm/state", 5, b"hello")
        assert item.source == packed.name


def test_damage_in_one_image_leaves_the_others(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    shutil.copytree(data / "images/sockets", folder)
    for name in ("pipes-data.img", "tmpfs-dev-50.tar.gz.img"):
        path = folder / name
        path.write_bytes(path.read_bytes()[:-4])
    with recovered(folder) as found:
        kinds = [item.kind for item in found.items]
        assert "fifo" in kinds
        assert "pipe" not in kinds
        assert "tmpfs-dev-50.tar.gz.img" in {note.where for note in found.notes}


def test_it_can_be_cancelled(data: Path) -> None:
    opened = open_checkpoint(str(data / "images/sockets"), quiet())
    checkpoint = opened.load(quiet())
    with pytest.raises(Cancelled):
        recover(
            opened.tree,
            opened.images,
            opened.memory,
            checkpoint,
            Progress(cancelled=lambda: True),
        )
    opened.close()
