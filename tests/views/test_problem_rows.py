"""Which rows have a problem."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.model import Checkpoint, Note
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint
from ckpt_tui.views import problems
from ckpt_tui.views.processes import process_rows
from ckpt_tui.views.table import Row
from ckpt_tui.views.tables import file_rows, image_rows, memory_rows, socket_rows


@pytest.fixture
def checkpoint(data: Path) -> Checkpoint:
    opened = open_checkpoint(str(data / "images/sockets"), quiet())
    loaded = opened.load(quiet())
    opened.close()
    return dataclasses.replace(loaded, notes=())


def noted(checkpoint: Checkpoint, where: str) -> Checkpoint:
    return dataclasses.replace(checkpoint, notes=(Note(where, "It is damaged."),))


def test_nothing_is_a_problem_without_notes(checkpoint: Checkpoint) -> None:
    for rows, test in (
        (process_rows(checkpoint), problems.process_problem),
        (file_rows(checkpoint), problems.file_problem),
        (socket_rows(checkpoint), problems.socket_problem),
        (memory_rows(checkpoint), problems.region_problem),
        (image_rows(checkpoint), problems.image_problem),
    ):
        assert [row.key for row in rows if test(checkpoint, row)] == []


def test_a_note_marks_the_process_the_socket_and_the_image(checkpoint: Checkpoint) -> None:
    broken = noted(checkpoint, "core-1.img")
    assert [r.key for r in process_rows(broken) if problems.process_problem(broken, r)] == [
        Ref.process(1)
    ]
    assert [r.key for r in image_rows(broken) if problems.image_problem(broken, r)] == [
        Ref.image("core-1.img")
    ]
    broken = noted(checkpoint, "tcp-stream-90293.img")
    assert [r.key for r in socket_rows(broken) if problems.socket_problem(broken, r)] == [
        Ref.socket(1, 5)
    ]


def test_memory_in_an_earlier_dump_is_a_problem(checkpoint: Checkpoint) -> None:
    memory = checkpoint.memory[0]
    first = dataclasses.replace(memory.regions[0], parent=4096)
    changed = dataclasses.replace(memory, regions=(first, *memory.regions[1:]))
    broken = dataclasses.replace(checkpoint, memory=(changed,))
    rows = [r.key for r in memory_rows(broken) if problems.region_problem(broken, r)]
    assert rows == [Ref.region(first.pid, first.start)]


def test_a_descriptor_without_its_file_is_a_problem(checkpoint: Checkpoint) -> None:
    assert problems.file_problem(checkpoint, Row(Ref.file(1, 9), ("",), meaning="fails"))
