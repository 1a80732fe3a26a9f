"""Framing: heads, records, and what follows a message."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest
from criu_images import REAL, image, kind_named, label, word
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.frames import Frame, HeadForm, read_frames, read_head
from ckpt_tui.criu.kinds import COMMON_MAGIC, KINDS, RECORDS, Kind, kind_of
from ckpt_tui.criu.schema import files_pb2, ipc_pb2, sockets_pb2


def frames(data: bytes, kind: Kind | str | None, name: str = "x.img") -> list[Frame]:
    kind = kind_named(kind) if isinstance(kind, str) else kind
    return list(read_frames(BytesWindow(data), name, kind, quiet()))


def written(data: bytes, found: list[Frame], kind: Kind) -> bytes:
    """Write frames back as they were read."""
    head = read_head(BytesWindow(data), kind)
    parts = [data[: head.offset]]
    for frame in found:
        parts += [word(frame.size, head.byte_order), frame.payload]
        parts += [data[frame.extra_offset : frame.extra_offset + frame.extra_size]]
    return b"".join(parts)


@pytest.mark.parametrize("path", REAL, ids=label)
def test_every_byte_of_a_real_image_is_in_a_frame(path: Path) -> None:
    data = path.read_bytes()
    found = kind_of(path.name)
    assert found is not None
    if found[0].format in RECORDS:
        assert written(data, frames(data, found[0]), found[0]) == data


def test_the_head_tells_version_and_byte_order() -> None:
    def head(data: bytes) -> tuple[HeadForm, str, int]:
        found = read_head(BytesWindow(data))
        return found.form, found.byte_order, found.offset

    assert head(image("PSTREE")) == (HeadForm.V1_1, "little", 8)
    assert head(image("PSTREE", version=1)) == (HeadForm.V1_0, "little", 4)
    assert head(image("PSTREE", order="big")) == (HeadForm.V1_1, "big", 8)
    assert head(image("PSTREE", order="big", version=1)) == (HeadForm.V1_0, "big", 4)
    assert head(image("INVENTORY", version=1)) == (HeadForm.INVENTORY, "little", 4)
    assert head(word(0x55105940) + word(0x57093306)) == (HeadForm.SERVICE, "little", 8)
    assert head(word(COMMON_MAGIC)) == (HeadForm.NONE, "little", 0)


def test_a_record_without_bytes_is_a_record() -> None:
    assert [frame.size for frame in frames(image("SECCOMP", word(0)), "SECCOMP")] == [0]


def test_a_truncated_record_reports_its_offset_after_the_records_before() -> None:
    entry = files_pb2.fs_entry(cwd_id=1)
    data = image("FDINFO", entry, word(99) + b"abc")
    found = read_frames(BytesWindow(data), "fdinfo-2.img", kind_named("FDINFO"), quiet())
    assert next(found).offset == 8
    with pytest.raises(DamagedInput) as caught:
        next(found)
    assert (caught.value.file, caught.value.offset) == ("fdinfo-2.img", len(data) - 3)
    assert "99 bytes" in str(caught.value)
    assert "3 are left" in str(caught.value)


def test_a_length_of_four_gigabytes_is_not_believed() -> None:
    with pytest.raises(DamagedInput):
        frames(image("PSTREE", b"\xff" * 8), "PSTREE")


def test_an_image_under_a_wrong_name_is_damage() -> None:
    with pytest.raises(DamagedInput, match="magic of MM, not CORE"):
        frames(image("MM", word(0)), "CORE")


def test_bytes_behind_an_only_record_are_damage() -> None:
    with pytest.raises(DamagedInput, match="4 bytes follow"):
        frames(image("MM", word(0), word(0)), "MM")


def test_an_image_of_an_unknown_kind_is_framed() -> None:
    data = word(COMMON_MAGIC) + word(0x12345678) + word(2) + b"ab" + word(0)
    assert [frame.payload for frame in frames(data, None)] == [b"ab", b""]


def test_plugin_images_begin_with_a_length_in_either_byte_order() -> None:
    for order in ("little", "big"):
        data = (3).to_bytes(8, order) + b"abc"
        assert frames(data, "AMDGPU_DMABUF")[0].payload == b"abc"
        pages = frames(data, "AMDGPU_PAGES")[0]
        assert (pages.payload, pages.extra_offset, pages.extra_size) == (b"", 8, 3)
    with pytest.raises(DamagedInput):
        frames((4).to_bytes(8, "little") + b"abc", "AMDGPU_PAGES")


def test_a_record_with_data_behind_it_is_short() -> None:
    size = (1 << 20) + 1
    with pytest.raises(DamagedInput, match="too long for one of SK_QUEUES"):
        frames(image("SK_QUEUES", word(size), bytes(size)), "SK_QUEUES")


MESSAGE = ipc_pb2.ipc_msg(mtype=1, msize=3).SerializeToString()
EXTRAS = [
    ("PIPES_DATA", files_pb2.pipe_data_entry(pipe_id=1, bytes=5), 5),
    ("SK_QUEUES", sockets_pb2.sk_packet_entry(id_for=1, length=3), 3),
    ("TCP_STREAM", sockets_pb2.tcp_stream_entry(inq_len=3, outq_len=4), 7),
    ("BPFMAP_DATA", files_pb2.bpfmap_data_entry(keys_bytes=8, values_bytes=2), 10),
    ("IPCNS_SEM", ipc_pb2.ipc_sem_entry(nsems=4), 8),
    ("IPCNS_SEM", ipc_pb2.ipc_sem_entry(nsems=5), 16),
    ("IPCNS_SHM", ipc_pb2.ipc_shm_entry(size=5), 8),
    ("IPCNS_SHM", ipc_pb2.ipc_shm_entry(size=5, in_pagemaps=True), 0),
    ("GHOST_FILE", files_pb2.ghost_file_entry(mode=0o100644), 11),
]


@pytest.mark.parametrize(("kind", "message", "extra"), EXTRAS)
def test_what_follows_a_message_is_measured(
    kind: str, message: files_pb2.pipe_data_entry, extra: int
) -> None:
    data = image(kind, message, bytes(extra))
    (frame,) = frames(data, kind)
    assert (frame.extra_size, frame.extra_offset + extra) == (extra, len(data))
    if extra and kind != "GHOST_FILE":
        with pytest.raises(DamagedInput):
            frames(data[:-1], kind)


def test_the_messages_of_a_queue_belong_to_its_record() -> None:
    queue = ipc_pb2.ipc_msg_entry(qnum=2)
    inner = word(len(MESSAGE)) + MESSAGE + b"abc\0\0\0\0\0"
    data = image("IPCNS_MSG", queue, inner * 2, ipc_pb2.ipc_msg_entry(qnum=0))
    assert [frame.extra_size for frame in frames(data, "IPCNS_MSG")] == [2 * len(inner), 0]


def test_chunks_of_a_ghost_file_are_records_with_data() -> None:
    ghost = files_pb2.ghost_file_entry(mode=0o100644, chunks=True, size=20)
    chunk = files_pb2.ghost_chunk_entry(len=4, off=8)
    data = image("GHOST_FILE", ghost, chunk, b"data", chunk, b"more")
    assert [frame.extra_size for frame in frames(data, "GHOST_FILE")] == [0, 4, 4]


def frames_or_damage(data: bytes, kind: Kind) -> list[Frame] | None:
    """Return the frames, or None if the image is damaged somewhere inside."""
    damage = 0
    try:
        return frames(data, kind)
    except DamagedInput as caught:
        damage = caught.offset
    assert 0 <= damage <= len(data)
    return None


HEADS = [image(kind.name) for kind in KINDS if kind.format in RECORDS]


@given(st.sampled_from(KINDS), st.sampled_from([b"", *HEADS]), st.binary(max_size=200))
def test_any_bytes_give_frames_or_damage(kind: Kind, head: bytes, tail: bytes) -> None:
    data = head + tail
    found = frames_or_damage(data, kind)
    if found is not None and kind.format in RECORDS:
        assert written(data, found, kind) == data


@given(st.data())
def test_a_real_image_with_bytes_changed_gives_frames_or_damage(draw: st.DataObject) -> None:
    path = draw.draw(st.sampled_from([path for path in REAL if 0 < path.stat().st_size < 4000]))
    data = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    found = kind_of(path.name)
    assert found is not None
    frames_or_damage(bytes(data), found[0])


class Hole(BytesWindow):
    """A sparse file of 4 TiB."""

    @property
    def size(self) -> int:
        return 1 << 42

    def read(self, offset: int, length: int) -> bytes:
        return super().read(offset, length).ljust(min(length, self.size - offset), b"\0")


def test_a_hole_behind_the_records_is_not_read_without_end() -> None:
    kind = kind_named("FILES")
    head = word(COMMON_MAGIC, "little") + word(kind.magic or 0, "little")
    with pytest.raises(DamagedInput, match="empty records follow each other"):
        deque(read_frames(Hole(head), "files.img", kind, quiet()), maxlen=0)
