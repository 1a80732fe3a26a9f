"""The bytes of regions, and what is said of those that are not in the dump."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.model import Region
from ckpt_tui.checkpoint.regions import MemoryWindow, absent_text, region_window
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.pages import PE_LAZY, PE_PARENT, PE_PRESENT, Memory, PageMap, PageState
from ckpt_tui.formats.opened import open_checkpoint

PAGE = 4096


def test_a_window_reads_across_pages_and_tells_where_each_byte_is() -> None:
    page_map = PageMap("pagemap-1.img", 1)
    for run in ((0x1000, 1, PE_PRESENT), (0x2000, 1, PE_PARENT), (0x4000, 1, PE_LAZY)):
        page_map._append(*run)
    window = MemoryWindow(Memory(page_map, BytesWindow(b"a" * PAGE)), 0x1000, 0x5000)
    assert window.size == 4 * PAGE
    assert window.read(PAGE - 2, 4) == b"aa\0\0"
    assert window.read(window.size - 1, 10) == b"\0"
    assert window.read(window.size, 1) == b""
    assert [window.state_at(n * PAGE) for n in range(4)] == [
        PageState.DATA,
        PageState.PARENT,
        PageState.ABSENT,
        PageState.LAZY,
    ]


def test_without_a_page_map_nothing_is_in_the_dump() -> None:
    window = MemoryWindow(None, 0, PAGE)
    assert window.read(0, 4) == bytes(4)
    assert window.state_at(0) is PageState.ABSENT


def test_a_shared_region_reads_from_its_object(data: Path) -> None:
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    region = next(r for r in opened.load(quiet()).memory[0].regions if r.kind == "shared")
    window = region_window(opened.memory, region)
    assert window.read(0, 12) == b"sharedshared"
    moved = dataclasses.replace(region, offset=4, end=region.end - 4)
    assert region_window(opened.memory, moved).read(0, 8) == b"edshared"
    opened.close()


@pytest.mark.parametrize(
    ("kind", "protection", "state", "expected"),
    [
        ("file", "r--p", PageState.ABSENT, "not dumped: as in /bin/x"),
        ("heap", "rw-p", PageState.ABSENT, "not dumped: zeros"),
        ("anonymous", "---p", PageState.ABSENT, "not dumped: no access allowed"),
        ("vvar", "r--p", PageState.ABSENT, "not dumped: from the kernel"),
        ("heap", "rw-p", PageState.PARENT, "in the previous dump, which is not at hand"),
        ("heap", "rw-p", PageState.MISSING, "missing from the page image"),
    ],
)
def test_a_hole_is_told_for_what_it_is(
    kind: str, protection: str, state: PageState, expected: str
) -> None:
    region = Region(1, 0, PAGE, kind, protection, path="/bin/x")
    assert absent_text(region, state) == expected
