"""A value that is covered once is covered everywhere, in all that commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ran import Run

from crafted import copied, first, rewrite

SECRET = "correct-horse-9"
FORMS = (SECRET, SECRET.encode().hex(" "), SECRET.encode("utf-16-le").hex(" ")[:40])


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A checkpoint whose container has a secret in its environment, and others in plain places."""
    folder = copied("counter", tmp_path)

    def mounted(mount: Any) -> None:
        mount.options = f"note={SECRET}"
        mount.source = f"/srv/{SECRET}"
        mount.mountpoint = f"/mnt/{SECRET}"
        mount.root = f"/{SECRET}"

    def opened(file: Any) -> None:
        if file.HasField("reg"):
            file.reg.name = f"/tmp/{SECRET}"

    def all_of(entries: list[Any]) -> None:
        for entry in entries:
            opened(entry)

    rewrite(folder / "mountpoints-13.img", first(mounted))
    rewrite(folder / "files.img", all_of)
    spec = folder.parent / "config.json"
    assert not spec.exists()
    process = {"env": [f"DB_PASSWORD={SECRET}"], "args": ["sh"], "cwd": "/"}
    for name in ("spec.dump", "config.dump"):
        (folder / name).write_text(json.dumps({"process": process, "id": "x", "name": "x"}))
    (folder / "iptables-1.img").write_text(f"-A INPUT -m comment --comment {SECRET}\n")
    return folder


def _commands(images: Path) -> list[list[object]]:
    decoded = ("files.img", "mountpoints-13.img", "iptables-1.img")
    plain: list[list[object]] = [
        ["inspect", images],
        ["images", images],
        ["diagnose", images],
        ["sizes", images],
        ["compare", images, images],
        *(["decode", images, name] for name in decoded),
    ]
    return [*plain, *([*command, "--json"] for command in plain), ["report", images]]


def test_no_command_prints_a_known_secret(run: Run, images: Path) -> None:
    for command in _commands(images):
        found = run(*command)
        for form in FORMS:
            assert form not in found.out, (command, form)
            assert form not in found.err, (command, form)


@pytest.mark.parametrize("form", [".md", ".html", ".json"])
def test_no_report_has_a_known_secret(run: Run, images: Path, tmp_path: Path, form: str) -> None:
    output = tmp_path / f"report{form}"
    assert run("report", images, "-o", output).err.startswith(str(output))
    assert SECRET not in output.read_text()


def test_what_is_asked_for_is_revealed(run: Run, images: Path) -> None:
    for name in ("files.img", "mountpoints-13.img", "iptables-1.img"):
        assert SECRET in run("decode", images, name, "--reveal").out
        assert SECRET not in run("decode", images, name).out
    assert SECRET in run("decode", images, "files.img", "--crit").out
    shown = run("inspect", images, "--json", "--reveal").out
    assert shown.count(f"/tmp/{SECRET}") > 0
