"""Searching memory: across pages, regions and chunks, and only what is in the dump."""

from __future__ import annotations

import re

import pytest

from ckpt_tui.checkpoint import patterns, search
from ckpt_tui.checkpoint.patterns import Pattern, parse_pattern, search_window
from ckpt_tui.checkpoint.search import Area, areas_of, find_all
from ckpt_tui.core.errors import Cancelled, SourceUnreachable, UsageError
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.pages import PE_PARENT, PE_PRESENT, Memory, PageMap
from ckpt_tui.formats.opened import open_checkpoint

PAGE = 4096


def memory(*runs: tuple[int, int, int], pages: bytes) -> Memory:
    """Runs are address, number of pages and flags."""
    page_map = PageMap("pagemap-1.img", 1)
    for run in runs:
        page_map._append(*run)
    return Memory(page_map, BytesWindow(pages))


def places(found: search.Matches) -> list[int]:
    return [match.address for match in found.matches]


def test_a_match_lies_across_two_pages_and_two_runs() -> None:
    pages = (b"x" * (PAGE - 3) + b"nee").ljust(PAGE) + b"dle".ljust(PAGE)
    one = memory((0x1000, 1, PE_PRESENT), (0x2000, 1, PE_PRESENT), pages=pages)
    found = find_all([Area(7, one)], Pattern(b"needle"), quiet())
    assert places(found) == [0x2000 - 3]
    assert found.matches[0].pid == 7
    assert found.matches[0].after.startswith(b" ")
    assert found.matches[0].before.endswith(b"x")


def test_pages_that_are_no_neighbours_do_not_make_a_match() -> None:
    pages = b"nee".rjust(PAGE) + b"dle".ljust(PAGE)
    apart = memory((0x1000, 1, PE_PRESENT), (0x9000, 1, PE_PRESENT), pages=pages)
    assert not find_all([Area(1, apart)], Pattern(b"needle"), quiet()).matches


def test_what_is_not_in_the_dump_is_not_searched() -> None:
    zeros = memory((0x1000, 1, PE_PRESENT), (0x2000, 9, PE_PARENT), pages=b"a" * PAGE)
    found = find_all([Area(1, zeros)], parse_pattern("hex:00 00"), quiet())
    assert not found.matches
    assert found.searched == PAGE


@pytest.mark.parametrize("text", ["re:n[e]+dle", "needle", "hex:6e6565646c65"])
@pytest.mark.parametrize("chunk", [512, 700, 4096, 1 << 20])
def test_chunks_neither_lose_nor_double_matches(
    text: str, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "CHUNK", chunk)
    monkeypatch.setattr(patterns, "MAX_MATCH", 64)
    pages = (b"needle" + b"." * 505) * 16
    pages = pages.ljust(2 * PAGE, b"-")
    one = memory((0x1000, 2, PE_PRESENT), pages=pages)
    expected = [0x1000 + found.start() for found in re.finditer(b"needle", pages)]
    assert places(find_all([Area(1, one)], parse_pattern(text), quiet())) == expected


def test_word_borders_see_the_bytes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "CHUNK", 256)
    monkeypatch.setattr(patterns, "MAX_MATCH", 64)
    data = b"b" * 255 + b"bad" + b" " * 300 + b"ad" + b" " * 100
    found = search_window(BytesWindow(data), parse_pattern(r"re:\bad"), quiet())
    assert found == [(558, 2)]


def test_nested_repeats_end_in_time() -> None:
    data = (b"a" * 60 + b"b") * 20_000
    assert search_window(BytesWindow(data), parse_pattern("re:(a+)+$"), quiet()) == []


def test_expressions_have_the_syntax_of_re2() -> None:
    data = BytesWindow("a\x0bGRÖßE\nb größe".encode())
    for text, found in (
        (r"re:(?i)gr\x{c3}.{3}e", [(2, 7), (12, 7)]),
        ("re:(?i)größe", [(12, 7)]),
        ("re:E.b", [(8, 3)]),
        (r"re:(?-s:E.b)", []),
        (r"re:\pL+\z", [(18, 1)]),
        (r"re:\s", [(9, 1), (11, 1)]),
    ):
        assert search_window(data, parse_pattern(text), quiet()) == found, text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("re:needle(?!s)", "invalid perl operator: (?!"),
        (r"re:(\w+)=\1", r"invalid escape sequence: \1"),
        ("re:(", "missing ): ("),
        ("re:a{2000}", "invalid repetition size: {2000}"),
    ],
)
def test_what_re2_refuses_is_said_in_its_words(text: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_pattern(text)
    assert raised.value.why == f"{said}."
    assert "RE2" in raised.value.hint


def test_utf16_and_bytes_are_found() -> None:
    data = b"\0\0" + "Geheim".encode("utf-16-le") + b"\xff\x00\xfe"
    assert search_window(BytesWindow(data), parse_pattern("u16:Geheim"), quiet()) == [(2, 12)]
    assert search_window(BytesWindow(data), parse_pattern("hex:ff00FE"), quiet()) == [(14, 3)]


def test_an_expression_that_matches_nothing_at_all_finds_nothing() -> None:
    assert search_window(BytesWindow(b"abc"), parse_pattern("re:x*"), quiet()) == []


@pytest.mark.parametrize("text", ["", "re:(", "re:a{9999}", "hex:", "hex:abc", "hex:xy", "u16:"])
def test_what_is_no_search_is_said(text: str) -> None:
    with pytest.raises(UsageError):
        parse_pattern(text)


def test_a_colon_alone_makes_no_form() -> None:
    assert parse_pattern("http://x").literal == b"http://x"


def test_too_many_matches_are_cut_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MAX_MATCHES", 5)
    one = memory((0x1000, 1, PE_PRESENT), pages=b"a" * PAGE)
    found = find_all([Area(1, one)], Pattern(b"a"), quiet())
    assert len(found.matches) == 5
    assert found.is_cut


def test_cancelling_stops_a_search() -> None:
    one = memory((0x1000, 1, PE_PRESENT), pages=bytes(PAGE))
    with pytest.raises(Cancelled):
        find_all([Area(1, one)], Pattern(b"a"), Progress(cancelled=lambda: True))


class Broken(BytesWindow):
    def read(self, offset: int, length: int) -> bytes:
        raise SourceUnreachable("Reading failed.")


def test_what_cannot_be_read_is_told_beside_the_rest() -> None:
    broken = memory((0x1000, 1, PE_PRESENT), pages=b"")
    broken.pages, broken._size = Broken(bytes(PAGE)), PAGE
    whole = memory((0x1000, 1, PE_PRESENT), pages=b"needle".ljust(PAGE))
    found = find_all([Area(1, broken), Area(2, whole)], Pattern(b"needle"), quiet())
    assert [match.pid for match in found.matches] == [2]
    assert found.problems == ["Reading failed."]


def test_shared_memory_is_searched_once_at_the_address_of_a_process(data: object) -> None:
    opened = open_checkpoint(f"{data}/images/kinds", quiet())
    checkpoint = opened.load(quiet())
    try:
        areas = areas_of(opened.memory, checkpoint.memory)
        found = find_all(areas, Pattern(b"sharedshared"), quiet())
        region = next(r for r in checkpoint.memory[0].regions if r.kind == "shared")
        shared = [m for m in found.matches if region.start <= m.address < region.end]
        assert shared[0].address == region.start
        assert shared[0].pid == region.pid
        assert len(shared) == 6000 // len(b"sharedshared")
    finally:
        opened.close()
