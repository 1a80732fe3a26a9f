"""conversion.json: what goes in comes out, and what is not a record says so."""

from __future__ import annotations

import json

import pytest

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.record import (
    Bytes,
    DeltaRecord,
    FromLayer,
    Record,
    SourceRecord,
    Zeros,
    read_record,
)
from ckpt_tui.core.errors import DamagedInput

RECORD = Record(
    SourceRecord("podman archive", "podman", "zstd", "sha256:ab"),
    (
        Member("artifacts", MemberKind.DIRECTORY, 0, mode=0o755, uname="root"),
        Member("checkpoint/\udcff.img", MemberKind.FILE, 7, mtime=12, pax={"SCHILY.xattr.a": "b"}),
        Member("checkpoint/parent", MemberKind.SYMLINK, 0, link="../pre"),
    ),
    {"config.dump": b"{}", "deleted.files": b'["/a"]'},
    {"volumes/v.tar": "sha256:cd"},
    DeltaRecord(
        9, "sha256:ef", pieces=(FromLayer(512, 4), Bytes(b"\0x"), Zeros(3)), synthetic=("data",)
    ),
)


def test_a_record_reads_back_as_it_was() -> None:
    assert read_record(RECORD.encode()) == RECORD


def test_the_same_record_gives_the_same_bytes() -> None:
    assert read_record(RECORD.encode()).encode() == RECORD.encode()


def test_a_later_version_is_refused() -> None:
    document = json.loads(RECORD.encode()) | {"version": 2}
    with pytest.raises(DamagedInput, match="version 2"):
        read_record(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "x"),
        ("members", 5),
        ("members", [{"name": "a", "kind": "what"}]),
        ("members", [{"name": "a", "kind": "-", "device": 3}]),
        ("originals", {"a": "not base64!"}),
        ("delta", {"size": 1}),
        ("source", None),
    ],
)
def test_a_damaged_record_is_damage_and_no_traceback(key: str, value: object) -> None:
    document = json.loads(RECORD.encode()) | {key: value}
    with pytest.raises(DamagedInput):
        read_record(json.dumps(document).encode())


@pytest.mark.parametrize("piece", [["layer", -1, 5], ["layer", 1], ["what"], [], ["zeros", "x"]])
def test_a_piece_that_makes_no_sense_is_damage(piece: list[object]) -> None:
    document = json.loads(RECORD.encode())
    document["delta"]["pieces"] = [piece]
    with pytest.raises(DamagedInput):
        read_record(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"5", b'"x"', b"\xff"])
def test_what_is_no_record_is_damage(data: bytes) -> None:
    with pytest.raises(DamagedInput):
        read_record(data)


@pytest.mark.parametrize(
    "members",
    [
        [{"name": "../../etc/cron.d/x", "kind": "-"}],
        [{"name": "/etc/passwd", "kind": "-"}],
        [{"name": "./a//b", "kind": "-"}],
        [{"name": "", "kind": "d"}],
        [{"name": "n" * 5000, "kind": "-"}],
        [{"name": "a", "kind": "l", "link": "/etc"}],
        [{"name": "a", "kind": "h", "link": "b"}],
        [{"name": "a", "kind": "c", "device": [1, 3]}],
        [{"name": "a", "kind": "s"}],
        [{"name": "a", "kind": "-"}, {"name": "a", "kind": "d"}],
        [{"name": "a\ud800", "kind": "-"}],
        [{"name": "a", "kind": "-", "uname": "\ud800"}],
        [{"name": "a", "kind": "-", "pax": {"SCHILY.xattr.user.a": "\ud800"}}],
        [{"name": "a", "kind": "-", "size": -1}],
        [{"name": "a", "kind": "-", "uid": 1 << 70}],
        [{"name": "checkpoint/parent", "kind": "l", "link": "x", "device": [8, 1 << 30]}],
    ],
)
def test_what_reading_would_refuse_is_not_written(members: list[object]) -> None:
    document = json.loads(RECORD.encode()) | {"members": members}
    with pytest.raises(DamagedInput, match="lacks what a conversion writes"):
        read_record(json.dumps(document).encode())


def test_a_number_without_end_is_damage() -> None:
    data = RECORD.encode().replace(b'"version": 1', b'"version": Infinity')
    with pytest.raises(DamagedInput):
        read_record(data)
