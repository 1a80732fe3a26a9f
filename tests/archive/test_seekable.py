import io
import os
import shutil
import struct
import subprocess

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ckpt_tui.archive.seekable import SeekableZstdWindow, SeekableZstdWriter, Totals, seek_table
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import BytesWindow

PLAIN = b"".join(b"page %d\n" % number for number in range(20_000))


def packed(
    data: bytes, frame_size: int = 10_000, threads: int = 2, piece: int = 7777
) -> tuple[bytes, Totals]:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink, frame_size=frame_size, threads=threads) as writer:
        for start in range(0, len(data), piece):
            writer.write(data[start : start + piece])
        totals = writer.close()
    return sink.getvalue(), totals


def opened(data: bytes) -> SeekableZstdWindow:
    table = seek_table(BytesWindow(data))
    assert table is not None
    return SeekableZstdWindow(BytesWindow(data), table, "layer")


def test_any_range_is_read_back() -> None:
    data, totals = packed(PLAIN)
    window = opened(data)
    assert window.size == len(PLAIN) == totals.plain_size
    assert totals.packed_size == len(data)
    for offset, length in [(0, 10), (9_995, 10), (5, 50_000), (len(PLAIN) - 3, 99), (0, 1 << 40)]:
        assert window.read(offset, length) == PLAIN[offset : offset + length]
    assert window.read(len(PLAIN), 1) == b""


def test_one_read_touches_one_frame() -> None:
    class Counting(BytesWindow):
        count = 0

        def read(self, offset: int, length: int) -> bytes:
            self.count += length
            return super().read(offset, length)

    noise = os.urandom(100_000)
    data, _ = packed(noise)
    counting = Counting(data)
    table = seek_table(counting)
    assert table is not None
    window = SeekableZstdWindow(counting, table)
    counting.count = 0
    assert window.read(55_000, 100) == window.read(55_000, 100) == noise[55_000:55_100]
    assert 10_000 < counting.count < 11_000


def test_the_bytes_do_not_depend_on_threads_or_pieces() -> None:
    assert (
        len(
            {
                packed(PLAIN, threads=threads, piece=piece)[0]
                for threads in (1, 2, 5)
                for piece in (999, 10_000, 1 << 20)
            }
        )
        == 1
    )


@pytest.mark.parametrize("data", [b"", b"x", PLAIN], ids=["none", "one byte", "many frames"])
def test_any_zstd_decoder_reads_it(data: bytes) -> None:
    written, totals = packed(data)
    assert totals.frames == -(-len(data) // 10_000)
    stream = zstandard.ZstdDecompressor().stream_reader(written, read_across_frames=True)
    assert stream.read() == data
    if program := shutil.which("zstd"):
        run = subprocess.run([program, "-dc"], input=written, capture_output=True, check=True)
        assert run.stdout == data


def test_a_failing_sink_stops_the_writer() -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError(28, "No space left on device")

    with SeekableZstdWriter(Full()) as writer:
        writer.write(bytes(100))
        with pytest.raises(OSError, match="No space"):
            writer.close()


def test_at_most_two_frames_per_thread_wait() -> None:
    sink = io.BytesIO()
    with SeekableZstdWriter(sink, frame_size=1000, threads=2) as writer:
        writer.write(os.urandom(100_000))
        assert sink.tell() > 90_000


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[20:],
        lambda data: data[:-5] + b"\x7c" + data[-4:],
        lambda data: data[:-9] + struct.pack("<I", 1 << 31) + data[-5:],
        lambda data: data[:-9] + struct.pack("<I", 3) + data[-5:],
        lambda data: b"",
        lambda data: data[-9:],
    ],
)
def test_a_table_that_does_not_fit_the_file_is_no_table(change) -> None:  # type: ignore[no-untyped-def]
    assert seek_table(BytesWindow(change(packed(PLAIN)[0]))) is None


def _with_plain_size(data: bytes, size: int) -> bytes:
    """Change the plain size of the first frame in the table."""
    frames = struct.unpack_from("<I", data, len(data) - 9)[0]
    first = len(data) - 9 - 8 * frames
    return data[: first + 4] + struct.pack("<I", size) + data[first + 8 :]


@pytest.mark.parametrize("size", [9_999, 10_001, 16 << 20])
def test_a_frame_that_contradicts_the_table_is_damage(size: int) -> None:
    window = opened(_with_plain_size(packed(PLAIN[:15_000])[0], size))
    with pytest.raises(DamagedInput, match="contradicts"):
        window.read(0, 20_000)


def test_a_frame_that_states_an_absurd_size_is_not_believed() -> None:
    # A single segment with a content size of 8 bytes, one raw block of one byte.
    frame = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + b"\x09\x00\x00x"
    table = struct.pack("<II", len(frame), 1) + struct.pack("<IBI", 1, 0, 0x8F92EAB1)
    window = opened(frame + struct.pack("<II", 0x184D2A5E, len(table)) + table)
    with pytest.raises(DamagedInput, match="contradicts"):
        window.read(0, 1)


def test_frames_too_large_for_random_access_are_left_to_a_stream() -> None:
    assert seek_table(BytesWindow(_with_plain_size(packed(PLAIN)[0], (16 << 20) + 1))) is None


def test_a_damaged_frame_names_its_offset() -> None:
    data = bytearray(packed(PLAIN)[0])
    table = seek_table(BytesWindow(bytes(data)))
    assert table is not None
    data[table.packed[1] + 12] ^= 0xFF
    window = opened(bytes(data))
    assert window.read(0, 10_000) == PLAIN[:10_000]
    with pytest.raises(DamagedInput) as caught:
        window.read(10_000, 1)
    assert caught.value.offset == table.packed[1]


def test_tables_with_checksums_are_read() -> None:
    data, _ = packed(PLAIN[:15_000])
    frames = len(data) - 9 - 16
    one, two = struct.unpack_from("<II", data, frames), struct.unpack_from("<II", data, frames + 8)
    table = struct.pack("<IIIIII", *one, 1, *two, 2) + struct.pack("<IBI", 2, 0x80, 0x8F92EAB1)
    whole = data[: frames - 8] + struct.pack("<II", 0x184D2A5E, len(table)) + table
    assert opened(whole).read(9_999, 3) == PLAIN[9_999:10_002]


@settings(max_examples=60)
@given(data=st.binary(max_size=5000), frame_size=st.integers(1, 700), cut=st.integers(0, 6000))
def test_what_is_written_is_read_and_cuts_are_noticed(
    data: bytes, frame_size: int, cut: int
) -> None:
    written, _ = packed(data, frame_size, threads=1, piece=333)
    assert opened(written).read(0, len(data)) == data
    if cut < len(written):
        assert seek_table(BytesWindow(written[:cut])) is None


def test_an_ended_frame_lets_the_next_bytes_be_read_alone() -> None:
    packed = io.BytesIO()
    with SeekableZstdWriter(packed, frame_size=1000) as writer:
        writer.write(b"head")
        writer.end_frame()
        writer.end_frame()
        writer.write(b"x" * 1500)
        writer.end_frame()
        writer.write(b"tail")
        writer.close()
    window = BytesWindow(packed.getvalue())
    table = seek_table(window)
    assert table is not None
    assert list(table.plain) == [0, 4, 1004, 1504, 1508]
    assert SeekableZstdWindow(window, table).read(0, 2000) == b"head" + b"x" * 1500 + b"tail"
