"""What the lists of a checkpoint show whole on terminals of 80 and 120 columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from demo import screen_text
from driving import shown

SIZES = [(80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES)
async def test_both_addresses_of_a_connection_are_whole(data: Path, size: tuple[int, int]) -> None:
    async with shown(data / "images/sockets", "4", size=size) as pilot:
        text = screen_text(pilot.app)
        assert "ESTABLISHED  127.0.0.1:37084     127.0.0.1:8080" in text
        assert "ESTABLISHED  127.0.0.1:8080      127.0.0.1:37084" in text


@pytest.mark.parametrize("size", SIZES)
async def test_the_highest_address_is_whole_and_files_have_names(
    data: Path, size: tuple[int, int]
) -> None:
    async with shown(data / "images/sockets", "5", "G", size=size) as pilot:
        text = screen_text(pilot.app)
        assert "ffffffffff600000  --xp  vsyscall" in text
        assert "r-xp  file" in text
        assert "/lib" in text
