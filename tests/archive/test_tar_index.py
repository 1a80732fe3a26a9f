import tarfile

import pytest
from test_tar import entry, packed

from ckpt_tui.archive import tar_index
from ckpt_tui.archive.blocks import AHEAD
from ckpt_tui.archive.tar import index, stream
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow


class Counted(BytesWindow):
    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.lengths: list[int] = []

    def read(self, offset: int, length: int) -> bytes:
        found = super().read(offset, length)
        self.lengths.append(len(found))
        return found


@pytest.mark.parametrize("format_", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_packed_member_is_the_one_that_a_walk_gives(format_: int) -> None:
    data = packed(
        [
            entry("d", type=tarfile.DIRTYPE, mode=0o4755, uid=1 << 21, mtime=1.5),
            entry("d/file", b"x" * 5000, mtime=1_700_000_000, uname="me", gname="us"),
            entry("l", type=tarfile.SYMTYPE, linkname="../up"),
            entry("h", type=tarfile.LNKTYPE, linkname="./d/file"),
            entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3, mtime=-5),
            entry("x", b"y", pax_headers={"SCHILY.xattr.user.a": "b", "mtime": "3"}),
        ],
        format_,
    )
    found = index(BytesWindow(data), "a.tar", quiet())
    walked = {member.name: member for member, _ in stream(BytesWindow(data), "a.tar", quiet())}
    assert dict(found) == walked
    assert repr(list(found.values())) == repr(list(walked.values()))


def test_an_index_stops_at_its_memory_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"f{number}" for number in range(100)]
    monkeypatch.setattr(tar_index, "MAX_INDEX", 10_000)
    found = index(BytesWindow(packed(map(entry, names))), "a.tar", quiet())
    assert 10 < len(found) < 50
    assert f"those from {names[len(found)]} on were left out" in found.notes()[-1]


def test_owners_without_end_count_as_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_index, "MAX_INDEX", 10_000)
    found = index(BytesWindow(packed(entry(f"f{n}", uid=n) for n in range(100))), "a.tar", quiet())
    assert len(found) < 20


def test_headers_of_small_members_are_read_many_at_a_time() -> None:
    window = Counted(packed(entry(f"f{number}", b"x" * 100) for number in range(1000)))
    assert len(index(window, "a.tar", quiet())) == 1000
    assert len(window.lengths) < window.size / AHEAD + 5


def test_data_of_large_members_is_not_read() -> None:
    window = Counted(packed(entry(f"f{number}", bytes(4 * AHEAD)) for number in range(50)))
    assert len(index(window, "a.tar", quiet())) == 50
    assert sum(window.lengths) < 2 * AHEAD


def test_progress_counts_the_bytes_passed() -> None:
    data = packed(entry(f"f{number}", b"x" * 5000) for number in range(500))
    progress = Progress()
    index(BytesWindow(data), "a.tar", progress)
    assert len(data) - AHEAD - 20480 <= progress.done <= len(data)


class Unreadable(BytesWindow):
    """Bytes whose last ones are damaged."""

    def read(self, offset: int, length: int) -> bytes:
        if offset + length > self.size - 1000:
            raise DamagedInput("a.tar", self.size - 1000, "it is damaged here.")
        return super().read(offset, length)


def test_damage_farther_on_takes_no_member_before_it() -> None:
    data = packed(entry(f"f{number}", b"x" * 100) for number in range(20))[: 20 * 1024 + 1000]
    found = index(Unreadable(data), "a.tar", quiet())
    assert len(found) == 20
    assert "damaged here" in found.notes()[-1]
