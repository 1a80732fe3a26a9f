"""Which process is which in two checkpoints, and what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.archive import write_archive
from ckpt_tui.checkpoint.differences import Change, compare_checkpoints, match_processes
from ckpt_tui.checkpoint.model import Checkpoint, Process, Region
from ckpt_tui.checkpoint.page_differences import (
    MemoryComparison,
    Side,
    compare_memory,
    match_regions,
)
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.criu.pages import PE_LAZY, PE_PRESENT, Memory, PageMap
from ckpt_tui.formats.comparing import compare_loaded, load
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from crafted import copied

Open = Callable[[str], OpenCheckpoint]


@pytest.fixture
def opening(data: Path) -> Iterator[Open]:
    opened: list[OpenCheckpoint] = []

    def open_one(name: str) -> OpenCheckpoint:
        opened.append(open_checkpoint(str(data / "archives" / name), quiet()))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def process(pid: int, ppid: int = 0, comm: str = "sh", *argv: str) -> Process:
    words = tuple(a.encode() for a in argv) or (comm.encode(),)
    return Process(pid, ppid, pid, pid, "running", comm, exe=f"/bin/{comm}", argv=words)


def pids(before: list[Process], after: list[Process]) -> list[tuple[int | None, int | None]]:
    return [
        (one.pid if one else None, other.pid if other else None)
        for one, other, _ in match_processes(before, after)
    ]


def test_processes_are_known_by_more_than_their_pid() -> None:
    before = [process(1), process(7, 1, "web", "web", "--port=1"), process(9, 1, "db")]
    after = [process(1), process(7, 1, "db"), process(12, 1, "web", "web", "--port=1")]
    assert pids(before, after) == [(1, 1), (7, 12), (9, 7)]


def test_equal_workers_are_paired_in_order_and_one_more_is_new() -> None:
    before = [process(n, 1, "worker") for n in (5, 6)]
    after = [process(n, 1, "worker") for n in (15, 16, 17)]
    assert pids(before, after) == [(5, 15), (6, 16), (None, 17)]


def test_a_loop_in_a_damaged_tree_ends() -> None:
    looped = [process(1, 2), process(2, 1)]
    assert pids(looped, looped) == [(1, 1), (2, 2)]


def test_a_checkpoint_is_the_same_as_itself(opening: Open) -> None:
    one, other = opening("counter.tar.zst"), opening("counter.tar.zst")
    found = compare_checkpoints(one.load(quiet()), other.load(quiet()), quiet())
    assert found.same
    assert not found.notes


def changed(checkpoint: Checkpoint, **fields: object) -> Checkpoint:
    first, *rest = checkpoint.processes
    return dataclasses.replace(
        checkpoint,
        processes=(dataclasses.replace(first, **fields), *rest),  # type: ignore[arg-type]
    )


def test_arguments_and_environment_are_compared_by_name(opening: Open) -> None:
    checkpoint = opening("counter.tar.zst").load(quiet())
    one = changed(checkpoint, argv=(b"a",), env=(b"A=1", b"B=2", b"E=\xff"))
    other = changed(checkpoint, argv=(b"a", b"-v"), env=(b"B=3", b"C=4", b"E=\xff"))
    found = compare_checkpoints(one, other, quiet()).processes[0].changes
    assert [(c.area, c.what, c.how, c.before, c.after) for c in found] == [
        ("argv", "arguments", "changed", "a", "a -v"),
        ("environment", "A", "deleted", "1", ""),
        ("environment", "B", "changed", "2", "3"),
        ("environment", "C", "added", "", "4"),
    ]


def test_files_sockets_mounts_and_delta_are_compared(opening: Open) -> None:
    checkpoint = opening("cri-crio.tar").load(quiet())
    fewer = dataclasses.replace(
        checkpoint,
        files=checkpoint.files[1:],
        mounts=checkpoint.mounts[1:],
        delta=dataclasses.replace(checkpoint.delta, entries=checkpoint.delta.entries[1:]),
    )
    found = compare_checkpoints(checkpoint, fewer, quiet())
    assert {(c.area, c.how) for c in found.changes()} == {
        ("file", "deleted"),
        ("mount", "deleted"),
        ("delta", "deleted"),
    }


def test_another_architecture_or_page_size_is_said(opening: Open) -> None:
    opened = opening("counter.tar.zst")
    one = opened.load(quiet())
    other = dataclasses.replace(
        one, criu=dataclasses.replace(one.criu, architecture="aarch64", page_size=65536)
    )
    found = compare_checkpoints(one, other, quiet())
    assert [note.split(":")[0] for note in found.notes] == [
        "They differ in architecture",
        "They differ in page size",
    ]
    sides = (Side(c, opened.images, opened.memory) for c in (one, other))
    memory = compare_memory(*sides, found.processes, quiet())
    assert not memory.notes
    assert memory.total("same") == sum(m.dumped_bytes for m in one.memory)
    assert found.same, "what can be compared is"


def test_memory_of_one_checkpoint_twice_is_all_the_same(opening: Open) -> None:
    one, other = opening("counter.tar.zst"), opening("counter.tar.zst")
    sides = [Side(o.load(quiet()), o.images, o.memory) for o in (one, other)]
    pairs = compare_checkpoints(sides[0].checkpoint, sides[1].checkpoint, quiet()).processes
    found = compare_memory(sides[0], sides[1], pairs, quiet())
    assert found.total("same") == sum(m.dumped_bytes for m in sides[0].checkpoint.memory)
    assert not any(region.differs for _, regions in found.processes for region in regions)


def test_memory_of_two_containers_adds_up(opening: Open) -> None:
    one, other = opening("cri-crio.tar"), opening("cri-podman.tar")
    sides = [Side(o.load(quiet()), o.images, o.memory) for o in (one, other)]
    pairs = compare_checkpoints(sides[0].checkpoint, sides[1].checkpoint, quiet()).processes
    found = compare_memory(sides[0], sides[1], pairs, quiet())
    dumped = [sum(m.dumped_bytes for m in side.checkpoint.memory) for side in sides]
    both = found.total("same") + found.total("changed")
    assert both + found.total("only_before") == dumped[0]
    assert both + found.total("only_after") == dumped[1]
    assert found.total("changed") > 0


@pytest.mark.parametrize("which", [0, 1])
def test_pages_of_a_lost_memory_map_are_not_at_hand(data: Path, tmp_path: Path, which: int) -> None:
    cut = copied("kinds", tmp_path) / "mm-9.img"
    cut.write_bytes(cut.read_bytes()[:20])
    targets = [data / "images/kinds", cut.parent]
    found = compared(*targets[:: -1 if which == 0 else 1])
    regions = next(some for pair, some in found.processes if pair.before and pair.before.pid == 9)
    assert sum(r.unknown for r in regions) > 0
    assert not any(r.differs for r in regions)
    word = ("first", "second")[which]
    said = f"The memory map of process 9 of the {word} is not there. Its pages are not compared."
    assert said in found.notes


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two checkpoints of which every 64th page differs, packed and plain."""
    folder = tmp_path_factory.mktemp("large")
    for name, mark in (("a", 1), ("b", 2)):
        for suffix in ("tar", "tar.zst"):
            write_archive(folder / f"{name}.{suffix}", 8, 0, mark)
    return folder


def compared(one: Path, other: Path) -> MemoryComparison:
    loaded = load(str(one), quiet()), load(str(other), quiet())
    try:
        memory = compare_loaded(*loaded, quiet()).memory
        assert memory
        return memory
    finally:
        for opened, _ in loaded:
            opened.close()


@pytest.mark.parametrize("names", [("a.tar.zst", "b.tar.zst"), ("a.tar", "b.tar.zst")])
def test_packed_checkpoints_are_compared_in_passing(
    large: Path, names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = compared(large / "a.tar", large / "b.tar")
    assert plain.total("changed") == 8 * 4 * PAGE, "4 pages of each MiB"

    def refuse() -> None:
        raise AssertionError("nothing is unpacked to a file")

    monkeypatch.setattr("ckpt_tui.archive.spill.unlinked_file", refuse)
    packed = compared(large / names[0], large / names[1])
    assert packed.processes == plain.processes


PAGE = 4096


class FakeReader:
    """The memory of one process that starts at address 0."""

    def __init__(self, *runs: tuple[int, int, int], data: bytes) -> None:
        pages = PageMap("pagemap-1.img", 1)
        for start, count, flags in runs:
            pages._append(start * PAGE, count, flags)
        self._memory = Memory(pages, BytesWindow(data), PAGE)

    def memory(self, pid: int) -> Memory:
        return self._memory


def region_of(before: FakeReader, after: FakeReader, opening: Open) -> object:
    from ckpt_tui.checkpoint.page_differences import _compare, _PageReader

    opened = opening("counter.tar.zst")
    checkpoint = opened.load(quiet())
    region = Region(1, 0, 8 * PAGE, "heap", "rw-p")
    readers = [
        _PageReader(Side(checkpoint, opened.images, r), None)  # type: ignore[arg-type]
        for r in (before, after)
    ]
    return _compare((readers[0], readers[1]), region, region, PAGE, quiet())


def test_pages_are_told_apart_by_content_and_by_presence(opening: Open) -> None:
    a, b, c = b"a" * PAGE, b"b" * PAGE, b"c" * PAGE
    before = FakeReader((0, 3, PE_PRESENT), (5, 1, PE_LAZY), data=a + b + b)
    after = FakeReader((0, 2, PE_PRESENT), (4, 2, PE_PRESENT), data=a + c + a + a)
    found = region_of(before, after, opening)
    assert dataclasses.asdict(found) | {"before": 0, "after": 0} == {  # type: ignore[call-overload]
        "before": 0,
        "after": 0,
        "same": PAGE,
        "changed": PAGE,
        "only_before": PAGE,
        "only_after": PAGE,
        "unknown": PAGE,
        "places": ((PAGE, PAGE),),
        "problem": "",
    }


def test_changed_pages_side_by_side_are_one_place(opening: Open) -> None:
    before = FakeReader((0, 4, PE_PRESENT), data=b"a" * 4 * PAGE)
    after = FakeReader((0, 4, PE_PRESENT), data=b"a" * PAGE + b"b" * 2 * PAGE + b"a" * PAGE)
    assert region_of(before, after, opening).places == ((PAGE, 2 * PAGE),)  # type: ignore[attr-defined]


def test_regions_that_moved_are_known_by_their_use() -> None:
    library = Region(1, 0x1000, 0x2000, "file", "r-xp", "/lib/c.so")
    moved = dataclasses.replace(library, start=0x7000, end=0x8000)
    stack = Region(1, 0x5000, 0x6000, "stack", "rw-p")
    heap = Region(1, 0x9000, 0xA000, "heap", "rw-p")
    assert list(match_regions([library, stack], [stack, moved, heap])) == [
        (stack, stack),
        (library, moved),
        (None, heap),
    ]


def test_a_pipe_that_is_another_pipe_is_no_change(opening: Open) -> None:
    checkpoint = opening("cri-crio.tar").load(quiet())
    pipe = next(f for f in checkpoint.files if f.kind == "pipe")
    other = dataclasses.replace(pipe, target=pipe.target.replace("pipe 2", "pipe 9", 1))
    assert other != pipe
    files = tuple(other if f == pipe else f for f in checkpoint.files)
    again = dataclasses.replace(checkpoint, files=files)
    changes: list[Change] = [*compare_checkpoints(checkpoint, again, quiet()).changes()]
    assert changes == []
