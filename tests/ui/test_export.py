"""Saving a view: as a picture, or its whole list in a form to work with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screenshots import settle

from ckpt_tui.core.progress import quiet
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.ui.rows.export import as_markdown
from ckpt_tui.ui.rows.table import Column, ListRows, Row


async def saved(pilot: Any, path: Path) -> str:
    await pilot.press("e")
    await settle(pilot.app, pilot)
    await pilot.press(*str(path))
    await pilot.press("enter")
    await settle(pilot.app, pilot)
    return path.read_text() if path.exists() else ""


@pytest.fixture
def app(data: Path) -> CkptApp:
    return CkptApp([str(data / "archives/counter.tar.zst")])


async def test_the_list_is_saved_whole_in_every_form(app: CkptApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("8")
        await settle(app, pilot)
        text = await saved(pilot, tmp_path / "i.txt")
        table = await saved(pilot, tmp_path / "i.md")
        found = json.loads(await saved(pilot, tmp_path / "i.json"))
    lines = text.splitlines()
    assert len(lines) - 1 == len(table.splitlines()) - 2 == len(found) > 20
    assert any("inventory.img" in line for line in lines)
    assert table.startswith("| ")


async def test_the_screen_is_saved_as_a_picture(app: CkptApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        picture = await saved(pilot, tmp_path / "v.svg")
    assert picture.startswith("<svg")
    assert "counter" in picture


async def test_another_suffix_writes_nothing(app: CkptApp, tmp_path: Path) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert await saved(pilot, tmp_path / "v.pdf") == ""
    assert not [*tmp_path.glob("v*")]


def test_cells_are_no_markup_in_markdown() -> None:
    rows = ListRows([Row(1, ("a|b [x](http://e)",))])
    line = as_markdown((Column("A"),), rows, quiet()).splitlines()[-1]
    assert line == r"| a\|b \[x\](http\://e) |"
