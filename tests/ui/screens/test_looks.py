"""How the screens look, on the bundled checkpoints; nothing of this machine is in them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from driving import UI, press, without_pause

from ckpt_tui.formats import roots
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens import reading
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.views import card, listing, overview

SIZES = [(80, 24), (120, 40)]
NOW = datetime(2026, 12, 24, 12, tzinfo=UTC)
FILES = ("counter.tar.zst", "counter-optimized.oci.tar", "web.tar.zst", "web.restore.log")


class Stopped(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return NOW


@pytest.fixture(autouse=True)
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The working folder has a folder `demo`; no clock runs, and this host is as any other."""
    monkeypatch.chdir(tmp_path)
    demo = tmp_path / "demo"
    demo.mkdir()
    for number, name in enumerate((*FILES, "base-bb.oci.tar")):
        shutil.copy(UI.parent / "demo" / name, demo / name)
        os.utime(demo / name, (NOW.timestamp() - 3600 * (number + 2),) * 2)
    for module in (listing, card, overview):
        monkeypatch.setattr(module, "datetime", Stopped)
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    monkeypatch.setattr(BrowseCard, "set_timer", without_pause)
    monkeypatch.setattr("ckpt_tui.diagnose.host.this_host", lambda: None)
    monkeypatch.setattr(reading, "this_host", lambda: None)
    monkeypatch.setattr(reading, "base_tree", lambda *_: nullcontext())


def keys(*pressed: str) -> Callable[[Any], Any]:
    """Return what presses keys, each when the screen rests."""
    return lambda pilot: press(pilot, *pressed)


@pytest.mark.parametrize("size", SIZES)
def test_the_browser(snap_compare: Any, size: tuple[int, int]) -> None:
    async def look(pilot: Any) -> None:
        await keys()(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, BrowseScreen)
        screen.put_cursor("demo/web.tar.zst")
        await keys()(pilot)

    app = CkptApp((), Path("demo"), "demo checkpoints")
    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("tab", "key"),
    [("overview", "1"), ("processes", "2"), ("images", "8"), ("diagnosis", "0")],
)
def test_a_checkpoint(snap_compare: Any, tab: str, key: str, size: tuple[int, int]) -> None:
    app = CkptApp(["demo/web.tar.zst"], Path("demo"))
    assert snap_compare(app, terminal_size=size, run_before=keys(key))


@pytest.mark.parametrize("size", SIZES)
def test_an_optimized_checkpoint(snap_compare: Any, size: tuple[int, int]) -> None:
    app = CkptApp(["demo/counter-optimized.oci.tar"], Path("demo"))
    assert snap_compare(app, terminal_size=size, run_before=keys("9"))


@pytest.mark.parametrize("size", SIZES)
def test_what_cannot_be_opened(snap_compare: Any, size: tuple[int, int]) -> None:
    app = CkptApp(["nowhere.tar"], Path("demo"))
    assert snap_compare(app, terminal_size=size, run_before=keys())


@pytest.mark.parametrize("size", SIZES)
def test_the_plan_of_a_conversion(snap_compare: Any, size: tuple[int, int]) -> None:
    async def plan(pilot: Any) -> None:
        await keys()(pilot)
        pilot.app.push_screen(ConvertScreen("demo/web.tar.zst", "oci:store:web"))
        await keys()(pilot)

    app = CkptApp((), Path("demo"), "demo checkpoints")
    assert snap_compare(app, terminal_size=size, run_before=plan)
