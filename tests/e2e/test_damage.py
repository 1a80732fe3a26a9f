"""Every image of a real checkpoint lost, emptied or cut, and what CRIU makes of it beside what the
checks foresee and the doctor says afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from converting import BUNDLE
from lab import Lab

from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.diagnose.doctor import diagnose_log
from ckpt_tui.diagnose.log import read_log
from ckpt_tui.diagnose.target import diagnose_opened
from ckpt_tui.formats.opened import open_checkpoint

DAMAGE: dict[str, Callable[[Path], object]] = {
    "lost": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
}


@pytest.fixture(scope="module")
def damaged(lab: Lab) -> Path:
    """A folder for each damage, with what the restore wrote."""
    lab.checkpoint("counter")
    top = lab.host / "damaged"
    whole = top / "whole"
    lab.script("mkdir -p /host/damaged/whole; tar -C /host/damaged/whole -xf /host/counter.tar.zst")
    for path in sorted((whole / "checkpoint").iterdir()):
        for how, damage in DAMAGE.items():
            if path.suffix in (".img", ".json"):
                copy = shutil.copytree(whole, top / f"{how}-{path.name}", symlinks=True)
                damage(copy / "checkpoint" / path.name)
    (lab.host / "bundle.py").write_text(BUNDLE)
    lab.run("bash", "/lab/restore-all", "/host/damaged", "/host/bundle.py")
    return top


def foreseen(folder: Path) -> tuple[str, set[str]]:
    """Return the sign of the verdict, and the ids of what fails."""
    opened = open_checkpoint(str(folder), quiet())
    try:
        found = diagnose_opened(opened, opened.load(quiet()), quiet())
    finally:
        opened.close()
    return found.verdict.sign, {f.id for f in found.findings if f.severity == "fails"}


def test_the_whole_one_restores(damaged: Path) -> None:
    assert (damaged / "whole" / "outcome").read_text() == "restored\n"
    assert foreseen(damaged / "whole") == ("good", set())


def test_what_criu_refuses_was_foreseen_and_what_it_restores_is_not_condemned(
    damaged: Path,
) -> None:
    wrong = {}
    outcomes = set()
    for folder in sorted(damaged.iterdir()):
        outcome = (folder / "outcome").read_text().strip()
        outcomes.add(outcome)
        _, fails = foreseen(folder)
        if bool(fails) != (outcome != "restored"):
            wrong[folder.name] = (outcome, fails)
    assert outcomes == {"restored", "refused", "hung"}
    assert wrong == {}


def test_the_doctor_names_a_cause_for_each_that_was_refused(damaged: Path) -> None:
    wrong = {}
    for folder in sorted(damaged.iterdir()):
        log = (folder / "restore.log").read_bytes() + (folder / "stderr").read_bytes()
        cause = diagnose_log(read_log(BytesWindow(log), quiet())).root_cause
        found = cause.id if cause else None
        if (folder / "outcome").read_text() == "restored\n":
            wanted: set[str | None] = {None}
        elif folder.name.startswith("lost-"):
            wanted = {"img-missing", "pages-data-bad"}
            if "-ids-" in folder.name:
                wanted.add("img-inconsistent")  # of a child CRIU says no more than that
        else:
            wanted = {"img-truncated", "rt-archive-bad", "mnt-tmpfs-content", "pages-data-bad"}
            wanted |= {"pages-short-spin", "img-inconsistent", "img-missing", "restorer-fail"}
        if found not in wanted:
            wrong[folder.name] = found
    assert wrong == {}
