import contextlib
import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ckpt_tui.archive.headers import MAX_EXTENSION
from ckpt_tui.archive.tar import Walk, index, stream
from ckpt_tui.archive.tar_index import TarIndex
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.core.errors import CkptError, DamagedInput, NotACheckpoint
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow

ARCHIVES = Path(__file__).parent.parent / "data" / "archives"


def entry(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def packed(
    entries: Iterable[tuple[tarfile.TarInfo, bytes]], format_: int = tarfile.PAX_FORMAT
) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(
        fileobj=sink, mode="w", format=format_, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        for info, data in entries:
            archive.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def indexed(data: bytes) -> TarIndex:
    return index(BytesWindow(data), "a.tar", quiet())


def contents(data: bytes) -> dict[str, bytes]:
    found = indexed(data)
    window = BytesWindow(data)
    windows = {
        name: found.extent(name).window(window, found[name].size) for name, *_ in found.spans()
    }
    return {name: part.read(0, part.size) for name, part in windows.items()}


def walked(data: bytes) -> tuple[Walk, list[tuple[Member, bytes]]]:
    walk = stream(BytesWindow(data), "a.tar", quiet())
    return walk, [(member, b"".join(reader.chunks())) for member, reader in walk]


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_kind_of_member_keeps_its_facts(format_: int) -> None:
    data = packed(
        [
            entry("dir", type=tarfile.DIRTYPE, mode=0o1777),
            entry("dir/file", b"x" * 700, uid=1000, gid=7, uname="me", gname="us", mtime=1e9),
            entry("sym", type=tarfile.SYMTYPE, linkname="/../etc/passwd"),
            entry("hard", type=tarfile.LNKTYPE, linkname="./dir/file"),
            entry("fifo", type=tarfile.FIFOTYPE),
            entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            entry("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=1),
        ],
        format_,
    )
    found = indexed(data)
    assert [(m.name, m.kind.value, m.size) for m in found.values()] == [
        ("dir", "d", 0),
        ("dir/file", "-", 700),
        ("sym", "l", 0),
        ("hard", "h", 0),
        ("fifo", "p", 0),
        ("null", "c", 0),
        ("disk", "b", 0),
    ]
    file = found["dir/file"]
    assert (file.uid, file.gid, file.uname, file.gname, file.mtime) == (1000, 7, "me", "us", 1e9)
    assert found["dir"].mode == 0o1777
    assert found["sym"].link == "/../etc/passwd"
    assert found["hard"].link == "dir/file"
    assert found["null"].device == (1, 3)
    assert contents(data) == {"dir/file": b"x" * 700}
    assert found.notes() == ()


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize(
    "name", ["n" * 200, "d/" * 90 + "end", "caf\udce9", "\x1b[31mred", "zwölf", "a\nb", "ü" * 150]
)
def test_odd_names_are_kept_as_they_are(name: str, format_: int) -> None:
    assert contents(packed([entry(name, b"1")], format_)) == {name: b"1"}


@pytest.mark.parametrize("name", ["../up", "a/../../b", "..", "a/..", "nul\0name", "/.."])
def test_names_that_lead_outside_are_left_out(name: str) -> None:
    found = indexed(
        packed([entry("before"), entry(name, b"bad", pax_headers={"path": name}), entry("after")])
    )
    if "\0" not in name:
        assert list(found) == ["before", "after"]
        assert len(found.notes()) == 1
    assert name not in found


def test_a_hard_link_that_leads_outside_is_left_out() -> None:
    found = indexed(packed([entry("a", type=tarfile.LNKTYPE, linkname="../../etc/shadow")]))
    assert not found
    assert "hard link" in found.notes()[0]


def test_absolute_names_are_taken_as_relative_and_noted() -> None:
    found = indexed(packed([entry("/etc/passwd", b"x"), entry("./b//c/./d", b"y")]))
    assert list(found) == ["etc/passwd", "b/c/d"]
    assert found.notes() == ("/etc/passwd is an absolute name, taken as etc/passwd.",)


def test_the_root_folder_is_kept_and_no_file_may_take_its_name() -> None:
    found = indexed(packed([entry("./", type=tarfile.DIRTYPE, mode=0o711), entry("./.", b"x")]))
    assert found["."].mode == 0o711
    assert found["."].kind is MemberKind.DIRECTORY
    assert len(found.notes()) == 1


def test_of_equal_names_the_last_wins_and_is_noted() -> None:
    data = packed([entry("a", b"old"), entry("b"), entry("a", b"newer")])
    assert contents(data)["a"] == b"newer"
    assert indexed(data).notes() == ("a is there more than once; the last one counts.",)


def test_a_file_that_becomes_a_folder_has_no_bytes() -> None:
    data = packed([entry("a", b"old"), entry("a", type=tarfile.DIRTYPE)])
    assert contents(data) == {}


def test_extended_attributes_are_kept_byte_for_byte() -> None:
    pax = {"SCHILY.xattr.security.capability": "\x01\udcff=\n\x02", "mtime": "12.5"}
    member = indexed(packed([entry("a", pax_headers=pax)]))["a"]
    assert member.pax["SCHILY.xattr.security.capability"] == "\x01\udcff=\n\x02"
    assert member.mtime == 12.5


def test_global_headers_hold_for_all_that_follow() -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", pax_headers={"comment": "all", "gid": "5"}) as made:
        made.addfile(entry("a")[0])
        made.addfile(entry("b", pax_headers={"comment": "own"})[0])
    members = indexed(sink.getvalue())
    assert (members["a"].pax["comment"], members["b"].pax["comment"]) == ("all", "own")
    assert members["b"].gid == 5


def test_what_follows_the_end_mark_is_noted_and_left_out() -> None:
    data = packed([entry("a")]) + packed([entry("b")])
    found = indexed(data)
    walk, members = walked(data)
    assert list(found) == ["a"] == [member.name for member, _ in members]
    assert "follow the end mark" in found.notes()[0]
    assert "follow the end mark" in walk.notes[0]


def test_padding_after_the_end_mark_is_no_matter() -> None:
    data = packed([entry("a")]) + bytes(30_000)
    assert indexed(data).notes() == () == walked(data)[0].notes


def test_an_empty_archive_has_no_members() -> None:
    assert not indexed(bytes(10240))


@pytest.mark.parametrize("data", [b"", b"x", b"not a tar" * 200, b"\x7fELF" + bytes(508)])
def test_what_is_no_tar_is_refused(data: bytes) -> None:
    with pytest.raises(NotACheckpoint, match="not a tar archive"):
        indexed(data)
    with pytest.raises(NotACheckpoint, match="not a tar archive"):
        walked(data)


THREE = packed([entry("a", b"1" * 600), entry("n" * 200, b"2" * 512), entry("c", b"3")])
HEADER_OF_LONG = 512 + 1024
DATA_OF_LONG = HEADER_OF_LONG + 512 + 512 + 512


@pytest.mark.parametrize(
    ("cut", "members", "note"),
    [
        (512 + 100, ["a"], "100 of its 600 bytes"),
        (512 + 600, ["a"], "without an end mark"),
        (HEADER_OF_LONG, ["a"], "without an end mark"),
        (HEADER_OF_LONG + 200, ["a"], "within a header"),
        (HEADER_OF_LONG + 512, ["a"], "within a header"),
        (HEADER_OF_LONG + 512 + 100, ["a"], "within a header"),
        (HEADER_OF_LONG + 1024, ["a"], "within a header"),
        (DATA_OF_LONG, ["a", "n" * 200], "0 of its 512 bytes"),
        (DATA_OF_LONG + 512, ["a", "n" * 200], "without an end mark"),
        (DATA_OF_LONG + 512 + 512 + 1, ["a", "n" * 200, "c"], "without an end mark"),
    ],
)
def test_a_cut_archive_keeps_what_is_before_the_cut(
    cut: int, members: list[str], note: str
) -> None:
    found = indexed(THREE[:cut])
    assert list(found) == members
    assert note in found.notes()[-1]
    for name, *_ in found.spans():
        assert found.extent(name).window(BytesWindow(THREE), 0).size == found[name].size


def test_a_walk_over_a_cut_archive_passes_over_with_a_note() -> None:
    walk = stream(BytesWindow(THREE[: 512 + 100]), "a.tar", quiet())
    assert [member.name for member, _ in walk] == ["a"]
    assert "100 of its 600 bytes" in walk.notes[0]


def test_reading_a_member_that_is_cut_is_damage() -> None:
    walk = stream(BytesWindow(THREE[: 512 + 100]), "a.tar", quiet())
    _, reader = next(walk)
    assert reader.read() == b"1" * 100
    with pytest.raises(DamagedInput, match="100 of its 600 bytes"):
        reader.read()


def test_a_reader_dies_when_the_walk_moves_on() -> None:
    walk = stream(BytesWindow(THREE), "a.tar", quiet())
    _, first = next(walk)
    next(walk)
    with pytest.raises(ValueError, match="moved on"):
        first.read()


def test_a_damaged_header_ends_the_archive_with_a_note() -> None:
    data = bytearray(THREE)
    data[HEADER_OF_LONG + 3] ^= 1
    found = indexed(bytes(data))
    assert list(found) == ["a"]
    assert "checksum" in found.notes()[0]


def _header(name: bytes, flag: bytes, size: bytes) -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[124 : 124 + len(size)] = size
    block[156:157] = flag
    block[257:265] = b"ustar\x0000"
    block[148:156] = b"%06o\0 " % (sum(block) + 8 * 32)
    return bytes(block)


@pytest.mark.parametrize(
    "head",
    [
        _header(b"a", b"0", b"\xff" * 12),
        _header(b"a", b"0", b"\x80" + b"\xff" * 11),
        _header(b"a", b"0", b"zzzz"),
        _header(b"a", b"L", b"%011o\0" % (MAX_EXTENSION + 1)) + b"n" * (MAX_EXTENSION + 512),
        _header(b"a", b"x", b"%011o\0" % 20) + b"9 9 9 9 9 9 9 9 9 99".ljust(512, b"\0"),
        _header(b"a", b"x", b"%011o\0" % 5) + b"3 a=\n".ljust(512, b"\0"),
        _header(b"a", b"x", b"%011o\0" % 9) + b"99999 a=b".ljust(512, b"\0"),
        _header(b"a", b"L", b"%011o\0" % 1) * 40,
        _header(b"a", b"x", b"%011o\0" % 0) * 40,
        _header(b"a", b"S", b"%011o\0" % 5)[:482] + b"\1" + bytes(29),
    ],
)
def test_headers_that_contradict_themselves_are_damage(head: bytes) -> None:
    found = indexed(packed([entry("ok")])[:512] + head + bytes(1024))
    assert list(found) == ["ok"]
    assert "damaged at byte 512" in found.notes()[0]


def test_base_256_numbers_and_old_headers_are_read() -> None:
    large = _header(b"a", b"\0", b"\x80" + (3).to_bytes(11, "big")) + b"xyz".ljust(512, b"\0")
    assert contents(large + _header(b"old/", b"\0", b"") + bytes(1024)) == {"a": b"xyz"}


class Counting:
    """64 GiB of a pages image, without having them."""

    def __init__(self) -> None:
        info = tarfile.TarInfo("checkpoint/pages-1.img")
        info.size = 64 << 30
        self._head = info.tobuf(tarfile.GNU_FORMAT)
        self._tail = packed([entry("checkpoint/inventory.img", b"1")])
        self.size = len(self._head) + info.size + len(self._tail)
        self.bytes_read = 0

    def read(self, offset: int, length: int) -> bytes:
        self.bytes_read += length
        start = self.size - len(self._tail)
        if offset >= start:
            return self._tail[offset - start : offset - start + length]
        return self._head[offset : offset + length]


def test_an_index_of_64_gib_reads_headers_alone() -> None:
    window = Counting()
    found = index(window, "a.tar", quiet())
    assert found["checkpoint/pages-1.img"].size == 64 << 30
    assert list(found)[1] == "checkpoint/inventory.img"
    assert window.bytes_read < 2 << 20


def gnu_sparse() -> bytes:
    block = bytearray(_header(b"s", b"S", b"%011o\0" % 1024))
    block[257:265] = b"ustar  \0"
    runs = [(0, 512), (1 << 20, 512), (3 << 20, 0)]
    for number, (offset, length) in enumerate(runs):
        block[386 + 24 * number : 410 + 24 * number] = b"%011o\0%011o\0" % (offset, length)
    block[483:495] = b"%011o\0" % (3 << 20)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"A" * 512 + b"B" * 512 + packed([entry("after", b"!")])


@pytest.mark.parametrize(
    "numbers",
    [
        "0,512,100,512",
        "512,512,0,512",
        "0,512,4096,1",
        "0,99999",
        "0,512,9",
        "x,1",
        "-1,5",
        "0,1_0",
    ],
)
def test_a_sparse_map_that_contradicts_itself_is_damage(numbers: str) -> None:
    pax = {"GNU.sparse.map": numbers, "GNU.sparse.size": "4096"}
    found = indexed(packed([entry("ok"), entry("s", b"A" * 1024, pax_headers=pax)]))
    assert list(found) == ["ok"]
    assert "sparse" in found.notes()[0]


def pax_sparse(version: str) -> bytes:
    data = b"A" * 512 + b"B" * 512
    numbers = (0, 512, 1 << 20, 512, 3 << 20, 0)
    pax = {"GNU.sparse.realsize": str(3 << 20), "GNU.sparse.name": "s"}
    if version == "1.0":
        pax |= {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        data = "".join(f"{n}\n" for n in (3, *numbers)).encode().ljust(512, b"\0") + data
    else:
        pax |= {"GNU.sparse.map": ",".join(map(str, numbers)), "GNU.sparse.size": str(3 << 20)}
    return packed([entry("GNUSparseFile.0/s", data, pax_headers=pax), entry("after", b"!")])


@pytest.mark.parametrize(
    "data", [gnu_sparse(), pax_sparse("0.1"), pax_sparse("1.0")], ids=["gnu", "0.1", "1.0"]
)
def test_the_holes_of_sparse_files_read_as_zeros(data: bytes) -> None:
    hole = (1 << 20) - 512
    whole = b"A" * 512 + bytes(hole) + b"B" * 512 + bytes((2 << 20) - 512)
    assert contents(data) == {"s": whole, "after": b"!"}
    assert {member.name: bytes_ for member, bytes_ in walked(data)[1]} == contents(data)


@pytest.mark.parametrize(
    "archive", ["cri-crio.tar", "cri-containerd-cri.tar", "cri-podman.tar", "base-bb.oci.tar"]
)
def test_real_archives_are_read_as_tarfile_reads_them(archive: str) -> None:
    data = (ARCHIVES / archive).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as peer:
        expected = {
            info.name: (info.mode, info.uid, info.gid, info.mtime, info.size)
            for info in peer.getmembers()
        }
    found = indexed(data)
    assert found.notes() == ()
    assert {m.name: (m.mode, m.uid, m.gid, m.mtime, m.size) for m in found.values()} == expected


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=130
).filter(lambda name: not {"..", "."} & set(name.split("/")) and name.strip("/"))
FILES = st.lists(st.tuples(NAMES, st.binary(max_size=1500)), max_size=6)


@given(files=FILES, format_=st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]))
def test_any_archive_comes_back_as_it_went_in(files: list[tuple[str, bytes]], format_: int) -> None:
    data = packed((entry(name, content) for name, content in files), format_)
    wanted = {
        "/".join(filter(None, name.split("/"))): content
        for name, content in files
        if not name.endswith("/")
    }
    got = contents(data)
    assert {name: got.get(name) for name in wanted} == wanted


@settings(max_examples=300)
@given(data=st.binary(max_size=2000), patch=st.binary(min_size=1, max_size=40), at=st.integers(0))
@example(data=b"", patch=b"\0", at=0)
def test_any_bytes_are_members_notes_or_an_error(data: bytes, patch: bytes, at: int) -> None:
    damaged = bytearray(gnu_sparse() + THREE[512:] + data)
    at %= len(damaged)
    damaged[at : at + len(patch)] = patch
    head = damaged[:512]
    head[148:156] = b" " * 8
    damaged[148:156] = b"%06o\0 " % sum(head)  # else nearly every change stops at the checksum
    for hostile in (bytes(damaged), data):
        with contextlib.suppress(CkptError):
            found = indexed(hostile)
            for name, *_ in found.spans():
                found.extent(name).window(BytesWindow(hostile), found[name].size).read(0, 100)
        with contextlib.suppress(CkptError):
            for _member, reader in stream(BytesWindow(hostile), "a.tar", quiet()):
                reader.read(100)


@given(cut=st.integers(0, len(THREE)))
def test_an_archive_cut_anywhere_keeps_whole_members(cut: int) -> None:
    with contextlib.suppress(NotACheckpoint, DamagedInput):
        found = indexed(THREE[:cut])
        assert list(found) == ["a", "n" * 200, "c"][: len(found)]
        assert found.notes() or cut >= len(THREE) - 10240
