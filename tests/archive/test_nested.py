"""Archives inside archives."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
import zstandard

from ckpt_tui.archive import header_window
from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.header_window import MAX_KEPT_HEADERS
from ckpt_tui.archive.nested import read_nested
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from crafted import tar_of

LARGE = os.urandom(5 << 20)
"""More than an archive keeps of one member."""


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "zstd"])
def test_members_of_a_nested_archive_are_listed(packed: bool) -> None:
    inner = tar_of({"etc/motd": b"hello", "data/large": LARGE})
    outer = tar_of({"config.dump": b"{}", "rootfs-diff.tar": inner})
    data = zstandard.compress(outer) if packed else outer
    tree = open_archive(BytesWindow(data), "archive", quiet())
    found = read_nested(tree, "rootfs-diff.tar", quiet())
    assert {n: m.size for n, m in found.members.items()} == {
        "etc/motd": 5,
        "data/large": len(LARGE),
    }
    tree.close()


def test_no_spill_file_is_made_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = tar_of({"rootfs-diff.tar": tar_of({"data/large": LARGE})})
    tree = open_archive(BytesWindow(zstandard.compress(outer)), "archive", quiet())
    assert tree.spills("rootfs-diff.tar")
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")  # a spill file could not be made there
    assert Path(cache_dir()).parent == Path("/proc/none")
    assert list(read_nested(tree, "rootfs-diff.tar", quiet()).members) == ["data/large"]


def test_what_is_no_archive_is_an_error_and_no_crash() -> None:
    outer = tar_of({"rootfs-diff.tar": LARGE})
    tree = open_archive(BytesWindow(zstandard.compress(outer)), "archive", quiet())
    with pytest.raises(CkptError, match=r"rootfs-diff\.tar"):
        read_nested(tree, "rootfs-diff.tar", quiet())


class Counted(BytesWindow):
    """Bytes that count how often they are read."""

    reads = 0

    def read(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return super().read(offset, length)


def with_long_names() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("a", "b" * 300, "c" * 150, "d"):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(LARGE) // 3, 0o4755
            archive.addfile(info, io.BytesIO(LARGE))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "e" * 200
        archive.addfile(link)
    return out.getvalue()


@pytest.mark.parametrize("room", [0, MAX_KEPT_HEADERS], ids=["a pass", "kept"])
def test_headers_that_were_kept_save_a_pass_and_say_the_same(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_window, "MAX_KEPT_HEADERS", room)
    inner = with_long_names()
    window = Counted(zstandard.compress(tar_of({"x.tar": inner, "after": b"1"})))
    tree = open_archive(window, "archive", quiet())
    before = window.reads
    found = read_nested(tree, "x.tar", quiet())
    assert (window.reads == before) == (room > 0)
    assert found.members == open_archive(BytesWindow(inner), "inner", quiet()).members
    assert tree.window("after").read(0, 9) == b"1"


def test_a_window_of_headers_has_zeros_for_data() -> None:
    inner = tar_of({"a": LARGE, "b": b"x" * 700})
    outer = tar_of({"x.tar": inner})
    tree = open_archive(BytesWindow(zstandard.compress(outer)), "archive", quiet())
    kept = tree.headers("x.tar")
    assert kept is not None
    assert kept.size == len(inner)
    second = 512 + len(LARGE)
    expected = bytearray(len(inner))
    for start in (0, second):
        expected[start : start + 512] = inner[start : start + 512]
    for offset, length in (
        (0, len(inner)),
        (100, 600),
        (second - 3, 9),
        (second + 600, 99),
        (7, 0),
    ):
        assert kept.read(offset, length) == expected[offset : offset + length]


@pytest.mark.parametrize("tail", [b"", b"\1" * 512], ids=["cut", "damaged"])
def test_headers_of_a_damaged_archive_are_not_kept(tail: bytes) -> None:
    inner = tar_of({"a": LARGE})[: 512 + len(LARGE)] + tail
    tree = open_archive(
        BytesWindow(zstandard.compress(tar_of({"x.tar": inner}))), "archive", quiet()
    )
    assert tree.headers("x.tar") is None
    assert list(read_nested(tree, "x.tar", quiet()).members) == ["a"]
    tree.close()
