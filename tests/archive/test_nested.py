"""Archives inside archives."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
import zstandard

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.nested import read_nested
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow


def tar_of(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


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
