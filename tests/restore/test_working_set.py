"""The working set: what is recorded, read again, and fetched first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import quiet
from ckpt_tui.restore.page_cache import PIECE
from ckpt_tui.restore.working_set import (
    SetFacts,
    WorkingSet,
    read_working_set,
    set_facts,
    working_set,
)
from ckpt_tui.views.working_set import set_text
from crafted import ARCHIVES
from lazy_dumps import LAZY, PAGE, PRESENT, Client, opened, page, serving, write_dump

ASKED = [(0.0, 7, 0x4000, 16), (0.1, 7, 0x1000, 1), (0.2, 8, 0x1000, 1), (0.3, 7, 0x1000, 1)]


def test_pages_that_were_waited_for_come_first_and_each_once() -> None:
    found = working_set(ASKED, "runc")
    assert found.runs == {7: ((0x1000, 1), (0x4000, 16)), 8: ((0x1000, 1),)}
    assert found.pages == 18


def test_it_is_read_as_it_was_written() -> None:
    found = working_set(ASKED, "runc")
    assert read_working_set(found.document()) == found


def document(**changed: object) -> bytes:
    known = json.loads(working_set(ASKED).document())
    return json.dumps({**known, **changed}).encode()


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b" " * (16 << 20) + b"{}",
        document(schema_version=2),
        document(processes=[{"pid": 7}]),
        document(processes=[{"pid": 7, "runs": [["0x10", 0]]}]),
        document(processes=[{"pid": 7, "runs": [["0x10", 1 << 40]]}]),
        document(processes=[{"pid": 7, "runs": [["-0x10", 1]]}]),
        document(processes=[{"pid": 7, "runs": [["0x10", float("inf")]]}]),
        document(processes=[{"pid": 7, "runs": [["0x1", 1]] * ((1 << 20) + 1)}]),
        document(processes=3),
    ],
    ids=lambda stored: stored[:40].decode("latin-1"),
)
def test_something_else_is_refused(stored: bytes) -> None:
    with pytest.raises(CkptError, match="working set"):
        read_working_set(stored)


def test_its_pages_are_here_before_they_are_asked_for(tmp_path: Path) -> None:
    count = 20 * PIECE // PAGE
    dump = write_dump(tmp_path / "dump", {7: ((0, count, PRESENT | LAZY),)})
    known = WorkingSet({7: ((5 * PIECE, 1), (12 * PIECE, 1), (12 * PIECE + PAGE, 300))})
    with serving(dump) as served:
        for pid, runs in known.runs.items():
            for address, length in runs:
                assert served.memory.fetch_early(pid, address, length)
        _, pieces = served.memory.pieces(7, 12 * PIECE, 1)
        assert pieces[0].wait() == page(7, 12 * PIECE)
        with Client(served) as client:
            assert client.got(7, 5 * PIECE, 1) == page(7, 5 * PIECE)
        assert served.memory.fetch_early(9, 0, 1)  # a process of another dump


def test_its_pages_are_told_by_region() -> None:
    with opened(ARCHIVES / "counter.tar.zst") as checkpoint:
        memory = checkpoint.load(quiet()).memory[0]
        heap, stack = (
            next(region for region in memory.regions if region.kind == kind)
            for kind in ("heap", "stack")
        )
        runs = ((heap.start, 1), (heap.start, 1), (stack.end - 2 * PAGE, 2), (0x1000, 1))
        facts = set_facts(WorkingSet({memory.pid: runs, 999: ((0, 1),)}), checkpoint, 10 * PAGE)
    assert facts == SetFacts(5 * PAGE, 0.5, {"stack": 2 * PAGE, "heap": PAGE})
    assert set_text(facts) == "20.0 KiB, 50.0% of the pages: stack 8.00 KiB, heap 4.00 KiB"
