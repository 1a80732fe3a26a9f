"""What is known of a checkpoint before its descriptors are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_tui.checkpoint import build, descriptors
from ckpt_tui.checkpoint.model import Loaded, Pending
from ckpt_tui.checkpoint.processes import UNNAMED
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint


def test_few_descriptors_are_read_at_first(data: Path) -> None:
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    first = opened.load_first(quiet())
    assert first.is_loaded
    assert first == opened.load(quiet())
    opened.close()


def test_many_descriptors_are_left_out_at_first(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "QUICK_BYTES", 100)
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    first, whole = opened.load_first(quiet()), opened.load(quiet())
    opened.close()
    assert not first.is_loaded
    assert first.state == Pending(descriptors=True)
    assert (len(first.files), len(first.sockets)) == (0, 0)
    assert whole.state == Loaded()
    assert len(whole.files) == 52
    assert [(p.pid, p.argv) for p in first.processes] == [(p.pid, p.argv) for p in whole.processes]
    assert (first.processes[0].exe, whole.processes[0].exe) != (whole.processes[0].exe, "")
    listed = {image.name: image.entries for image in first.images}
    assert listed["files.img"] is None
    assert [image.size for image in first.images] == [image.size for image in whole.images]
    assert first.memory == ()
    assert len(whole.memory) == len(whole.processes)


def test_of_many_processes_only_the_first_are_named_at_first(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "QUICK_IMAGES", 10)
    monkeypatch.setattr(build, "NAMED_AT_FIRST", 2)
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    first, whole = opened.load_first(quiet()), opened.load(quiet())
    opened.close()
    assert not first.is_loaded
    assert [(p.pid, p.ppid) for p in first.processes] == [(p.pid, p.ppid) for p in whole.processes]
    named, unnamed = first.processes[:2], first.processes[2:]
    assert [(p.comm, p.argv) for p in named] == [(p.comm, p.argv) for p in whole.processes[:2]]
    assert {(p.comm, p.state) for p in unnamed} == {("…", UNNAMED)}
    assert len(unnamed) == 2
    assert not [note for note in first.notes if note not in whole.notes]


def test_descriptors_beyond_the_limit_are_named_with_their_image(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descriptors, "MAX_DESCRIPTORS", 20)
    opened = open_checkpoint(str(data / "images/kinds"), quiet())
    checkpoint = opened.load(quiet())
    opened.close()
    assert len(checkpoint.files) == 20
    notes = {n.where: n.text for n in checkpoint.notes if "Only the first" in n.text}
    first = checkpoint.processes[0]
    assert len(checkpoint.files) > len([f for f in checkpoint.files if f.pid == first.pid])
    assert notes
    assert all(where.startswith("fdinfo-") for where in notes)
    said = notes[next(iter(notes))]
    assert said.startswith("Only the first 20 descriptors are looked at, not from number ")
