"""Page maps and the memory they describe."""

from __future__ import annotations

from typing import Any

import pytest
from criu_images import IMAGES, image, real
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu import pages
from ckpt_tui.criu.pages import (
    Dumped,
    Memory,
    PageMap,
    PageState,
    Run,
    Span,
    page_size_of,
    strings_at,
)
from ckpt_tui.criu.schema import memory_pb2

PAGE = 4096


def entry(start: int, count: int, flags: int | None = 4, **rest: Any) -> Message:
    if flags is not None:
        rest["flags"] = flags
    return memory_pb2.pagemap_entry(vaddr=start * PAGE, nr_pages=count, compat_nr_pages=0, **rest)


def page_map(*entries: Message | bytes) -> PageMap:
    data = image("PAGEMAP", memory_pb2.pagemap_head(pages_id=7), *entries)
    return PageMap.read(BytesWindow(data), "pagemap-1.img", quiet())


def memory(*entries: Message, pages: bytes | None = None, parent: Memory | None = None) -> Memory:
    return Memory(page_map(*entries), BytesWindow(pages) if pages else None, PAGE, parent)


def filled(*values: int) -> bytes:
    return b"".join(bytes([value]) * PAGE for value in values)


def real_memory(pid: int, pages_id: int) -> Memory:
    name = f"pagemap-{pid}.img"
    found = PageMap.read(BytesWindow((IMAGES / "counter" / name).read_bytes()), name, quiet())
    assert (found.pages_id, found.problem) == (pages_id, "")
    return Memory(found, BytesWindow((IMAGES / f"counter/pages-{pages_id}.img").read_bytes()), PAGE)


def test_the_page_image_of_a_real_process_has_the_expected_size() -> None:
    size = (IMAGES / "counter/pages-1.img").stat().st_size
    found = real_memory(1, 1).pagemap
    assert found.size_problem(size, PAGE) == ""
    assert "18 pages of 4096 bytes, 73728 bytes in all" in found.size_problem(size - 1, PAGE)


def test_the_command_line_of_a_real_process_is_in_its_memory() -> None:
    mm: Any = real("counter/mm-1.img").first
    arguments = strings_at(real_memory(1, 1), mm.mm_arg_start, mm.mm_arg_end)
    assert arguments[:2] == (b"sh", b"-c")
    environment = strings_at(real_memory(1, 1), mm.mm_env_start, mm.mm_env_end)
    assert any(line.startswith(b"PATH=") for line in environment)
    assert page_size_of(mm.mm_saved_auxv) == PAGE


def test_the_regions_of_a_real_process_hold_all_of_its_pages() -> None:
    mm: Any = real("counter/mm-1.img").first
    found = real_memory(1, 1)
    dumped = [found.dumped_in(vma.start, vma.end) for vma in mm.vmas]
    assert sum(item.data for item in dumped) == found.pagemap.present * PAGE == 73728


def test_the_count_is_in_field_five_or_in_field_two() -> None:
    old = memory_pb2.pagemap_entry(vaddr=PAGE, compat_nr_pages=3, flags=4)
    both = memory_pb2.pagemap_entry(vaddr=PAGE, compat_nr_pages=0, nr_pages=2, flags=4)
    assert [page_map(item).present for item in (old, both)] == [3, 2]


def test_flags_are_made_up_where_there_are_none() -> None:
    found = page_map(
        entry(1, 1, None), entry(2, 1, None, in_parent=True), entry(3, 1, 4, in_parent=True)
    )
    assert [run.flags for run in found.runs] == [4, 1, 5]


def test_runs_without_contents_take_no_room_in_the_page_image() -> None:
    found = page_map(entry(1, 2), entry(5, 3, 1), entry(8, 1, 2), entry(9, 1, 6))
    assert list(found.runs)[-1] == Run(9 * PAGE, 1, 6, 2)
    assert [run.first_page for run in found.runs] == [0, None, None, 2]
    assert (found.present, found.parent, found.lazy) == (3, 3, 1)


def test_every_kind_of_hole_is_told_apart() -> None:
    found = memory(entry(1, 1), entry(2, 1, 1), entry(3, 1, 2), entry(5, 2), pages=filled(1, 2))
    read = found.read(0, 7 * PAGE)
    assert read.data == filled(0, 1, 0, 0, 0, 2, 0)
    assert [(hole.start // PAGE, hole.state) for hole in read.holes] == [
        (0, PageState.ABSENT),
        (2, PageState.PARENT),
        (3, PageState.LAZY),
        (4, PageState.ABSENT),
        (6, PageState.MISSING),
    ]
    assert found.dumped_in(0, 7 * PAGE) == Dumped(3 * PAGE, PAGE, PAGE, 2 * PAGE)


def test_a_read_may_begin_and_end_inside_of_a_page() -> None:
    found = memory(entry(1, 2), pages=filled(1, 2))
    assert found.read(2 * PAGE - 1, 2).data == b"\1\2"
    assert list(found.spans(PAGE + 5, PAGE + 9)) == [Span(PAGE + 5, PAGE + 9, PageState.DATA, 5)]


def test_pages_of_the_previous_dump_are_read_from_there() -> None:
    before = memory(entry(1, 1), entry(2, 1), pages=filled(7, 8))
    found = memory(entry(1, 2, 1), entry(3, 1), pages=filled(9), parent=before)
    read = found.read(PAGE, 3 * PAGE)
    assert (read.data, read.holes) == (filled(7, 8, 9), ())


def test_without_a_page_image_everything_in_it_is_missing() -> None:
    (hole,) = memory(entry(1, 1)).read(PAGE, 8).holes
    assert hole.state is PageState.MISSING


def test_strings_that_are_not_dumped_say_where_they_are() -> None:
    found = memory(entry(1, 1, 1))
    with pytest.raises(CkptError, match="0x1000 is in the previous dump"):
        strings_at(found, PAGE, PAGE + 10)
    with pytest.raises(CkptError, match="not a valid range"):
        strings_at(found, PAGE, 0)
    assert strings_at(found, PAGE, PAGE) == ()


def test_empty_strings_between_others_stay() -> None:
    data = b"a\0\0b\0".ljust(PAGE, b"x")
    assert strings_at(memory(entry(1, 1), pages=data), PAGE, PAGE + 5) == (b"a", b"", b"b")


def test_runs_before_the_damage_stay() -> None:
    found = page_map(entry(1, 1), entry(2, 1), b"\xff\xff")
    assert (len(found), found.pages_id) == (2, 7)
    assert "pagemap-1.img is damaged at byte" in found.problem


def test_addresses_that_do_not_ascend_are_damage() -> None:
    found = page_map(entry(2, 1), entry(1, 1))
    assert len(found) == 1
    assert "do not ascend" in found.problem


def test_a_map_of_too_many_runs_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_RUNS", 1)
    found = page_map(entry(1, 1), entry(2, 1))
    assert len(found) == 1
    assert "more than 1 runs" in found.problem


def test_only_sizes_that_pages_have_are_believed() -> None:
    assert page_size_of([6, 65536, 0, 0]) == 65536
    assert page_size_of([6, 1, 0, 0]) == 4096
    assert page_size_of([], 16384) == 16384


RUNS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 2**64 - 1) | st.integers(0, 5), st.integers(0, 7)),
    max_size=6,
)


@given(RUNS, st.integers(0, 40 * PAGE), st.integers(0, 20 * PAGE), st.integers(0, 6))
def test_spans_cover_any_range_once(
    runs: list[tuple[int, int, int]], start: int, length: int, there: int
) -> None:
    runs = sorted({run[0]: run for run in runs}.values())
    found = memory(*[entry(*run) for run in runs], pages=bytes(there * PAGE))
    spans = list(found.spans(start, start + length))
    assert [span.start for span in spans] == [start, *[span.end for span in spans]][: len(spans)]
    assert (spans[-1].end if spans else start) == start + length
    assert len(found.read(start, length).data) == length
    sums = found.dumped_in(start, start + length)
    assert sums.data + sums.parent + sums.lazy + sums.absent == length
