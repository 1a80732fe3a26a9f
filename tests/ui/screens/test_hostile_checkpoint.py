"""Names chosen by an attacker go through every tab and reach no terminal as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import screen_text
from driving import TABS, press, shown
from hostile import hostile_archive, hostile_images
from textual.pilot import Pilot

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.ui.screens.checkpoint import CheckpointScreen


def assert_harmless(pilot: Pilot[None], where: str) -> str:
    text = screen_text(pilot.app)  # type: ignore[arg-type]
    for line in text.split("\n"):
        assert line.isprintable(), (where, line)
    return text


@pytest.mark.parametrize("source", ["images/kinds", "images/sockets", "podman"])
async def test_no_control_character_reaches_the_screen(
    source: str, data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "spoiled"
    if source == "podman":
        hostile_archive(data / "archives/cri-podman.tar", folder)
    else:
        hostile_images(data / source, folder)
    seen = ""
    async with shown(folder) as pilot:
        for key in TABS:
            await press(pilot, key)
            seen += assert_harmless(pilot, f"tab {key}")
            here = pilot.app.screen
            assert isinstance(here, CheckpointScreen)
            assert here.pane is not None
            seen += "\n".join(here.pane.page_lines())
            for action in ("end", "g", "enter"):
                await press(pilot, action)
                seen += assert_harmless(pilot, f"tab {key}, {action}")
                if pilot.app.screen is not here:
                    await press(pilot, "escape")
                assert pilot.app.screen is here
    assert all(line.isprintable() for line in seen.split("\n"))
    assert "[kthreadd] [red]x[/]" in seen


async def test_every_image_of_a_spoiled_checkpoint_is_harmless(data: Path, tmp_path: Path) -> None:
    folder = hostile_images(data / "images/kinds", tmp_path / "spoiled")
    async with shown(folder, "8") as pilot:
        here = pilot.app.screen
        assert isinstance(here, CheckpointScreen)
        assert here.pane is not None
        for image in here.pane.checkpoint.images:
            here.pane.go_to(Ref.image(image.name))
            await press(pilot)
            assert_harmless(pilot, image.name)
            assert all(line.isprintable() for line in here.pane.page_lines()), image.name
