"""The screen of two checkpoints: marked in the browser, compared, looked into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from demo import screen_text
from screenshots import settle
from textual.widgets import Input

from ckpt_tui.demo import demo_folder
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.chain import ChainScreen
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.compare import CompareScreen
from ckpt_tui.ui.screens.formats import FormatsScreen
from ckpt_tui.ui.widgets.facts import Facts
from ckpt_tui.ui.widgets.hex_view import HexView
from ckpt_tui.ui.widgets.virtual_table import VirtualTable
from ckpt_tui.views.difference_lines import ONE_DUMP, DiffLine
from crafted import ARCHIVES, tarred, unpacked


async def comparing(pilot: Any, *targets: Path) -> CkptApp:
    """Compare two targets on the screen, and wait for the result."""
    app: CkptApp = pilot.app
    app.push_screen(CompareScreen(*map(str, targets)))
    await settle(app, pilot)
    return app


def found(app: CkptApp) -> list[DiffLine]:
    screen = app.screen
    assert isinstance(screen, CompareScreen)
    return screen._lines


async def go_to(app: CkptApp, pilot: Any, number: int) -> None:
    app.screen.query_one(VirtualTable).cursor = number
    await settle(app, pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_differences_and_memory_are_shown(data: Path, size: tuple[int, int]) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=size) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        text = screen_text(app)
        assert "cri-crio.tar  ↔  cri-podman.tar" in text
        assert "processes: 2 changed" in text
        assert "▇ changed" in text


async def test_two_formats_of_one_dump_are_known_and_t_shows_what_they_cost(tmp_path: Path) -> None:
    with demo_folder() as folder:
        legacy, optimized = folder / "counter.tar.zst", folder / "counter-optimized.oci.tar"
        async with CkptApp((), tmp_path).run_test(size=(80, 24)) as pilot:
            app = await comparing(pilot, optimized, legacy)
            assert ONE_DUMP in screen_text(app)
            await pilot.press("t")
            await settle(app, pilot)
            assert isinstance(app.screen, FormatsScreen)
            assert app.screen.target == str(optimized), "the one whose parts are stored apart"
            await pilot.press("escape")
            await settle(app, pilot)
            await comparing(pilot, legacy, folder / "web.tar.zst")
            assert ONE_DUMP not in screen_text(app)


async def test_enter_on_a_region_shows_the_changed_bytes_of_both(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        number = next(i for i, ln in enumerate(found(app)) if ln.region and ln.region.places)
        region = found(app)[number].region
        assert region is not None
        await go_to(app, pilot, number)
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen.has_class("-hex")
        before, after = app.screen.query(HexView)
        first = before.place
        page, length = region.places[0]
        assert page <= first < page + length, "the byte, not the page it is in"
        data = [view._window.read(first, 1) for view in (before, after)]
        assert data[0] != data[1]
        await pilot.press("n")
        assert after.place == before.place > first
        await pilot.press("home", "pagedown")
        await settle(app, pilot)
        assert before.scroll_offset == after.scroll_offset, "both sides move"
        assert after.scroll_offset.y > 0
        await pilot.press("escape")
        assert not app.screen.has_class("-hex")


async def test_enter_on_a_file_opens_it_in_its_checkpoint(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        lines = found(app)
        number = next(i for i, ln in enumerate(lines) if ln.change and ln.change.area == "delta")
        await go_to(app, pilot, number)
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, CheckpointScreen)
        assert "6 Disk" in screen_text(app)


async def test_a_filter_keeps_lines_with_its_words(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        await pilot.press("f", *"hostname")
        await settle(app, pilot)
        rows = app.screen.query_one(VirtualTable).rows
        assert 0 < len(rows) < len(found(app))
        facts = str(app.screen.query_one(Facts).sections)
        assert "9166e5bb16e1" in facts, "the panel shows the first row that is left"
        await pilot.press("escape", "escape")
        await settle(app, pilot)
        assert len(app.screen.query_one(VirtualTable).rows) == len(found(app))


async def test_what_is_no_checkpoint_is_said(data: Path) -> None:
    archives = data / "archives"
    async with CkptApp((), archives).run_test(size=(80, 24)) as pilot:
        app = await comparing(pilot, archives / "cri-crio.tar", archives / "base-bb.oci.tar")
        assert "No checkpoint found" in " ".join(screen_text(app).split())
        assert "Comparing memory" not in screen_text(app)
        await pilot.press("q")
        await settle(app, pilot)
        assert isinstance(app.screen, BrowseScreen)


def crio_with(folder: Path, name: str, **files: bytes) -> Path:
    """Return the CRI-O checkpoint with these files in its delta."""
    target = unpacked(ARCHIVES / "cri-crio.tar", folder / name)
    (target / "rootfs-diff.tar").unlink()
    tarred(target / "rootfs-diff.tar", files)
    return target


async def test_enter_on_a_file_goes_to_the_first_changed_byte(tmp_path: Path) -> None:
    old = crio_with(tmp_path, "old", log=b"x" * 5000, grown=b"1")
    new = crio_with(tmp_path, "new", log=b"x" * 4000 + b"y" + b"x" * 999, grown=b"12")
    async with CkptApp((), tmp_path).run_test(size=(120, 40)) as pilot:
        app = await comparing(pilot, old, new)
        lines = {ln.title: (i, ln) for i, ln in enumerate(found(app)) if ln.file}
        assert set(lines) == {"/log", "/grown"}
        assert lines["/grown"][1].change is not None, "its size has a line already"
        await go_to(app, pilot, lines["/log"][0])
        row = app.screen.query_one(VirtualTable).highlighted
        assert row is not None
        assert row.cells[3] == "1 byte changed from byte 4,000"
        await pilot.press("enter")
        await settle(app, pilot)
        assert app.screen.has_class("-hex")
        assert [v.place for v in app.screen.query(HexView)] == [4000, 4000]
        assert "before: /log   1 changed place" in screen_text(app)


async def test_enter_on_a_line_that_leads_nowhere_says_so(data: Path) -> None:
    archives = data / "archives"
    app = CkptApp((), archives)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await comparing(pilot, archives / "cri-crio.tar", archives / "cri-podman.tar")
        titles = [line.title for line in found(app)]
        for count, title in enumerate(("Container", "name"), 1):
            await go_to(app, pilot, titles.index(title))
            await pilot.press("enter")
            await settle(app, pilot)
            assert isinstance(app.screen, CompareScreen)
            assert len(app._notifications) == count


async def test_a_step_that_failed_is_not_taken_for_the_first(data: Path) -> None:
    archives = data / "archives"
    targets = [str(archives / n) for n in ("cri-crio.tar", "base-bb.oci.tar", "cri-podman.tar")]
    app = CkptApp(compared=targets)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        said = []
        for number in range(3):
            await go_to(app, pilot, number)
            said.append("has no predecessor" in screen_text(app))
        assert said == [True, False, False]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_three_checkpoints_are_a_time_line(data: Path, size: tuple[int, int]) -> None:
    archives = data / "archives"
    targets = [str(archives / n) for n in ("cri-crio.tar", "base-bb.oci.tar", "cri-podman.tar")]
    app = CkptApp(compared=targets)
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        text = screen_text(app)
        assert "3 checkpoints in a row" in text
        assert "✖" in text, "the image without a checkpoint is named"
        rows = app.screen.query_one(VirtualTable).rows
        assert "~2" in str(rows[2].cells[2]), "both processes changed since the last readable one"
        await go_to(app, pilot, 2)
        await pilot.press("enter")
        await settle(app, pilot)
        assert "cri-crio.tar  ↔  cri-podman.tar" in screen_text(app)
        await pilot.press("escape")
        await settle(app, pilot)
        assert isinstance(app.screen, ChainScreen)


async def test_a_third_one_makes_a_time_line_of_two(data: Path) -> None:
    archives = data / "archives"
    crio = archives / "cri-crio.tar"
    async with CkptApp((), archives).run_test(size=(80, 24)) as pilot:
        app = await comparing(pilot, crio, crio)
        await pilot.press("a")
        await settle(app, pilot)
        line = app.focused
        assert isinstance(line, Input)
        assert line.value == f"{archives}/"
        line.value = str(archives / "cri-podman.tar")
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, ChainScreen)
        assert [link.problem for link in app.screen.links] == ["", "", ""]
        assert app.screen.links[1].counts is not None
        assert app.screen.links[1].counts.complete
