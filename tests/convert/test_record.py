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
        Member("null", MemberKind.CHARACTER, 0, device=(1, 3)),
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
