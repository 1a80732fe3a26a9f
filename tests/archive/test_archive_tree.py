import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from ckpt_tui.archive import archive_tree, spill
from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.seekable import SeekableZstdWriter
from ckpt_tui.archive.tree import ByteRange
from ckpt_tui.core.errors import Cancelled, CkptError, DamagedInput, NotACheckpoint
from ckpt_tui.core.paths import cache_dir
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from crafted import tar_of

LARGE = os.urandom(5 << 20)
MEMBERS = {
    "checkpoint/inventory.img": b"inventory",
    "checkpoint/pages-1.img": LARGE,
    "spec.dump": b"{}",
    "rootfs-diff.tar": LARGE[::-1],
    "empty": b"",
}


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data)


def seekable(data: bytes) -> bytes:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink) as writer:
        writer.write(data)
        writer.close()
    return sink.getvalue()


def fast_gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1)


TAR = tar_of(MEMBERS)
PACKED = {pack: pack(TAR) for pack in (bytes, zstd, seekable, fast_gzip)}


class Passes(BytesWindow):
    """Counts how often the window was read from its start."""

    passes = 0

    def read(self, offset: int, length: int) -> bytes:
        self.passes += offset == 0 and length > 1000
        return super().read(offset, length)


@pytest.mark.parametrize("pack", PACKED)
def test_every_member_is_read_whole_whatever_the_compression(
    pack: Callable[[bytes], bytes],
) -> None:
    tree = open_archive(BytesWindow(PACKED[pack]), "a.tar", quiet())
    assert list(tree.members) == list(MEMBERS)
    assert tree.notes == ()
    assert tree.plain_size == len(TAR)
    assert tree.packed_size == len(PACKED[pack])
    for name, data in MEMBERS.items():
        window = tree.window(name)
        assert window.size == tree.members[name].size == len(data)
        assert window.read(0, window.size) == data
        assert window.read(len(data) // 2, 100) == data[len(data) // 2 :][:100]
    tree.close()


def test_the_compression_is_told() -> None:
    kinds = [open_archive(BytesWindow(data), "a", quiet()).compression for data in PACKED.values()]
    assert kinds == ["plain", "zstd", "zstd", "gzip"]


def test_what_is_no_file_has_no_window() -> None:
    tree = open_archive(BytesWindow(PACKED[zstd]), "a.tar", quiet())
    with pytest.raises(KeyError):
        tree.window("checkpoint")


@pytest.mark.parametrize("pack", [zstd, fast_gzip])
def test_small_members_are_kept_from_the_first_pass(pack: Callable[[bytes], bytes]) -> None:
    window = Passes(PACKED[pack])
    tree = open_archive(window, "a.tar", quiet())
    assert tree.window("spec.dump").read(0, 9) == b"{}"
    assert window.passes == 1


def test_large_members_are_spilled_once() -> None:
    window = Passes(PACKED[zstd])
    tree = open_archive(window, "a.tar", quiet())
    pages = tree.window("checkpoint/pages-1.img")
    for offset in (4_000_000, 0, 77):
        assert pages.read(offset, 5000) == LARGE[offset : offset + 5000]
    assert tree.window("rootfs-diff.tar").read(5, 5) == LARGE[::-1][5:10]
    assert window.passes == 2
    assert list(cache_dir().iterdir()) == []  # the spill file has no name
    tree.close()


def test_preloaded_ranges_need_one_pass_and_no_file() -> None:
    window = Passes(PACKED[zstd])
    tree = open_archive(window, "a.tar", quiet())
    wanted = [
        ByteRange("checkpoint/pages-1.img", 4096, 4096),
        ByteRange("checkpoint/pages-1.img", 8192, 100),
        ByteRange("rootfs-diff.tar", (5 << 20) - 10, 1 << 40),
        ByteRange("spec.dump", 0, 2),
        ByteRange("absent", 0, 2),
    ]
    tree.preload(wanted, quiet())
    tree.preload(wanted[:2], quiet())
    pages = tree.window("checkpoint/pages-1.img")
    assert pages.read(5000, 3200) == LARGE[5000:8200]
    assert tree.window("rootfs-diff.tar").read((5 << 20) - 5, 99) == LARGE[:5][::-1]
    assert window.passes == 2
    assert not cache_dir().exists()


def test_preloading_more_than_fits_spills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spill, "MAX_PRELOAD", 1000)
    window = Passes(PACKED[zstd])
    tree = open_archive(window, "a.tar", quiet())
    tree.preload([ByteRange("rootfs-diff.tar", 0, 2000)], quiet())
    assert tree.window("checkpoint/pages-1.img").read(1, 1) == LARGE[1:2]
    assert window.passes == 2
    tree.close()


def test_a_cancelled_spill_can_be_tried_again() -> None:
    tree = open_archive(BytesWindow(PACKED[zstd]), "a.tar", quiet())
    everything = [ByteRange(name, 0, 1 << 40) for name in MEMBERS]
    with pytest.raises(Cancelled):
        tree.preload(everything, Progress(cancelled=lambda: True))
    assert tree.window("rootfs-diff.tar").read(0, 3) == LARGE[::-1][:3]
    tree.close()


def test_without_room_for_the_spill_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    tree = open_archive(BytesWindow(PACKED[zstd]), "a.tar", quiet())
    with pytest.raises(CkptError, match="XDG_CACHE_HOME"):
        tree.window("rootfs-diff.tar").read(0, 3)


def test_page_images_give_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_tree, "MAX_KEPT", 2500)
    members = {
        "checkpoint/pages-1.img": b"1" * 1000,
        "checkpoint/pages-2.img": b"2" * 1000,
        "checkpoint/mm-1.img": b"m" * 1000,
        "checkpoint/files.img": b"f" * 1000,
        "late": b"l" * 1000,
    }
    window = Passes(zstd(tar_of(members)))
    tree = open_archive(window, "a.tar", quiet())
    for name in ("checkpoint/mm-1.img", "checkpoint/files.img"):
        assert tree.window(name).read(0, 2000) == members[name]
    assert window.passes == 1
    for name, data in members.items():
        assert tree.window(name).read(0, 2000) == data
    assert window.passes == 2
    tree.close()


def test_of_equal_names_the_last_is_read() -> None:
    data = tar_of({"a": b"old", "b": LARGE})[: -10240 + 512 * 17]
    both = data[: 1024 + 512 + len(LARGE)] + tar_of({"a": LARGE, "b": b"new"})
    for pack in (bytes, zstd):
        tree = open_archive(BytesWindow(pack(both)), "a.tar", quiet())
        assert tree.window("a").read(0, 9) == LARGE[:9]
        assert tree.window("b").read(0, 9) == b"new"
        assert len(tree.notes) == 2
        tree.close()


def _sound(tree: ArchiveTree, whole: dict[str, bytes]) -> None:
    for name, member in tree.members.items():
        window = tree.window(name)
        assert window.size == member.size
        assert window.read(0, 1 << 30) == whole[name][: member.size]


@pytest.mark.parametrize("pack", [zstd, fast_gzip, bytes])
def test_a_cut_archive_keeps_what_is_before_the_cut(pack: Callable[[bytes], bytes]) -> None:
    data = PACKED[pack]
    for cut in (len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) - 11_000):
        tree = open_archive(BytesWindow(data[:cut]), "a.tar", quiet())
        assert 2 <= len(tree.members) < 6
        assert tree.notes
        _sound(tree, MEMBERS)
        tree.close()


def test_a_small_member_that_is_cut_is_shortened() -> None:
    members = {"a": b"1" * 100, "b": os.urandom(300_000)}
    data = zstd(tar_of(members))
    tree = open_archive(BytesWindow(data[: len(data) // 2]), "a.tar", quiet())
    assert 0 < tree.members["b"].size < 300_000
    _sound(tree, members)
    assert "too early" in tree.notes[0]
    assert f"{tree.members['b'].size:,} of its 300,000 bytes" in tree.notes[1]


def test_a_damaged_checksum_at_the_end_is_noted() -> None:
    data = bytearray(PACKED[zstd])
    data[-1] ^= 1
    tree = open_archive(BytesWindow(bytes(data)), "a.tar", quiet())
    assert len(tree.members) == 5
    assert "damaged" in tree.notes[0]


@pytest.mark.parametrize("pack", [zstd, fast_gzip, seekable])
def test_compressed_bytes_that_are_no_tar_are_refused(pack: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NotACheckpoint, match="not a tar archive"):
        open_archive(BytesWindow(pack(b"hello " * 1000)), "a.gz", quiet())


def test_damage_before_the_first_member_is_an_error() -> None:
    with pytest.raises(DamagedInput, match="too early"):
        open_archive(BytesWindow(PACKED[zstd][:100]), "a.zst", quiet())


def test_opening_can_be_cancelled() -> None:
    for data in PACKED.values():
        with pytest.raises(Cancelled):
            open_archive(BytesWindow(data), "a", Progress(cancelled=lambda: True))


def test_closing_lets_go_of_the_window() -> None:
    closed = []
    open_archive(BytesWindow(TAR), "a", quiet(), close=lambda: closed.append(1)).close()
    assert closed == [1]


def test_a_real_podman_archive_opens(data: Path) -> None:
    window = BytesWindow((data / "archives/counter.tar.zst").read_bytes())
    tree = open_archive(window, "counter.tar.zst", quiet())
    assert len(tree.members) == 36
    assert tree.notes == ()
    assert tree.window("checkpoint/inventory.img").read(0, 4) == b"\x16\x31\x31\x58"
    assert tree.members["checkpoint"].mode == 0o600
