"""The treemap widget: what its tiles say, whatever the names are."""

from __future__ import annotations

from demo import HOSTILE, Demo, screen_text
from rich.cells import cell_len

from ckpt_tui.ui.widgets.treemap import Treemap, tile_line
from ckpt_tui.views.bars import BarPart
from ckpt_tui.views.treemap import Tile


def test_every_line_of_a_tile_is_as_wide_as_the_tile() -> None:
    for label in ("pages", "文件文件文件", HOSTILE, ""):
        part = BarPart(label, 4096, "pages", "a note")
        for width in range(1, 30):
            for row in range(4):
                line = tile_line(part, Tile(0, 0, width, 4), row, chosen=row == 1)
                assert cell_len(line) == width


def test_a_tile_of_one_line_has_name_and_size() -> None:
    assert tile_line(BarPart("pages", 4096, "pages"), Tile(0, 0, 20, 1), 0, False).startswith(
        "┌pages 4.00 KiB"
    )


async def test_small_parts_are_one_tile_that_says_how_many() -> None:
    parts = [
        BarPart("large", 1_000_000, "pages"),
        *(BarPart(f"p{n}", 3000, "delta") for n in range(99)),
    ]
    app = Demo(lambda: Treemap([*parts[1:], BarPart("other", 90_000, "delta"), parts[0]]))
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        treemap = app.query_one(Treemap)
        assert [p.label for p in treemap.parts[:2]] == ["large", "other"]
        assert treemap.index == 0
        assert "┏large" in screen_text(app)
        assert "… 99 smaller" in screen_text(app)


async def test_no_parts_say_so() -> None:
    app = Demo(lambda: Treemap([], empty="No bytes here"))
    async with app.run_test(size=(40, 10)) as pilot:
        await pilot.pause()
        assert "No bytes here" in screen_text(app)
