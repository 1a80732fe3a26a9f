import contextlib
import gzip
import io
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_tui.archive.compression import FrameScan, PlainStream, decompressed, sniff
from ckpt_tui.core.errors import Cancelled, DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow

PLAIN = b"".join(b"%d bottles\n" % number for number in range(30_000))


def one_frame(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def streamed(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zstandard.ZstdCompressor(level=1).stream_writer(sink, closefd=False) as writer:
        writer.write(data)
    return sink.getvalue()


def two_frames(data: bytes) -> bytes:
    skippable = (0x184D2A53).to_bytes(4, "little") + (5).to_bytes(4, "little") + b"aside"
    return one_frame(data[:999]) + skippable + streamed(data[999:])


def two_members(data: bytes) -> bytes:
    return gzip.compress(data[:999]) + gzip.compress(data[999:])


PACKERS = [one_frame, streamed, two_frames, gzip.compress, two_members]


def everything(stream: PlainStream) -> bytes:
    parts = []
    buffer = memoryview(bytearray(70_000))
    while count := stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


def unpacked(data: bytes) -> bytes:
    return everything(decompressed(BytesWindow(data), sniff(data), quiet(), "a.tar"))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\x50\x2a\x4d\x18", "zstd"),
        (b"\x5f\x2a\x4d\x18", "zstd"),
        (b"\x60\x2a\x4d\x18", "plain"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x1f", "plain"),
        (b"", "plain"),
    ],
)
def test_the_first_bytes_tell_the_compression(head: bytes, kind: str) -> None:
    assert sniff(head) == kind


@pytest.mark.parametrize("pack", [*PACKERS, bytes])
def test_every_frame_and_member_is_read(pack: Callable[[bytes], bytes]) -> None:
    assert unpacked(pack(PLAIN)) == PLAIN


@pytest.mark.parametrize("pack", PACKERS)
def test_a_cut_stream_is_not_taken_for_the_end(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(PLAIN)
    for length in [5, 8, 12, len(packed) // 2, len(packed) - 5, len(packed) - 1]:
        with pytest.raises(DamagedInput) as caught:
            unpacked(packed[:length])
        assert caught.value.file == "a.tar"


@pytest.mark.parametrize("pack", PACKERS)
def test_a_changed_byte_is_damage(pack: Callable[[bytes], bytes]) -> None:
    packed = bytearray(pack(PLAIN))
    packed[len(packed) // 2 : len(packed) // 2 + 4] = b"\xff\x00\xff\x00"
    with contextlib.suppress(DamagedInput):  # a frame without a checksum may still decode
        assert unpacked(bytes(packed)) != PLAIN


def test_what_follows_the_last_frame_is_damage() -> None:
    with pytest.raises(DamagedInput):
        unpacked(one_frame(PLAIN) + b"garbage")


def test_a_frame_that_wants_all_memory_is_refused() -> None:
    # Magic, no single segment, a window of 2 ** (10 + 18) bytes, one raw block of one byte.
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, 18 << 3]) + b"\x09\x00\x00" + b"x"
    with pytest.raises(DamagedInput, match="memory"):
        unpacked(frame)


def test_a_bomb_is_read_in_pieces() -> None:
    bomb = one_frame(bytes(64 << 20))
    stream = decompressed(BytesWindow(bomb), "zstd", quiet())
    assert stream.readinto(memoryview(bytearray(1000))) == 1000


def test_progress_counts_compressed_bytes() -> None:
    packed = one_frame(PLAIN)
    progress = Progress()
    everything(decompressed(BytesWindow(packed), "zstd", progress))
    assert progress.done == len(packed)


@pytest.mark.parametrize("pack", [one_frame, gzip.compress])
def test_reading_can_be_cancelled(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(PLAIN)
    progress = Progress(cancelled=lambda: True)
    with pytest.raises(Cancelled):
        everything(decompressed(BytesWindow(packed), sniff(packed), progress))


@given(cut=st.integers(min_value=0), step=st.integers(min_value=1, max_value=5000))
def test_frames_are_followed_in_any_pieces(cut: int, step: int) -> None:
    packed = two_frames(PLAIN)
    ends = {0, len(one_frame(PLAIN[:999])), len(one_frame(PLAIN[:999])) + 13, len(packed)}
    cut %= len(packed) + 1
    scan = FrameScan()
    for start in range(0, cut, step):
        scan.feed(packed[start : min(start + step, cut)])
    assert scan.complete == (cut in ends)


@settings(max_examples=200)
@given(data=st.binary(max_size=600), magic=st.sampled_from([b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"]))
def test_any_bytes_are_data_or_damage(data: bytes, magic: bytes) -> None:
    with contextlib.suppress(DamagedInput):
        unpacked(magic + data)


def test_a_gzip_header_without_end_is_damage() -> None:
    packed = gzip.compress(PLAIN)
    named = packed[:3] + b"\x08" + packed[4:10] + b"n" * (600 << 10) + b"\0" + packed[10:]
    with pytest.raises(DamagedInput, match="header"):
        unpacked(named)
