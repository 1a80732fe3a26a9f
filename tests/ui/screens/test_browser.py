"""The browser: places on the left, the card of what is under the cursor on the right."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from browsing import browser, card, go_to, labels
from demo import screen_text
from driving import settle, without_pause

from ckpt_tui.core.errors import SourceUnreachable
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats import roots
from ckpt_tui.formats.entries import Entry
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens import browse_list
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.convert import ConvertScreen
from ckpt_tui.ui.widgets.search_bar import SearchBar
from crafted import ARCHIVES, copied


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two archives, a folder, and something that is not a checkpoint."""
    here = tmp_path / "here"
    here.mkdir()
    for name in ("counter.tar.zst", "cri-podman.tar"):
        shutil.copy(ARCHIVES / name, here / name)
    (here / "cut.tar.zst").write_bytes((ARCHIVES / "counter.tar.zst").read_bytes()[:600])
    (here / "more").mkdir()
    copied("kinds", here / "more")
    (here / "notes.txt").write_text("nothing")
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    monkeypatch.setattr(BrowseCard, "set_timer", without_pause)
    return here


async def test_the_folder_is_listed_and_what_is_no_checkpoint_left_out(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        found = labels(app)
        assert found[:5] == ["here", "counter.tar.zst", "cri-podman.tar", "cut.tar.zst", "more"]
        assert "notes.txt" not in found
        assert "own store" in found


async def test_the_card_tells_what_is_under_the_cursor(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "counter.tar.zst")
        assert "podman archive, zstd, legacy" in card(app)
        assert "2 processes, 6 descriptors, 0 sockets" in card(app)
        await go_to(pilot, "cri-podman.tar")
        assert "podman archive, legacy" in card(app) or "plain" in card(app)
        await go_to(pilot, "here")
        assert str(folder) in card(app)


async def test_what_cannot_be_opened_says_why_in_the_card(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "cut.tar.zst")
        assert "ends too early" in card(app)
        await go_to(pilot, "counter.tar.zst")
        assert "podman archive" in card(app)


async def test_enter_opens_and_closes_a_folder(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "more")
        await pilot.press("enter")
        await settle(pilot)
        assert "kinds" in labels(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "kinds" not in labels(app)


async def test_a_folder_that_is_empty_or_unreadable_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "bare").mkdir()
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "bare")
        await pilot.press("enter")
        await settle(pilot)
        assert "No checkpoints found." in card(app)

        def refuse(*_: object) -> Any:
            raise SourceUnreachable("more cannot be read.", "Permission denied.")

        monkeypatch.setattr(browse_list, "children", refuse)
        await go_to(pilot, "more")
        await pilot.press("enter")
        await settle(pilot)
        assert "Permission denied." in screen_text(app)


async def test_looking_at_a_checkpoint_does_not_stop_a_folder_being_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "counter.tar.zst")
        held = threading.Event()
        real = browse_list.children

        def slow(entry: Entry, progress: Progress) -> Any:
            held.wait(10)
            return real(entry, progress)

        monkeypatch.setattr(browse_list, "children", slow)
        shown = browser(app)
        shown.branches.table.go_to(
            next(n.key for _, n in shown.places.shown if n.entry.name == "more")
        )
        await pilot.pause()
        await pilot.press("enter")
        shown.branches.table.go_to(
            next(n.key for _, n in shown.places.shown if n.entry.name == "cri-podman.tar")
        )
        await pilot.pause()
        held.set()
        await settle(pilot)
        assert "kinds" in labels(app)


async def test_a_folder_whose_listing_was_stopped_is_listed_when_asked_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "more")
        real = browse_list.children
        began = threading.Event()

        def stopped(entry: Entry, progress: Progress) -> Any:
            began.set()
            while True:
                progress.tick()

        monkeypatch.setattr(browse_list, "children", stopped)
        await pilot.press("enter")
        while not began.is_set():
            await pilot.pause(0.01)
        await pilot.press("escape")
        await settle(pilot)
        assert "Stopped" in card(app)
        monkeypatch.setattr(browse_list, "children", real)
        await pilot.press("enter")
        await settle(pilot)
        assert "kinds" in labels(app)


async def test_what_was_read_once_is_read_again_when_asked_to(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "counter.tar.zst")
        shutil.copy(ARCHIVES / "cri-crio.tar", folder / "counter.tar.zst")
        await pilot.press("r")
        await settle(pilot)
        assert "CRI-O archive" in card(app)


async def test_a_filter_leaves_lines_with_the_text_and_escape_ends_it(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"podman")
        await settle(pilot)
        assert labels(app) == ["cri-podman.tar"]
        await pilot.press("escape")
        await settle(pilot)
        if browser(app).query_one(SearchBar).is_open:
            await pilot.press("escape")
            await settle(pilot)
        assert len(labels(app)) > 4


async def test_keys_lead_to_the_screens(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screens = {"enter": CheckpointScreen, "d": CheckpointScreen, "c": ConvertScreen}
        for key, kind in screens.items():
            await go_to(pilot, "counter.tar.zst")
            await pilot.press(key)
            await settle(pilot)
            assert isinstance(app.screen, kind), key
            await pilot.press("q")
            await settle(pilot)
            assert isinstance(app.screen, BrowseScreen), key


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("c", "Only a checkpoint can be converted."),
        ("d", "Only a checkpoint can be diagnosed; a log opens with enter."),
        ("t", "Only a checkpoint can be restored."),
    ],
)
async def test_what_cannot_be_done_with_a_folder_is_said(folder: Path, key: str, said: str) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await go_to(pilot, "here")
        await pilot.press(key)
        await settle(pilot)
        assert isinstance(app.screen, BrowseScreen)
        assert [n.message for n in app._notifications] == [said]


async def test_what_is_said_on_a_narrow_terminal_takes_no_more_lines_than_it_has(
    folder: Path,
) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await go_to(pilot, "here")
        await pilot.press("d", "t")
        await settle(pilot)
        assert sum("▌" in line[20:] for line in screen_text(app).split("\n")) == 3


async def test_the_card_of_all_registries_names_no_place(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "registries")
        assert card(app).strip() == "none yet: a adds one"


async def test_the_card_is_empty_where_no_line_is_left(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, "counter.tar.zst")
        await pilot.press("slash", *"nowhere")
        await settle(pilot)
        assert labels(app) == []
        assert card(app).strip() == ""


async def test_a_working_folder_that_is_gone_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert roots.roots()[0].path == os.environ["HOME"]


async def test_names_of_files_are_harmless(folder: Path) -> None:
    name = b"[kthreadd] [red]x[!] a\x1b]0;PWN\x07b\xff.tar"
    shutil.copy(ARCHIVES / "counter.tar.zst", os.path.join(os.fsencode(folder), name))
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await go_to(pilot, os.fsdecode(name))
        for key in ("", "enter", "0", "c"):
            if key:
                await pilot.press(key)
                await settle(pilot)
            text = screen_text(app)
            assert all(line.isprintable() for line in text.split("\n")), key
            assert "[kthreadd] [red" in text, key
