"""Saving a view: as a picture, or its whole list in a form to work with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screenshots import settle
from textual.widgets import Input

from ckpt_tui.core.progress import quiet
from ckpt_tui.ui.app import CkptApp
from ckpt_tui.views.export import as_markdown
from ckpt_tui.views.table import Column, ListRows, Row


async def saved(pilot: Any, path: Path) -> str:
    await pilot.press("e")
    await settle(pilot.app, pilot)
    line = pilot.app.focused
    assert isinstance(line, Input)
    line.value = str(path)
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


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (("1", "tab"), "localhost/bb:1"),
        (("2",), "sleep"),
        (("4",), "["),
        (("5",), "busybox"),
        (("5", "enter"), "00400010"),
        (("9",), "pages"),
        (("0",), "finding"),
        (("3", "right_square_bracket"), "["),
        (("c",), "oci:"),
        (("t",), "optimized, in place"),
    ],
)
async def test_every_view_is_saved_in_every_form(
    app: CkptApp, tmp_path: Path, keys: tuple[str, ...], said: str
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(app, pilot)
        for key in keys:
            await pilot.press(key)
            await settle(app, pilot)
        name = "".join(keys)
        for suffix in ("txt", "md", "svg"):
            assert await saved(pilot, tmp_path / f"{name}.{suffix}")
        document = await saved(pilot, tmp_path / f"{name}.json")
        assert isinstance(json.loads(document), list)
        assert said in document


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
