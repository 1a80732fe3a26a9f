import os
from pathlib import Path

from ckpt_tui.core.window import BytesWindow, FileWindow, SubWindow, chunks


def test_a_part_never_reads_outside_of_itself() -> None:
    part = SubWindow(BytesWindow(b"0123456789"), 2, 4)
    assert part.read(0, 100) == b"2345"
    assert part.read(3, 1) == b"5"
    assert part.read(4, 1) == b""


def test_a_part_longer_than_its_window_is_cut() -> None:
    assert SubWindow(BytesWindow(b"0123"), 2, 99).size == 2


def test_a_file_is_read_at_any_place(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    window = FileWindow(os.open(path, os.O_RDONLY))
    try:
        assert (window.size, window.read(8, 10), window.read(20, 1)) == (10, b"89", b"")
    finally:
        window.close()


def test_chunks_cover_the_window_once() -> None:
    assert list(chunks(BytesWindow(b"01234"), 2)) == [b"01", b"23", b"4"]
