"""Files that two containers wrote, compared by content."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import crafted
from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.checkpoint.bytediff import changed_bytes, differing
from ckpt_tui.checkpoint.delta import layer_entries
from ckpt_tui.checkpoint.file_differences import FileComparison, compare_files
from ckpt_tui.checkpoint.model import Delta
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import CHUNK, BytesWindow, FileWindow


def test_runs_are_what_a_byte_by_byte_look_finds() -> None:
    chosen = random.Random(7)
    for _ in range(200):
        left = chosen.randbytes(chosen.randrange(60))
        right = bytearray(left + chosen.randbytes(chosen.randrange(2) * chosen.randrange(9)))
        for _ in range(chosen.randrange(4)):
            if right:
                right[chosen.randrange(len(right))] ^= 0x40
        runs, count = differing(left, bytes(right))
        expected = {
            i
            for i in range(max(len(left), len(right)))
            if left[i : i + 1] != bytes(right[i : i + 1])
        }
        covered = {i for start, length in runs for i in range(start, start + length)}
        assert count == len(expected)
        assert expected <= covered
        assert all(start in expected and start + length - 1 in expected for start, length in runs)


def test_changed_bytes_are_found_within_pages() -> None:
    left, right = bytearray(3 * CHUNK), bytearray(3 * CHUNK)
    right[5000], right[CHUNK + 7] = 1, 2
    windows = BytesWindow(bytes(left)), BytesWindow(bytes(right))
    places = ((4096, 4096), (CHUNK, 4096))
    assert [*changed_bytes(*windows, places, CHUNK)] == [(5000, 1), (CHUNK + 7, 1)]
    assert [*changed_bytes(*windows, places, 4096)] == [(5000, 1)], "no more than was asked for"


def opened(path: Path, files: dict[str, bytes]) -> tuple[Delta, ArchiveTree]:
    crafted.tarred(path, files)
    descriptor = path.open("rb")
    tree = open_archive(FileWindow(descriptor.fileno()), path.name, quiet(), descriptor.close)
    return Delta("files", tuple(layer_entries(tree.members, None))), tree


@pytest.fixture
def compared(tmp_path: Path) -> FileComparison:
    big = bytes(CHUNK + 100)
    before = {"etc/same": b"x" * 50, "var/log": b"line 1\n", "big": big, "only": b"1"}
    after = {
        "etc/same": b"x" * 50,
        "var/log": b"line 1\nline 2\n",
        "big": big[:CHUNK] + b"\1" + big[CHUNK + 1 :],
        "other": b"",
    }
    one, other = opened(tmp_path / "1.tar", before), opened(tmp_path / "2.tar", after)
    try:
        return compare_files(one, other, quiet())
    finally:
        one[1].close()
        other[1].close()


def test_files_in_both_are_told_apart_by_their_bytes(compared: FileComparison) -> None:
    assert compared.same == 1
    assert {p.path: (p.changed, p.places) for p in compared.files} == {
        "/var/log": (7, ((7, 7),)),
        "/big": (1, ((CHUNK, 1),)),
    }
    log = compared.files[0]
    assert (log.before_ref, log.after_ref) == (Ref.delta(1), Ref.delta(1))


def test_a_delta_that_cannot_be_opened_is_a_problem_of_its_files(tmp_path: Path) -> None:
    one = opened(tmp_path / "1.tar", {"a": b"1"})
    try:
        found = compare_files(one, (one[0], None), quiet())
    finally:
        one[1].close()
    assert [pair.problem for pair in found.files] == [
        "/a is not among the changes that were saved."
    ]
