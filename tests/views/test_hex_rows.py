"""Hexadecimal lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.masks import secret_byte_spans
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.views.hex import (
    BLOCK,
    bytes_per_line,
    covered_spans,
    dump_lines,
    hex_line,
    line_width,
    marks_within,
    offset_digits,
)


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
    marked = [text for text, style in line.runs if style == "mark"]
    assert marked == ["67 68  69 6a", "ghij"]


PEM = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhki\nG9w0BAQEFAASC\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("data", "secret"),
    [
        (b"\0HOME=/\0API_TOKEN=abcdef\0PATH=/bin\0", b"abcdef"),
        (b"\x7fELF\0--password\0hunter2\0--verbose\0", b"hunter2"),
        (b"\1\2" + PEM + b"\0\0", PEM),
        (b"GET / HTTP/1.1\r\nAuthorization: Basic YWJjZGVm\r\nHost: a\r\n", b"Basic YWJjZGVm"),
        (b"postgres://me:pass12@db/x", b"://me:pass12@"),
    ],
)
def test_bytes_that_look_like_a_secret_are_covered(data: bytes, secret: bytes) -> None:
    assert covered_spans(BytesWindow(data), 0, data) == [(data.index(secret), len(secret))]
    covered = "\n".join(dump_lines(BytesWindow(data)))
    assert covered.count("•") >= 3 * len(secret)
    assert secret[:2].hex(" ") not in covered or secret[:2] in data.replace(secret, b"")
    revealed = "\n".join(dump_lines(BytesWindow(data), reveal=True))
    assert "•" not in revealed


def test_a_secret_is_told_by_what_lies_before_the_block() -> None:
    data = b"\0" * (BLOCK - 10) + b"API_TOKEN=abcdef\0"
    window = BytesWindow(data)
    assert covered_spans(window, BLOCK, data[BLOCK:]) == [(0, 6)]
    assert covered_spans(window, 0, data[:BLOCK]) == []
    last = list(dump_lines(window))[-1]
    assert last == f"{BLOCK:08x}  •• •• •• •• •• •• 00" + " " * 30 + "••••••·"


def test_a_neighbour_that_cannot_be_read_hides_nothing() -> None:
    class Damaged(BytesWindow):
        def read(self, offset: int, length: int) -> bytes:
            if offset + length > BLOCK:
                raise DamagedInput("x", offset, "it ends here.")
            return super().read(offset, length)

    window = Damaged(b"a" * BLOCK * 2)
    assert covered_spans(window, 0, b"token=abc") == [(6, 3)]


def test_strings_do_not_run_across_other_bytes() -> None:
    data = b"token=\0binary: abc\xffpassword:\0\0x"
    assert secret_byte_spans(data) == []
