"""Every damaged frame of an archive is found, and what has no checksum is said."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator

import pytest
import zstandard

from ckpt_tui.archive.seekable import SeekableZstdWriter, seek_table
from ckpt_tui.archive.soundness import Soundness, check_archive, check_read
from ckpt_tui.core.window import BytesWindow, chunks
from crafted import tar_of

DATA = random.Random(13).randbytes(50_000)
TAR = tar_of({"checkpoint/pages-1.img": DATA, "config.dump": b"{}" * 99})


def seekable(frame_size: int) -> bytes:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink, frame_size=frame_size) as writer:
        writer.write(TAR)
        writer.close()
    return sink.getvalue()


def check(data: bytes, piece: int = 1000) -> Soundness:
    window = BytesWindow(data)
    return check_archive(chunks(window, piece), len(data), "x", seek_table(window))


def flipped(data: bytes, offset: int) -> bytes:
    return data[:offset] + bytes([data[offset] ^ 4]) + data[offset + 1 :]


@pytest.mark.parametrize("piece", [1, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("packed", "checksum"),
    [
        (seekable(8192), "zstd"),
        (zstandard.ZstdCompressor(write_checksum=True).compress(TAR), "zstd"),
        (zstandard.ZstdCompressor(write_checksum=False).compress(TAR), ""),
        (gzip.compress(TAR), "gzip"),
        (TAR, ""),
    ],
    ids=["seekable", "zstd", "zstd without checksums", "gzip", "plain"],
)
def test_a_sound_archive_has_no_fault(packed: bytes, checksum: str, piece: int) -> None:
    assert check(packed, piece) == Soundness((), checksum)
    assert check_read(chunks(BytesWindow(packed), piece), len(packed)).checksum == checksum


def test_every_damaged_frame_is_found_by_its_number_and_byte() -> None:
    packed = seekable(8192)
    table = seek_table(BytesWindow(packed))
    assert table is not None
    starts = list(table.packed[:-1])
    assert len(starts) == 8
    for number, start in enumerate(starts):
        middle = (start + table.packed[number + 1]) // 2
        (fault,) = check(flipped(packed, middle)).faults
        assert (fault.offset, fault.text.partition(":")[0]) == (start, f"frame {number}")
    twice = flipped(flipped(packed, starts[1] + 50), starts[5] + 50)
    assert [fault.offset for fault in check(twice).faults] == [starts[1], starts[5]]


@pytest.mark.parametrize(
    "pack", [gzip.compress, zstandard.ZstdCompressor(write_checksum=True).compress]
)
def test_a_flipped_bit_of_the_content_is_found(pack: object) -> None:
    packed = pack(TAR)  # type: ignore[operator]
    for offset in range(100, len(packed), len(packed) // 20):
        assert check(flipped(packed, offset)).faults, offset


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress, bytes])
def test_a_cut_archive_is_found(pack: object) -> None:
    packed = pack(TAR)  # type: ignore[operator]
    assert check(packed[: len(packed) // 2]).faults


def test_a_damaged_header_of_a_plain_archive_is_found() -> None:
    offset = TAR.index(b"config.dump")
    assert "config" not in str(check(TAR).faults)
    assert check(flipped(TAR, offset)).faults


def test_what_cannot_be_read_is_raised() -> None:
    def broken() -> Iterator[bytes]:
        yield TAR[:1000]
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        check_archive(broken(), len(TAR), "x", None)
