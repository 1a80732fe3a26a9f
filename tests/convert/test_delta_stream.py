"""rootfs-diff.tar into a layer in one pass, and back to the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator, Sequence

import pytest

from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.convert.delta import DeltaPlan, plan_delta
from ckpt_tui.convert.delta_stream import MAX_KEPT, MemberDigests, rebuild, write_delta
from ckpt_tui.convert.record import DeltaRecord, FromLayer
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.errors import DamagedInput

BASE = {
    name: Member(name, MemberKind.DIRECTORY, 0, mode=0o755) for name in (".", "data", "data/old")
} | {"data/old/a": Member("data/old/a", MemberKind.FILE, 1)}

KINDS = {
    tarfile.REGTYPE: MemberKind.FILE,
    tarfile.DIRTYPE: MemberKind.DIRECTORY,
    tarfile.LNKTYPE: MemberKind.HARDLINK,
    tarfile.SYMTYPE: MemberKind.SYMLINK,
}


def make_tar(*members: tuple[str, bytes | str | None]) -> bytes:
    """Make a tar: bytes are a file, a string is a hard link's target, None is a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                info.size = len(content)
                info.pax_headers = {"SCHILY.xattr.user.x": "y"}
                tar.addfile(info, io.BytesIO(content))
                continue
            info.type = tarfile.DIRTYPE if content is None else tarfile.LNKTYPE
            info.linkname = content or ""
            tar.addfile(info)
    return out.getvalue()


def entries_of(tar_bytes: bytes) -> list[TarEntry]:
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        return [
            TarEntry(
                Member(
                    info.name, KINDS[info.type], info.size, info.mode & 0o7777, link=info.linkname
                ),
                info.name,
                info.offset,
                info.offset_data,
                info.offset_data + -(-info.size // 512) * 512,
            )
            for info in tar.getmembers()
        ]


def in_pieces(data: bytes, length: int) -> Iterator[bytes]:
    return (data[i : i + length] for i in range(0, len(data), length))


def convert(
    tar_bytes: bytes, deleted: Sequence[str] = (), length: int = 1000
) -> tuple[bytes, DeltaRecord, MemberDigests, DeltaPlan]:
    entries = entries_of(tar_bytes)
    plan = plan_delta(entries, deleted, BASE)
    out = io.BytesIO()
    record, digests = write_delta(plan, entries, in_pieces(tar_bytes, length), out.write)
    return out.getvalue(), record, digests, plan


CASES = {
    "plain": make_tar(("data/x", b"1" * 3000), ("data/y", b"")),
    "a long name": make_tar(("data/" + "n" * 200, b"1"), ("data/ü", b"2")),
    "a folder after its child": make_tar(("data/old/n", b"1"), ("data/old", None)),
    "twice the same name": make_tar(("data/x", b"1" * 600), ("data/x", b"2")),
    "a link before its target": make_tar(("data/l", "data/x"), ("data/x", b"2" * 513)),
    "nothing": make_tar(),
    "rubbish behind the end": make_tar(("data/x", b"1")) + b"rubbish" * 100,
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("length", [1, 512, 100_000])
def test_the_way_back_gives_the_same_bytes(case: str, length: int) -> None:
    layer, record, _, _ = convert(CASES[case], ["/data/old"], length)
    assert record.exact
    assert b"".join(rebuild(record, in_pieces(layer, 700))) == CASES[case]
    assert record.digest == "sha256:" + hashlib.sha256(CASES[case]).hexdigest()
    assert record.size == len(CASES[case])


def test_the_layer_is_a_tar_of_the_planned_members_with_their_data() -> None:
    layer, record, _, plan = convert(CASES["a folder after its child"], ["/data/old"])
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        assert [info.name.removeprefix("./").strip(".") for info in tar.getmembers()][1:] == [
            member.name for member in plan.members
        ][1:]
        content = tar.extractfile("data/old/n")
        assert content is not None
        assert content.read() == b"1"
    assert record.synthetic == (".", "data", "data/old/.wh..wh..opq")


@pytest.mark.parametrize("length", [1, 511, 512, 513, 100_000])
def test_each_file_is_hashed_by_itself(length: int) -> None:
    _, _, digests, _ = convert(CASES["plain"], length=length)
    expected = [hashlib.sha256(data).hexdigest() for data in (b"1" * 3000, b"")]
    assert [digests.found()[index] for index in (0, 1)] == expected


def test_what_is_overwritten_and_large_is_not_kept_and_said() -> None:
    tar_bytes = make_tar(("data/x", b"1" * (MAX_KEPT + 1)), ("data/x", b"2"))
    _, record, _, _ = convert(tar_bytes, length=1 << 20)
    assert not record.exact
    assert record.pieces == ()


def test_a_tar_that_ends_before_its_headers_say_is_damage() -> None:
    tar_bytes = CASES["plain"]
    entries = entries_of(tar_bytes)
    plan = plan_delta(entries, [], BASE)
    with pytest.raises(DamagedInput, match="too early"):
        write_delta(plan, entries, [tar_bytes[:1500]], io.BytesIO().write)


def test_a_record_that_asks_for_more_than_the_layer_has_is_damage() -> None:
    with pytest.raises(DamagedInput, match="too early"):
        list(rebuild(DeltaRecord(9, "", pieces=(FromLayer(5, 9),)), [b"1234567"]))
    with pytest.raises(DamagedInput, match="backwards"):
        list(
            rebuild(
                DeltaRecord(9, "", pieces=(FromLayer(5, 2), FromLayer(0, 1))), [b"1234", b"567"]
            )
        )


def test_large_files_have_frames_of_their_own() -> None:
    large = b"x" * (1 << 20)
    tar_bytes = make_tar(("data/a", b"1"), ("data/big", large), ("data/z", b"2"))
    entries = entries_of(tar_bytes)
    out = io.BytesIO()
    edges: list[int] = []
    plan = plan_delta(entries, [], BASE)
    write_delta(
        plan, entries, in_pieces(tar_bytes, 999), out.write, lambda: edges.append(out.tell())
    )
    start, end = edges
    assert out.getvalue()[start:end] == large
