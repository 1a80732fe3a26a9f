"""The hex view: any length, any window, read only where it is looked at."""

from __future__ import annotations

from typing import Any

from demo import Demo, screen_text

from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.ui.widgets.hex_view import BLOCK, HexView


class Endless:
    """64 GiB in which every byte is the low byte of its block's number; counts what is read."""

    size = 64 << 30

    def __init__(self, damaged: int = -1) -> None:
        self.reads: list[int] = []
        self.damaged = damaged

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append(offset // BLOCK)
        if offset // BLOCK == self.damaged:
            raise DamagedInput("pages-1.img", offset, "the stream ends here.")
        return bytes([offset // BLOCK & 0xFF]) * min(length, self.size - offset)


async def settle(app: Demo, pilot: Any) -> None:
    """Wait until every block in view has been read."""
    for _ in range(1000):
        await app.workers.wait_for_complete()
        await pilot.pause()
        if "…" not in screen_text(app):
            return
    raise AssertionError("blocks are missing")


def view(window: ByteWindow, base: int = 0) -> Demo:
    return Demo(lambda: HexView(window, base=base))


async def test_sixty_four_gibibytes_are_read_only_where_they_are_seen() -> None:
    window = Endless()
    app = view(window)
    async with app.run_test(size=(100, 24)) as pilot:
        hexes = app.query_one(HexView)
        await settle(app, pilot)
        assert "000000000000  00 00" in screen_text(app)
        hexes.focus()
        await pilot.press("end")
        await settle(app, pilot)
        assert "000ffffffff0  ff ff" in screen_text(app)
        hexes.goto(5 * BLOCK + 7)
        await settle(app, pilot)
        assert "000000050000  05 05" in screen_text(app)
        assert hexes.place == 5 * BLOCK + 7
    last = Endless.size // BLOCK - 1
    assert set(window.reads) <= {0, 1, 3, 4, 5, 6, last - 1, last}, "those beside, for secrets"


async def test_keys_scroll_by_lines_and_pages() -> None:
    app = view(Endless())
    async with app.run_test(size=(100, 24)) as pilot:
        hexes = app.query_one(HexView)
        hexes.focus()
        for key, line in {"j": 1, "pagedown": 25, "ctrl+u": 13, "k": 12, "home": 0}.items():
            await pilot.press(key)
            assert hexes.scroll_offset.y == line, key
        await settle(app, pilot)


async def test_a_damaged_block_says_why_beside_the_others() -> None:
    app = view(Endless(damaged=1))
    async with app.run_test(size=(120, 24)) as pilot:
        await settle(app, pilot)
        app.query_one(HexView).scroll_to(y=BLOCK // 16 - 5, animate=False)
        await pilot.pause()
        await settle(app, pilot)
        lines = screen_text(app).split("\n")
    assert "00 00" in lines[4]
    assert "✖ pages-1.img is damaged at byte 65536: the stream ends here." in lines[5]
    assert sum("damaged" in line for line in lines) == 1


async def test_offsets_begin_at_the_base_and_narrow_views_have_eight_bytes() -> None:
    app = view(BytesWindow(bytes(range(40))), base=0x7F00_0000_0000)
    async with app.run_test(size=(60, 24)) as pilot:
        await settle(app, pilot)
        lines = screen_text(app).split("\n")
    assert lines[1].strip() == "7f0000000008  08 09 0a 0b 0c 0d 0e 0f  ········"
    assert lines[4].strip() == "7f0000000020  20 21 22 23 24 25 26 27   !\"#$%&'"


async def test_marks_are_stepped_through_both_ways() -> None:
    app = view(BytesWindow(b"\0" * 100_000))
    async with app.run_test(size=(100, 24)) as pilot:
        hexes = app.query_one(HexView)
        hexes.mark([(70_000, 4), (3, 2), (9, 2)])
        places = []
        for step in (hexes.next_mark, hexes.next_mark, hexes.next_mark, hexes.next_mark):
            places.append((step(), hexes.place))
        assert places == [(True, 3), (True, 9), (True, 70_000), (False, 70_000)]
        assert hexes.previous_mark()
        assert hexes.previous_mark()
        assert (hexes.previous_mark(), hexes.place) == (False, 3)
        await settle(app, pilot)


async def test_another_window_replaces_what_was_read() -> None:
    app = view(BytesWindow(b"first"))
    async with app.run_test(size=(100, 24)) as pilot:
        await settle(app, pilot)
        app.query_one(HexView).show(BytesWindow(b"second"))
        await pilot.pause()
        await settle(app, pilot)
        assert "second" in screen_text(app)
        app.query_one(HexView).show(BytesWindow(b""), empty="This image holds no pages")
        await pilot.pause()
        assert "This image holds no pages" in screen_text(app)


async def test_a_resize_keeps_the_place_in_view() -> None:
    app = view(Endless())
    async with app.run_test(size=(100, 24)) as pilot:
        app.query_one(HexView).goto(9 * BLOCK)
        await settle(app, pilot)
        await pilot.resize_terminal(50, 24)
        await pilot.pause()
        await settle(app, pilot)
        assert "000000090000" in screen_text(app)


SAMPLE = bytes(range(256)) * 3 + b"[kthreadd] \x1b]0;PWN\x07" + bytes(60) + "grün".encode()


async def _marked(pilot: Any) -> None:
    hexes = pilot.app.query_one(HexView)
    hexes.mark([(SAMPLE.index(b"[kth"), 10), (20, 30)])
    await settle(pilot.app, pilot)


def test_looks_narrow(snap_compare: Any) -> None:
    app = view(BytesWindow(SAMPLE))
    assert snap_compare(app, terminal_size=(80, 24), run_before=_marked)


def test_looks_wide(snap_compare: Any) -> None:
    app = view(BytesWindow(SAMPLE), base=0x7FFC_0000_0000)
    assert snap_compare(app, terminal_size=(120, 40), run_before=_marked)
