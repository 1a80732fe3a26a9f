"""Decoding: entries, unknown fields, damage beside the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from criu_images import IMAGES, REAL, decoded, image, label, real, word
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.errors import Cancelled
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu import decode
from ckpt_tui.criu.decode import decode_image, unknown_fields
from ckpt_tui.criu.kinds import KINDS, Kind
from ckpt_tui.criu.schema import files_pb2, process_pb2


@pytest.mark.parametrize("path", REAL, ids=label)
def test_real_images_decode_without_a_rest(path: Path) -> None:
    found = decode_image(BytesWindow(path.read_bytes()), path.name, quiet())
    assert found.kind is not None
    assert (found.problem, found.unknown_fields) == ("", 0)
    assert all(entry.message is not None for entry in found.entries)


def test_the_process_tree_of_a_real_dump() -> None:
    tree: list[Any] = list(real("kinds/pstree.img").messages)
    assert [(entry.pid, entry.ppid) for entry in tree][:2] == [(1, 0), (9, 1)]


def test_entries_before_the_damage_stay() -> None:
    data = (IMAGES / "kinds/pstree.img").read_bytes()
    whole = decoded(data, "pstree.img")
    cut = decoded(data[:-1], "pstree.img")
    assert cut.entries == whole.entries[:-1]
    assert "pstree.img is damaged at byte" in cut.problem


def test_a_record_that_is_no_message_is_told_beside_the_rest() -> None:
    entry = process_pb2.pstree_entry(pid=1)
    found = decoded(image("PSTREE", entry, word(1) + b"\xff", entry), "pstree.img")
    assert [item.message is None for item in found.entries] == [False, True, False]
    assert found.problem == found.entries[1].problem
    assert "not a valid pstree_entry" in found.problem


def test_unknown_fields_are_kept_and_counted_at_every_depth() -> None:
    inner = b"\xf8\x06\x07"  # field 111, varint 7
    payload = b"\x08\x01" + b"\x1a" + bytes([len(inner)]) + inner + b"\xfa\x06\x02hi" + inner
    core = decoded(image("CORE", word(len(payload)) + payload), "core-1.img")
    assert core.unknown_fields == 3
    assert core.first is not None
    found = [(field.path, field.number, field.value) for field in unknown_fields(core.first)]
    assert found == [("", 111, b"hi"), ("", 111, 7), ("tc", 111, 7)]


def test_what_is_no_message_of_an_unknown_kind_is_an_entry_without_one() -> None:
    data = word(0x54564319) + word(0x11111111) + word(2) + b"ab"
    found = decoded(data, "new-kind.img")
    assert found.kind is None
    assert [(entry.offset, entry.size, entry.message) for entry in found.entries] == [(12, 2, None)]


def test_a_record_of_an_unknown_kind_has_the_fields_of_a_message() -> None:
    payload = process_pb2.pstree_entry(pid=7, threads=[8]).SerializeToString()
    data = word(0x54564319) + word(0x11111111) + word(len(payload)) + payload
    found = decoded(data, "new-kind.img")
    assert found.first is not None
    listed = {field.number: field.value for field in unknown_fields(found.first)}
    assert (listed[1], listed[5]) == (7, 8)
    assert found.unknown_fields == len(listed)
    assert found.first.SerializeToString() == payload


def test_more_than_the_limit_is_counted_but_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_KEPT_ENTRIES", 2)
    data = image("PSTREE", *[process_pb2.pstree_entry(pid=pid) for pid in range(5)])
    found = decoded(data, "pstree.img")
    assert (len(found.entries), found.count) == (2, 5)
    assert (found.count, len(found.entries), found.left_out) == (5, 2, 3)
    assert found.problem == ""


def test_a_record_made_to_take_much_memory_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_KEPT", 4)
    tree = decoded(
        image("PSTREE", process_pb2.pstree_entry(threads=[1] * 9), process_pb2.pstree_entry(pid=1)),
        "pstree.img",
    )
    assert [entry.message is None for entry in tree.entries] == [True, False]
    assert tree.problem == "The record at byte 12 is too large to be decoded."


def test_decoding_can_be_cancelled() -> None:
    data = image("PSTREE", process_pb2.pstree_entry(pid=1))
    with pytest.raises(Cancelled):
        decode_image(BytesWindow(data), "pstree.img", Progress(cancelled=lambda: True))


def test_fields_packed_into_one_are_read_like_single_ones() -> None:
    payload = b"\x0a\x02\x01\x02"  # not how CRIU writes them, but protobuf allows it
    found: Any = decoded(image("IPC_VAR", word(len(payload)) + payload), "ipcns-var-1.img").first
    assert list(found.sem_ctls) == [1, 2]


def test_data_behind_messages_can_be_found() -> None:
    data = image("PIPES_DATA", files_pb2.pipe_data_entry(pipe_id=1, bytes=3), b"abc")
    offset, size = decoded(data, "pipes-data.img").entries[0].extra
    assert data[offset : offset + size] == b"abc"


@given(st.sampled_from(KINDS), st.booleans(), st.binary(max_size=200))
def test_any_bytes_can_be_decoded(kind: Kind, framed: bool, tail: bytes) -> None:
    names = {"<": "1"}
    name = kind.pattern.partition("|")[0]
    while "<" in name:
        name = name[: name.index("<")] + names["<"] + name[name.index(">") + 1 :]
    data = image(kind.name, word(len(tail)), tail) if framed and kind.magic else tail
    found = decoded(data, name)
    assert found.name == name
    assert found.unknown_fields == sum(entry.unknown for entry in found.entries)
