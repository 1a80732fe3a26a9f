"""What is published beside the program: licences, versions, documents."""

from __future__ import annotations

import os
import re
import tarfile
import tomllib
from pathlib import Path

import pytest

from ckpt_tui import __version__
from ckpt_tui.cli.commands import cli

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


DOCUMENTS = [*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), TOP / "tests/data/README.md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_of_a_document_exist(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if not link.startswith("https://"):
            assert (path.parent / link.partition("#")[0]).exists(), link


def test_the_readme_is_for_newcomers() -> None:
    readme = (TOP / "README.md").read_text()
    assert len(readme.split()) <= 1200
    for document in (TOP / "docs").glob("*.md"):
        assert f"(docs/{document.name})" in readme


def test_the_readme_lists_the_commands_that_there_are() -> None:
    readme = (TOP / "README.md").read_text()
    listed = re.findall(r"(?m)^    ckpt-tui ([a-z]+)", readme)
    assert {*listed} == {name for name, command in cli.commands.items() if not command.hidden}


def test_the_two_commands_of_the_readme_exist() -> None:
    blocks = re.findall(r"```sh\n(.+?)\n```", (TOP / "README.md").read_text())
    assert blocks == ["sh tui/start demo", "tests/run"]
    assert os.access(TOP / "tests/run", os.X_OK)
    assert (TOP / "tui/start").exists()


def test_names_in_the_guide_for_extensions_exist() -> None:
    guide = (TOP / "docs/extending.md").read_text()
    for name in re.findall(r"`([a-z_/]+/[a-z_]+\.(?:py|tsv))`", guide):
        root = TOP if name.startswith("tests/") else TOP / "tui/ckpt_tui"
        assert (root / name).exists(), name
    for table, name in re.findall(r"`([A-Z]+)` in\s+`([a-z_/]+\.py)`", guide):
        assert re.search(rf"(?m)^{table}\b", (TOP / "tui/ckpt_tui" / name).read_text()), table


def test_the_hosted_ci_runs_every_python_that_is_promised() -> None:
    promised = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if ":: Python :: 3." in c]
    workflow = (TOP / ".github/workflows/tests.yml").read_text()
    (matrix,) = re.findall(r"python-version: \[(.+)\]", workflow)
    assert matrix == ", ".join(f'"{version}"' for version in promised)
    assert PROJECT["requires-python"] == f">={promised[0]}"


def test_each_test_module_has_a_name_of_its_own() -> None:
    names = [path.name for path in (TOP / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
