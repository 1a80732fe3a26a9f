"""The index of a checkpoint: built once, and gone with it."""

from __future__ import annotations

import dataclasses
import gc
from pathlib import Path
from typing import Any

import pytest

from ckpt_tui.checkpoint import index
from ckpt_tui.checkpoint.filetable import file_table
from ckpt_tui.checkpoint.index import PATH_KINDS, index_of
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.views.details import count_line
from crafted import copied, rewrite


def loaded(folder: Path) -> Checkpoint:
    opened = open_checkpoint(str(folder), quiet())
    try:
        return opened.load(quiet())
    finally:
        opened.close()


def test_everything_is_found_by_its_key(data: Path) -> None:
    checkpoint = loaded(data / "images/kinds")
    found = index_of(checkpoint)
    assert found.open_file(9, 10) == next(f for f in checkpoint.files if (f.pid, f.fd) == (9, 10))
    region = checkpoint.memory[1].regions[3]
    assert found.mapped(region.pid, region.start) is region
    assert {p.pid for p in found.children[1]} == {9, 10, 11}
    assert found.open_file(9, 999) is None
    assert found.mapped(9, 1) is None


def test_the_mount_of_a_file_is_one_of_its_own_namespace(data: Path) -> None:
    checkpoint = loaded(data / "images/kinds")
    file = next(f for f in checkpoint.files if f.target == "/dev/null")
    mount = index_of(checkpoint).mount_of(file)
    assert mount is not None
    assert mount.mountpoint == "/dev"


def test_a_deleted_file_is_found_by_its_path_and_by_its_image(data: Path) -> None:
    found = index_of(loaded(data / "images/kinds")).files
    assert found.ghosts_at("/tmp/ghost") == ["ghost-file-1.img"]
    assert found.ghosts_at("/dev/null") == []
    assert {(f.pid, f.fd) for f in found.of_ghost("ghost-file-1.img")} == {
        (pid, 12) for pid in (1, 9, 10, 11)
    }


def test_an_index_is_built_once_and_goes_with_its_checkpoint(data: Path) -> None:
    checkpoint = loaded(data / "images/counter")
    before = len(index._BUILT)
    assert index_of(checkpoint) is index_of(checkpoint)
    assert index_of(dataclasses.replace(checkpoint)) is not index_of(checkpoint)
    del checkpoint
    gc.collect()
    assert len(index._BUILT) <= before


def test_a_socket_that_two_descriptors_hold_counts_once(tmp_path: Path) -> None:
    folder = copied("sockets", tmp_path)
    before = index_of(loaded(folder))

    def duplicate(descriptors: list[Any]) -> None:
        for entry in [*descriptors]:
            descriptors.append(type(entry).FromString(entry.SerializeToString()))
            descriptors[-1].fd += 100

    rewrite(next(folder.glob("fdinfo-*.img")), duplicate)
    checkpoint = loaded(folder)
    after = index_of(checkpoint)
    assert len(checkpoint.sockets) == 2 * len(before.sockets)
    assert (after.open_sockets, after.established) == (len(before.sockets), 2)
    assert "34 descriptors, 11 sockets" in count_line(checkpoint)


@pytest.mark.parametrize("name", ["kinds", "sockets", "counter"])
def test_what_is_looked_up_in_the_images_is_what_a_walk_finds(data: Path, name: str) -> None:
    checkpoint = loaded(data / "images" / name)
    found = index_of(checkpoint)
    files, sockets = list(checkpoint.files), list(checkpoint.sockets)
    places = {(file.pid, file.fd): number for number, file in enumerate(files)}
    ports = {(socket.pid, socket.fd): number for number, socket in enumerate(sockets)}
    for file in (*files, dataclasses.replace(files[0], target="/nowhere")):
        key = (file.pid, file.fd)
        assert found.file.get(key) == places[key]
        assert found.socket.get(key) == ports.get(key)
        alike = [f for f in files if f.object_id == file.object_id]
        assert found.files.leading_to(file.object_id) == alike
        there = [f for f in files if f.target == file.target and f.kind in PATH_KINDS]
        assert found.files.at_path(file.target) == there
        on_mount = [f for f in files if f.mount_id == file.mount_id]
        assert file.mount_id is None or found.on_mount.get(file.mount_id) == on_mount
    for process in checkpoint.processes:
        assert found.files.of(process.pid) == [f for f in files if f.pid == process.pid]
    for socket in sockets:
        ends = (socket.protocol, socket.local, socket.remote)
        same = [s for s in sockets if s.remote and (s.protocol, s.local, s.remote) == ends]
        assert found.ends.get(ends, []) == same
        assert socket in found.inodes.get(socket.inode, ())
    assert found.deleted == sum(file.deleted for file in checkpoint.files)
    assert found.established == sum(s.state == "ESTABLISHED" for s in checkpoint.sockets)
    assert (1, 999) not in found.file
    assert found.file.get((1 << 40, 1 << 40)) is None


def test_the_files_are_read_once(data: Path) -> None:
    opened = open_checkpoint(str(data / "images/counter"), quiet())
    assert file_table(opened.images) is file_table(opened.images)
    opened.close()
