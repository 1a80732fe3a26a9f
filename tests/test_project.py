"""What is published beside the program: licences, versions, documents."""

from __future__ import annotations

import re
import tarfile
import tomllib
from pathlib import Path

from ckpt_tui import __version__

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]


def test_the_newest_section_of_the_changelog_is_this_version() -> None:
    sections = re.findall(r"(?m)^## \[(.+?)\]", (TOP / "CHANGELOG.md").read_text())
    assert sections[0] == __version__


def test_every_licence_has_its_text() -> None:
    for licence in PROJECT["license"].split(" AND "):
        file = TOP / ("LICENSE" if licence == "Apache-2.0" else f"LICENSES/{licence}.txt")
        assert len(file.read_text()) > 5000, licence


def test_notice_names_every_image_with_a_foreign_program() -> None:
    notice = (TOP / "NOTICE").read_text()
    for folder in ("tui/ckpt_tui/demo", "tests/data"):
        for path in (TOP / folder).rglob("*.oci.tar"):
            with tarfile.open(path) as tar:
                assert any(member.size > 1_000_000 for member in tar), path
            assert str(path.relative_to(TOP)) in notice


def test_constraints_are_versions_alone() -> None:
    lines = (TOP / "constraints.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert len(pinned) > 30
    for line in pinned:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [a-z_]+ [!=]= '\w+')?", line), line
