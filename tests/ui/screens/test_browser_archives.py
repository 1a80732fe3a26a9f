"""Archives of images in the browser: what is in them, as in a layout that is a folder."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest
from browsing import browser, card, go_to, line_of
from demo import screen_text
from driving import press, settle, without_pause

from ckpt_tui.formats import roots
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.screens.browse import BrowseScreen
from ckpt_tui.ui.screens.browse_card import BrowseCard
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen
from ckpt_tui.ui.screens.copy import CopyScreen
from crafted import ARCHIVES
from docker_saved import DIGEST, GOOD, entry, save


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same image as an archive and as a folder, one of `docker save`, and a checkpoint."""
    monkeypatch.setattr(roots, "known_stores", lambda: iter(()))
    monkeypatch.setattr(BrowseCard, "set_timer", without_pause)
    for name in ("base-bb.oci.tar", "counter.tar.zst"):
        shutil.copy(ARCHIVES / name, tmp_path / name)
    with tarfile.open(tmp_path / "base-bb.oci.tar") as archive:
        archive.extractall(tmp_path / "layout", filter="data")
    layer = f"{DIGEST}.tar"
    save(tmp_path / "saved.tar.gz", [entry(layer, "web:1"), entry(layer, "db:2")], GOOD)
    return tmp_path


def labels(app: CkptApp, below: str) -> list[str]:
    """Return the labels of the lines in an open branch."""
    depths = [(depth, line.entry.name) for depth, line in browser(app).places.shown]
    first = next(i for i, (_, label) in enumerate(depths) if label == below)
    found = []
    for depth, label in depths[first + 1 :]:
        if depth <= depths[first][0]:
            break
        found.append(label)
    return found


def words(app: CkptApp) -> str:
    """Return the text of the card on one line."""
    return " ".join(card(app, 60).split())


async def test_a_layout_in_an_archive_has_the_lines_of_the_folder(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "layout", "right", "down", "right")
        inside = labels(app, "layout")
        assert [label.split()[0] for label in inside] == ["localhost/bb:1", "layer", "config"]
        await go_to(pilot, "layout", "left")
        await go_to(pilot, "base-bb.oci.tar", "right", "down", "right")
        assert labels(app, "base-bb.oci.tar") == inside
        await press(pilot, "down")
        assert "role layer" in words(app)


async def test_its_line_shows_that_there_is_more_in_it(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "▶ base-bb.oci.tar" in line_of(app, "base-bb")
        assert "▶" not in line_of(app, "counter.tar.zst")
        await go_to(pilot, "base-bb.oci.tar", "right")
        assert "▼ base-bb.oci.tar" in line_of(app, "base-bb")
        await press(pilot, "left")
        assert labels(app, "base-bb.oci.tar") == []


async def test_the_card_says_how_to_look_into_one_that_is_no_checkpoint(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "base-bb.oci.tar")
        await settle(pilot)
        assert "No checkpoint found" in words(app)
        assert words(app).endswith("→ lists the images in it.")


async def test_images_of_docker_save_open_and_copy(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "saved.tar.gz", "right")
        assert labels(app, "saved.tar.gz") == ["web:1", "db:2"]
        await go_to(pilot, "db:2", "right")
        inside = labels(app, "db:2")
        assert [label.split()[0] for label in inside] == ["layer", "config"]
        await go_to(pilot, "db:2", "enter")
        assert isinstance(app.screen, CheckpointScreen)
        assert app.screen.target == f"docker-archive:{folder / 'saved.tar.gz'}:db:2"
        assert app.screen.checkpoint is not None
        await press(pilot, "q")
        await go_to(pilot, "web:1", "p")
        assert isinstance(app.screen, CopyScreen)
        await press(pilot, "escape")
        await go_to(pilot, "base-bb.oci.tar", "p")
        assert isinstance(app.screen, CopyScreen)
        await press(pilot, "escape")
        await go_to(pilot, "counter.tar.zst", "p")
        assert isinstance(app.screen, BrowseScreen)


async def test_a_checkpoint_says_that_it_holds_no_images_and_opens(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "counter.tar.zst", "right")
        assert "counter.tar.zst holds no images." in words(app)
        assert "▶ counter.tar.zst" not in screen_text(app)
        await press(pilot, "enter")
        assert isinstance(app.screen, CheckpointScreen)


async def test_an_image_without_a_name_among_others_only_shows_what_it_is(folder: Path) -> None:
    save(folder / "b.tar", [{**entry(), "RepoTags": None}, entry()], GOOD)
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "b.tar", "right", "down")
        first, second = labels(app, "b.tar")
        assert first.startswith("@sha256:")
        assert second == "web:1"
        await press(pilot, "enter", "right")
        assert labels(app, "b.tar") == [first, second]


async def test_looking_again_finds_what_was_put_in_its_place(folder: Path) -> None:
    app = CkptApp((), folder, "here")
    async with app.run_test(size=(120, 40)) as pilot:
        await go_to(pilot, "saved.tar.gz", "right")
        save(folder / "saved.tar.gz", [entry()], GOOD)
        await press(pilot, "r")
        await go_to(pilot, "saved.tar.gz", "right")
        assert labels(app, "saved.tar.gz") == ["web:1"]
