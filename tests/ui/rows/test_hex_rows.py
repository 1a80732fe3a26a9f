"""Hexadecimal lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.ui.rows.hex import bytes_per_line, hex_line, line_width, marks_within, offset_digits


def test_a_line_has_offset_bytes_and_letters() -> None:
    line = hex_line(0x7FF0, b"\x7fELF\x02\x01\x01\x00[red]\xff\x1b ", 16, 8)
    assert line.plain == (
        "00007ff0  7f 45 4c 46 02 01 01 00  5b 72 65 64 5d ff 1b 20  ·ELF····[red]·· "
    )


def test_a_short_last_line_keeps_its_letters_in_place() -> None:
    full, short = hex_line(0, b"A" * 16, 16, 8).plain, hex_line(16, b"AB", 16, 8).plain
    assert short.index("AB") == full.index("AAAA")
    assert hex_line(0, b"A" * 9, 16, 8).plain.index("AAAA") == full.index("AAAA")


@given(st.binary(min_size=1, max_size=16), st.sampled_from([8, 16]), st.sampled_from([8, 12, 16]))
def test_lines_are_printable_and_as_wide_as_said(data: bytes, per_line: int, digits: int) -> None:
    line = hex_line(5, data[:per_line], per_line, digits).plain
    assert line.isprintable()
    assert len(line) <= line_width(per_line, digits)
    assert len(hex_line(5, b"x" * per_line, per_line, digits).plain) == line_width(per_line, digits)


@pytest.mark.parametrize(("width", "expected"), [(120, 16), (76, 16), (75, 8), (20, 8)])
def test_narrow_views_have_eight_bytes_in_a_line(width: int, expected: int) -> None:
    assert bytes_per_line(width, 8) == expected


def test_offsets_have_the_digits_they_need() -> None:
    assert [offset_digits(end) for end in (16, 1 << 32, 64 << 30, 0x7FFF_FFFF_F000, 1 << 60)] == [
        8,
        8,
        12,
        12,
        16,
    ]


def test_marks_are_cut_to_the_line() -> None:
    marks = [(3, 4), (14, 10), (40, 2), (60, 100)]
    assert marks_within(marks, 0, 16) == [(3, 4), (14, 2)]
    assert marks_within(marks, 16, 16) == [(0, 8)]
    assert marks_within(marks, 32, 16) == [(8, 2)]
    assert marks_within(marks, 96, 16) == [(0, 16)]
    assert marks_within(marks, 160, 16) == []
    assert marks_within([(0, 5)], 0, 16) == [(0, 5)]


def test_a_mark_covers_bytes_and_letters() -> None:
    line = hex_line(0, b"abcdefghijkl", 16, 8, [(6, 4)])
    marked = [line.plain[s.start : s.end] for s in line.spans if s.style == "mark"]
    assert marked == ["67 68  69 6a", "ghij"]
