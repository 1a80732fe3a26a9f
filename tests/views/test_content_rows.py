"""Bytes told apart from text, lines wrapped, secrets covered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.checkpoint.search import Match
from ckpt_tui.core.masks import (
    COVER,
    masked,
    masked_bytes,
    secret_byte_spans,
    secret_spans,
)
from ckpt_tui.views.content import is_text, text_lines, text_rows
from ckpt_tui.views.found import context, parse_address


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"hello\nworld\n", True),
        ("größe".encode(), True),
        ("日".encode() * 2000, True),
        (b"a\x1b[31mred", True),
        (b"\x7fELF\x02\x01\x01\x00\x00", False),
        (b"caf\xe9 at the start", False),
        (b"", True),
        (bytes(100), False),
    ],
)
def test_text_is_told_from_other_bytes(data: bytes, expected: bool) -> None:
    assert is_text(data) is expected


def test_lines_are_printable_and_tabs_are_blanks() -> None:
    assert text_lines(b"a\tb\r\n\x1b[2J\n", reveal=False) == ["a       b", "\\x1b[2J"]


def test_long_lines_are_folded_under_one_number() -> None:
    rows = text_rows(["x" * 25, "", "y"], 10)
    assert [row.cells for row in rows] == [
        ("1", "x" * 10),
        ("", "x" * 10),
        ("", "x" * 5),
        ("2", ""),
        ("3", "y"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--password=hunter2 --port 1", f"--password={COVER} --port 1"),
        ('{"api_key": "abc", "x": 1}', f'{{"api_key": "{COVER}", "x": 1}}'),
        ("user=me,pass=hunter2,vers=3.0", f"user=me,pass={COVER},vers=3.0"),
        ("COMPASS=north PASS: all", "COMPASS=north PASS: all"),
        ("Authorization: Bearer abc.def", f"Authorization: {COVER}"),
        ("postgres://me:secret@db/x", f"postgres{COVER}db/x"),
        ("nothing here", "nothing here"),
        ("AKIAABCDEFGHIJKLMNOP", COVER),
    ],
)
def test_secrets_in_running_text_are_covered(text: str, expected: str) -> None:
    assert masked(text, reveal=False) == expected
    assert masked(text, reveal=True) == text


def test_a_private_key_is_covered_to_its_end() -> None:
    key = "-----BEGIN PRIVATE KEY-----\nMIIE\nabcd\n-----END PRIVATE KEY-----"
    assert masked(f"a\n{key}\nb", reveal=False) == f"a\n{COVER}\nb"
    lines = text_lines(f"a\n{key}\nb".encode(), reveal=False)
    assert lines == ["a", COVER, "b"]


@given(st.text(max_size=200))
def test_spans_of_secrets_ascend_and_never_overlap(text: str) -> None:
    end = 0
    for start, stop in secret_spans(text + "token=" + text):
        assert end <= start < stop
        end = stop


@pytest.mark.parametrize("piece", ["token", "a", "-----BEGIN ", "eyJ", "://", "gh", "secret="])
def test_text_made_to_be_slow_is_masked_in_one_pass(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    assert masked(text, reveal=False)  # quadratic would be minutes


def match(before: bytes, found: bytes, after: bytes = b"") -> Match:
    return Match(1, 0x1000, before, found, after)


def test_the_context_of_a_match_is_one_line() -> None:
    line = context(match(b"0123456789abcdefgh\x00", b"needle", b"\nrest"), reveal=False)
    assert line.plain == "789abcdefgh·needle·rest"
    assert [text for text, style in line.runs if style] == ["needle"]


def test_a_secret_that_was_searched_for_stays_covered() -> None:
    found = match(b"HOME=/\x00API_TOKEN=", b"abc", b"def\x00PATH=/bin")
    assert "abc" not in context(found, reveal=False).plain
    assert "PATH=/bin" in context(found, reveal=False).plain
    assert "=abcdef" in context(found, reveal=True).plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0x10", 16), ("7fff", 0x7FFF), (" ff ", 255), ("xyz", None), ("", None), ("1" * 17, None)],
)
def test_addresses_are_hexadecimal(text: str, expected: int | None) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize("coding", ["ascii", "utf-16-le", "utf-16-be"])
def test_secrets_are_found_in_bytes_of_every_coding(coding: str) -> None:
    before, secret = "a name api_token=".encode(coding), "hunter2-hunter2".encode(coding)
    data = b"\xff\xfe\xff" + before + secret + b"\xff\xff"
    at = 3 + len(before)
    ((start, stop),) = secret_byte_spans(data)
    # the NUL beside a letter belongs to it in the one order of bytes or in the other
    assert at - 1 <= start <= at
    assert at + len(secret) <= stop <= at + len(secret) + 1
    covered = masked_bytes(data, reveal=False)
    assert len(covered) == len(data)
    assert covered[start:stop] == b"*" * (stop - start)
    assert masked_bytes(data, reveal=True) == data


def test_the_word_behind_an_option_is_covered_in_utf16_too() -> None:
    words = b"".join(word.encode("utf-16-le") + b"\0\0" for word in ("run", "--password", "mellon"))
    assert b"m\0e\0l\0" not in masked_bytes(words, reveal=False)


def test_utf16_that_is_shown_as_text_is_covered_until_revealed() -> None:
    data = "password=mellon and more".encode("utf-16-le")
    assert "m\\x00e" not in text_lines(data, reveal=False)[0]
    assert "m\\x00e\\x00l" in text_lines(data, reveal=True)[0]


def test_a_secret_put_into_a_dictionary_is_covered() -> None:
    text = 'os.environ["SECRET_TOKEN"] = "hunter2"'
    assert masked(text, False) == f'os.environ["SECRET_TOKEN"] = "{COVER}"'
