"""Facts: wrapped beside their labels, never wider than the panel, nothing cut silently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import printable
from ckpt_tui.views.facts import MOST, Fact, Section, fact_lines, wrapped


def texts(sections: list[Section], width: int) -> list[str]:
    return [line.text.plain.rstrip() for line in fact_lines(sections, width)]


def test_values_wrap_beside_their_labels() -> None:
    section = Section("PROCESS", [Fact("cwd", "/srv"), Fact("command", "python3 app.py --port 80")])
    assert texts([section], 26) == [
        "PROCESS",
        "cwd      /srv",
        "command  python3 app.py",
        "         --port 80",
    ]


def test_a_narrow_panel_puts_values_under_labels() -> None:
    assert texts([Section("", [Fact("command", "python3 app.py")])], 20) == [
        "command",
        "  python3 app.py",
    ]


def test_facts_without_a_label_use_the_whole_width() -> None:
    assert texts([Section("ENVIRONMENT", [Fact("", "A=1"), Fact("", "B=2")])], 30)[1:] == [
        "A=1",
        "B=2",
    ]


def test_an_empty_section_speaks_or_is_left_out() -> None:
    sections = [Section("FILES", []), Section("SOCKETS", [], empty="this process has none")]
    assert texts(sections, 40) == ["SOCKETS", "this process has none"]


def test_sections_are_apart() -> None:
    sections = [Section("A", [Fact("", "1")]), Section("B", [Fact("", "2")])]
    assert texts(sections, 40) == ["A", "1", "", "B", "2"]


def test_what_is_too_long_says_how_much_is_missing() -> None:
    lines = [line.plain for line in wrapped("x" * (MOST + 12_345), 80)]
    assert lines[-1].endswith("… 12,345 more characters")


def test_links_name_every_line_of_their_value() -> None:
    lines = fact_lines([Section("", [Fact("file", "/a/" * 20, link=Ref.file(7, 3))])], 30)
    assert len(lines) > 1
    assert {line.link for line in lines} == {Ref.file(7, 3)}


@given(st.text(max_size=300), st.text(max_size=30), st.integers(12, 100), st.booleans())
def test_no_line_is_wider_than_the_panel(label: str, value: str, width: int, swap: bool) -> None:
    label, value = (printable(label), printable(value))
    fact = Fact(value, label) if swap else Fact(label, styled((value, "good")))
    assert all(line.text.width <= width for line in fact_lines([Section("T", [fact])], width))


@pytest.mark.parametrize("width", [2, 5, 8])
def test_hardly_any_room_is_no_error(width: int) -> None:
    assert fact_lines([Section("TITLE", [Fact("label", "value " * 5)])], width)
