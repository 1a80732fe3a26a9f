"""The demonstration: every stop works, forwards and backwards, and can be left."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle

from ckpt_tui.core.config import Config
from ckpt_tui.core.paths import own_store
from ckpt_tui.demo import demo_folder
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.settings import checked
from ckpt_tui.ui.tour import STEPS, DemoApp, TourPanel

SHOWN = (
    "web.tar.zst",
    "sh /programs/web.sh",
    "SECRET_TOKEN=••••••",
    "SECRET_TOKEN=hunter2-demo",
    "GET /account?id=7",
    "live TCP",
    "in place",
    "Plan",
    "Written and verified",
    "processes: 2 the same",
)
"""What must be on the screen at each stop: worked out from the checkpoints, not from the text."""


@asynccontextmanager
async def touring(size: tuple[int, int], theme: str = "dark") -> AsyncIterator[tuple[DemoApp, Any]]:
    with demo_folder() as folder:
        app = DemoApp(folder, checked(Config(theme=theme), "c"))
        async with app.run_test(size=size) as pilot:
            await settle(app, pilot)
            yield app, pilot


def panel_title(app: DemoApp) -> str:
    return str(app.screen.query_one(TourPanel).border_title)


@pytest.mark.parametrize(
    ("size", "theme"), [((80, 24), "dark"), ((120, 40), "light"), ((80, 24), "ansi")]
)
async def test_n_walks_through_every_stop(size: tuple[int, int], theme: str) -> None:
    async with touring(size, theme) as (app, pilot):
        for number, words in enumerate(SHOWN):
            assert panel_title(app).startswith(f"{number + 1} of {len(STEPS)}")
            assert words in screen_text(app), STEPS[number].title
            assert "n next   p back   esc ends" in screen_text(app), "who presents sees the key"
            await pilot.press("n")
            await settle(app, pilot)
        assert not app.screen.query(TourPanel), "after the last stop the tour is over"
        assert isinstance(app.screen, CompareScreen)
        made = app.made
    assert not made.exists()
    assert not own_store().exists(), "the user's own store is left alone"


@pytest.mark.parametrize("stop", [3, 7, 9])
async def test_keys_pressed_faster_than_the_screens_follow_all_count(stop: int) -> None:
    async with touring((80, 24)) as (app, pilot):
        for _ in range(stop):
            await app.action_tour(1)
        await settle(app, pilot)
        assert panel_title(app).startswith(f"{stop + 1} of")
        assert SHOWN[stop] in screen_text(app)


async def test_p_goes_back_to_the_same_state() -> None:
    async with touring((80, 24)) as (app, pilot):
        for key in ("n", "n", "n", "n", "p", "p"):
            await pilot.press(key)
            await settle(app, pilot)
        assert panel_title(app).startswith("3 of")
        assert SHOWN[2] in screen_text(app)
        await pilot.press("p", "p", "p")
        await settle(app, pilot)
        assert panel_title(app).startswith("1 of")
        assert isinstance(app.screen, BrowseScreen)


@pytest.mark.parametrize("stops", [0, 4, 8])
async def test_escape_ends_the_tour_at_any_stop(stops: int) -> None:
    async with touring((80, 24)) as (app, pilot):
        for _ in range(stops):
            await pilot.press("n")
            await settle(app, pilot)
        await pilot.press("escape")
        await settle(app, pilot)
        assert not [p for screen in app.screen_stack for p in screen.query(TourPanel)]
        await pilot.press("n")
        await settle(app, pilot)
        assert app.stop == -1, "n belongs to the screens again"


async def test_letters_typed_into_a_line_do_not_move_the_tour() -> None:
    async with touring((80, 24)) as (app, pilot):
        await pilot.press("f", "n", "p")
        await settle(app, pilot)
        assert app.stop == 0


def test_texts_fit_beside_the_screen() -> None:
    assert len(STEPS) == len(SHOWN) <= 10
    for step in STEPS:
        assert len(textwrap.wrap(step.text, 78)) <= 2, step.title


def test_the_files_of_the_demo_come_along() -> None:
    with demo_folder() as folder:
        assert {"web.tar.zst", "counter.tar.zst", "base-bb.oci.tar"} <= {
            p.name for p in Path(folder).iterdir()
        }
