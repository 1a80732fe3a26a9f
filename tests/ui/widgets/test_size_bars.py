"""Bars in an app."""

from __future__ import annotations

from typing import Any

from demo import HOSTILE, Demo, assert_harmless, screen_text
from textual.widget import Widget

from ckpt_tui.ui.widgets.size_bars import StackedBar
from ckpt_tui.views.bars import BarPart

PARTS = (
    BarPart("pages", 140 << 20, "pages", note="one layer per process"),
    BarPart("delta", 51 << 20, "delta", note="16 added, 3 deleted"),
    BarPart("metadata", 9 << 20, "metadata"),
    BarPart("images", 21 << 20, "images"),
    BarPart("base", 77 << 20, "base"),
    BarPart("volumes", 12 << 20, "volumes"),
)


def bar(parts: tuple[BarPart, ...] = PARTS) -> Widget:
    return StackedBar(parts, empty="no layers")


async def test_bars_follow_what_is_shown() -> None:
    app = Demo(bar)
    async with app.run_test(size=(80, 24)) as pilot:
        assert "▇ pages 140 MiB" in screen_text(app)
        app.query_one(StackedBar).show((BarPart("other", 5, "pages"),))
        await pilot.pause()
        assert "▇ other 5 B" in screen_text(app)
        app.query_one(StackedBar).show(())
        await pilot.pause()
        assert "no layers" in screen_text(app)


async def test_hostile_labels_are_only_letters() -> None:
    app = Demo(lambda: bar((BarPart(HOSTILE, 4, "pages", note=HOSTILE),)))
    async with app.run_test(size=(180, 24)):
        assert_harmless(app)


def test_looks_narrow(snap_compare: Any) -> None:
    assert snap_compare(Demo(bar), terminal_size=(80, 24))


def test_looks_wide(snap_compare: Any) -> None:
    assert snap_compare(Demo(bar, theme="ckpt-light"), terminal_size=(120, 40))
