"""Styled text: runs, parts, wrapping, and cells as the terminal library counts them."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len as cells_of_rich
from rich.console import Console
from rich.text import Text

from ckpt_tui.core.styled import Styled, cell_len, styled

LINE = styled("plain ", ("good", "good"), "", (" bad", "fails"))


def test_runs_keep_their_styles_and_empty_ones_are_left_out() -> None:
    assert LINE.runs == (("plain ", ""), ("good", "good"), (" bad", "fails"))
    assert (LINE.plain, len(LINE), LINE.width) == ("plain good bad", 14, 14)
    assert not styled("", ("", "good"))
    assert styled(LINE, "!") == LINE + "!"
    assert styled("a").__add__(("b", "good")).runs == (("a", ""), ("b", "good"))


def test_a_part_keeps_the_styles_of_what_it_has() -> None:
    assert LINE[4:8].runs == (("n ", ""), ("go", "good"))
    assert LINE[12:].runs == (("ad", "fails"),)
    assert LINE[:-12].runs == (("pl", ""),)
    assert LINE[14:] == Styled()


def test_a_style_on_top_comes_last() -> None:
    assert LINE.with_style("mark", 5, 8).runs == (
        *(("plain", ""), (" ", "mark"), ("go", "good mark")),
        *(("od", "good"), (" bad", "fails")),
    )
    assert [style for _, style in LINE.with_style("link").runs] == [
        *("link", "good link", "fails link"),
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 6, ["one ", "two ", "three"]),
        ("abcdefgh ij", 4, ["abcd", "efgh", " ij"]),
        ("日本語", 4, ["日本", "語"]),
        ("", 4, [""]),
    ],
)
def test_lines_break_at_blanks_and_long_words_anywhere(
    text: str, width: int, lines: list[str]
) -> None:
    assert [line.plain.rstrip() for line in styled(text).wrap(width)] == [
        line.rstrip() for line in lines
    ]


@given(st.text("ab 日é", max_size=80), st.integers(2, 20))
def test_wrapping_is_that_of_the_terminal_library(text: str, width: int) -> None:
    expected = Text(text).wrap(Console(), width, overflow="fold")
    assert [line.plain.rstrip() for line in styled((text, "good")).wrap(width)] == [
        line.plain.rstrip() for line in expected
    ]


def test_a_wrapped_text_keeps_its_styles() -> None:
    assert [line.runs for line in LINE.wrap(6)] == [
        *((("plain ", ""),), (("good", "good"), (" ", "fails")), (("bad", "fails"),)),
    ]


def test_letters_take_the_cells_that_the_terminal_library_gives_them() -> None:
    known = (chr(code) for code in range(0x20, 0x20000) if not 0xD800 <= code < 0xE000)
    differing = [
        c
        for c in known
        if category(c) not in ("Cn", "Cc", "Co", "Zl", "Zp") and cell_len(c) != cells_of_rich(c)
    ]
    assert len(differing) < 200  # signs whose width Unicode changed after Python's tables
    assert all(category(c) in ("So", "No", "Lo", "Sk", "Cf") for c in differing)


@pytest.mark.parametrize("text", ["❤️", "1️⃣", "👨‍👩‍👧", "é", "x️", "️", "‍a", "한국어", "█▏→"])
def test_signs_of_several_characters_take_the_same_cells(text: str) -> None:
    assert cell_len(text) == cells_of_rich(text)


def test_a_long_run_of_blanks_is_wrapped_at_once() -> None:
    blanks = " " * 200_000
    assert styled(blanks).wrap(80) == [styled(" " * 80)]
    lines = styled("a" + blanks + "b").wrap(80)
    assert "".join(line.plain for line in lines).replace(" ", "") == "ab"
