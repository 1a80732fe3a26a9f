"""Incremental dumps: memory that was left to the dump before."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.checkpoint.chain import MAX_CHAIN
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.patterns import parse_pattern
from ckpt_tui.checkpoint.regions import absent_text, region_window
from ckpt_tui.checkpoint.search import areas_of, find_all
from ckpt_tui.core.progress import quiet
from ckpt_tui.criu.pages import PageState
from ckpt_tui.formats.opened import open_checkpoint
from crafted import cut_chain, rewrite

Bytes = dict[tuple[int, int], bytes]


@pytest.fixture
def folder(data: Path, tmp_path: Path) -> Path:
    """A folder with `checkpoint` and `pre-checkpoint`."""
    place = tmp_path / "all"
    shutil.copytree(data / "images/counter", place / "checkpoint")
    for path in (place, *place.rglob("*")):
        path.chmod(0o755)
    cut_chain(place)
    return place


def contents(target: Path | str) -> tuple[Checkpoint, Bytes, int]:
    """Return a checkpoint, the bytes of its regions, and how often `PATH` is in them."""
    opened = open_checkpoint(str(target), quiet())
    try:
        checkpoint = opened.load(quiet())
        regions = [r for m in checkpoint.memory for r in m.regions]
        windows = {(r.pid, r.start): region_window(opened.memory, r) for r in regions}
        found = {key: window.read(0, window.size) for key, window in windows.items()}
        areas = areas_of(opened.memory, checkpoint.memory)
        matches = find_all(areas, parse_pattern("PATH"), quiet())
    finally:
        opened.close()
    return checkpoint, found, len(matches.matches)


def states(target: Path) -> set[PageState]:
    """Return where the pages of the regions are."""
    opened = open_checkpoint(str(target), quiet())
    try:
        regions = [r for m in opened.load(quiet()).memory for r in m.regions]
        windows = [region_window(opened.memory, region) for region in regions]
        return {w.state_at(at) for w in windows for at in range(0, w.size, 4096)}
    finally:
        opened.close()


def packed(folder: Path) -> Path:
    path = folder.parent / "all.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for part in sorted(folder.iterdir()):
            tar.add(part, part.name)
    return path


@pytest.mark.parametrize(
    "target",
    [lambda f: f, lambda f: f / "checkpoint", packed],
    ids=["both in one folder", "the link leads out of the folder", "both in one archive"],
)
def test_pages_of_the_dump_before_are_read_from_there(
    target: Callable[[Path], Path], folder: Path, data: Path
) -> None:
    whole, its_bytes, matches = contents(data / "images/counter")
    checkpoint, found, again = contents(target(folder))
    assert found == its_bytes
    assert again == matches > 0
    assert [p.argv for p in checkpoint.processes] == [p.argv for p in whole.processes]
    assert [p.env for p in checkpoint.processes] == [p.env for p in whole.processes]
    for one, before in zip(checkpoint.memory, whole.memory, strict=True):
        assert one.parent_bytes > 0
        assert one.parent_bytes + one.dumped_bytes == before.dumped_bytes
        assert sum(r.parent for r in one.regions) == one.parent_bytes


@pytest.mark.parametrize("link", ["../nowhere", "/etc", "..", "."])
def test_without_the_dump_before_its_pages_are_said_to_be_there(folder: Path, link: str) -> None:
    shutil.rmtree(folder / "pre-checkpoint")
    (folder / "checkpoint/parent").unlink()
    (folder / "checkpoint/parent").symlink_to(link)
    assert PageState.PARENT in states(folder / "checkpoint")
    opened = open_checkpoint(str(folder / "checkpoint"), quiet())
    try:
        region = next(r for m in opened.load(quiet()).memory for r in m.regions if r.parent)
        said = absent_text(region, PageState.PARENT)
        assert said == "in the previous dump, which is not at hand"
    finally:
        opened.close()


def test_a_page_that_the_dump_before_does_not_have_is_missing(folder: Path) -> None:
    for path in (folder / "pre-checkpoint").glob("pagemap-*.img"):
        rewrite(path, lambda messages: messages[:1])
    assert PageState.MISSING in states(folder)
    assert PageState.PARENT not in states(folder)


def test_damage_of_the_dump_before_is_told_with_its_place(folder: Path) -> None:
    for path in (folder / "pre-checkpoint").glob("pages-*.img"):
        path.unlink()
    notes = {note.where for note in contents(folder)[0].notes}
    assert any(where.startswith("parent/pages-") for where in notes)


@pytest.mark.parametrize("target", ["", "checkpoint"])
def test_a_chain_that_comes_back_to_itself_ends(folder: Path, target: str) -> None:
    (folder / "pre-checkpoint/parent").symlink_to("../checkpoint")
    for path in (folder / "pre-checkpoint").glob("pagemap-*.img"):
        shutil.copy(folder / "checkpoint" / path.name, path)
    assert PageState.PARENT in states(folder / target)


def test_a_chain_of_many_dumps_is_followed_so_far(folder: Path) -> None:
    for number in range(MAX_CHAIN + 2):
        shutil.copytree(folder / "pre-checkpoint", folder / f"pre-{number}")
        (folder / f"pre-{number}/parent").symlink_to(f"../pre-{number + 1}")
    (folder / "pre-checkpoint/parent").symlink_to("../pre-0")
    opened = open_checkpoint(str(folder / "checkpoint"), quiet())
    try:
        images, length = opened.images, 1
        while images.previous is not None:
            images, length = images.previous, length + 1
        assert length == MAX_CHAIN
    finally:
        opened.close()


def test_pages_have_the_size_of_the_later_dump(folder: Path) -> None:
    opened = open_checkpoint(str(folder), quiet())
    try:
        before = opened.memory.previous
        assert before is not None
        found = before.memory(1, 65536)
        assert found is not None
        assert found.page_size == 65536
    finally:
        opened.close()


def test_a_folder_that_is_no_dump_is_not_walked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "checkpoint/parent").unlink()
    (folder / "checkpoint/parent").symlink_to("/")
    walked: list[int] = []
    walk = DirectoryTree._walk
    monkeypatch.setattr(
        DirectoryTree, "_walk", lambda self, *more: (walked.append(0), walk(self, *more))[1]
    )
    open_checkpoint(str(folder / "checkpoint"), quiet()).close()
    assert len(walked) == 1
