"""Searching all that a checkpoint holds: every kind of content, and where in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.checkpoint.hits import Hit, hits
from ckpt_tui.checkpoint.passages import WALKS, Inside, passages
from ckpt_tui.checkpoint.patterns import parse_pattern
from ckpt_tui.checkpoint.records import Note
from ckpt_tui.core.errors import Cancelled, DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.formats.opened import OpenCheckpoint, open_checkpoint
from ckpt_tui.formats.searching import inside_of
from crafted import ARCHIVES, IMAGES

Opened = OpenCheckpoint


@pytest.fixture(scope="module")
def web(data: Path) -> Iterator[OpenCheckpoint]:
    opened = open_checkpoint(str(data / "demo-web/web.tar.zst"), quiet())
    yield opened
    opened.close()


def found(opened: OpenCheckpoint, text: str, *kinds: str) -> list[Hit]:
    problems: list[Note] = []
    result = [*hits(inside_of(opened, quiet()), parse_pattern(text), quiet(), problems, kinds)]  # type: ignore[arg-type]
    assert problems == []
    return result


def test_a_variable_is_found_in_the_environment_the_metadata_and_the_memory(
    web: OpenCheckpoint,
) -> None:
    result = found(web, "PATH=/usr/local/sbin")
    assert Counter(hit.kind for hit in result) == {"environment": 4, "metadata": 2, "memory": 4}
    first = result[0]
    assert (first.where.name, str(first.where.ref), first.where.pid) == ("PATH", "process:1", 1)
    stack = result[-1]
    assert stack.where.name == "stack"
    assert stack.where.ref is not None
    pid, start = stack.where.ref.ids
    assert pid == stack.where.pid == 11
    assert start <= stack.place


def test_the_place_in_memory_is_the_address(web: OpenCheckpoint) -> None:
    hit = found(web, "PATH=/usr/local/sbin", "memory")[0]
    memory = web.memory.memory(hit.where.pid or 0)
    assert memory is not None
    assert memory.read(hit.place, len(hit.found)).data == hit.found


@pytest.mark.parametrize("kind", ["argv", "environment", "files", "metadata", "images", "memory"])
def test_only_the_kind_asked_for_is_searched(kind: str, web: OpenCheckpoint) -> None:
    assert {hit.kind for hit in found(web, "re:[a-z]", kind)} == {kind}


def test_paths_and_contents_of_the_delta_are_found() -> None:
    opened = open_checkpoint(str(ARCHIVES / "rootfs.tar.zst"), quiet())
    try:
        result = found(opened, "re:[a-z]{3,}", "delta")
        entries = opened.load(quiet()).delta.entries
    finally:
        opened.close()
    assert {hit.part for hit in result} == {"path", "content"}
    for hit in result:
        assert hit.where.ref is not None
        assert entries[hit.where.ref.ids[0]].path == hit.where.name


def test_queued_bytes_are_found_by_their_item() -> None:
    opened = open_checkpoint(str(IMAGES / "sockets"), quiet())
    try:
        result = found(opened, "re:.", "queues")
    finally:
        opened.close()
    assert result
    assert {hit.where.ref.kind for hit in result if hit.where.ref} == {"item"}


def test_images_of_queues_are_not_searched_twice() -> None:
    opened = open_checkpoint(str(IMAGES / "sockets"), quiet())
    try:
        names = {hit.where.name for hit in found(opened, "re:.", "images")}
    finally:
        opened.close()
    assert "sk-queues.img" not in names
    assert "inventory.img" in names


def test_each_kind_of_content_has_its_own_passages(web: OpenCheckpoint) -> None:
    inside = inside_of(web, quiet())
    for kind in WALKS:
        for passage in passages(inside, (kind,), quiet(), []):
            assert passage.kind == kind


def test_what_cannot_be_read_is_a_problem_and_the_rest_goes_on(
    web: OpenCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_inside: Inside, _progress: Progress, _problems: list[Note]) -> Iterator[None]:
        raise DamagedInput("config.dump", 7, "it is cut.")

    monkeypatch.setitem(WALKS, "metadata", damaged)  # type: ignore[arg-type]
    problems: list[Note] = []
    inside = inside_of(web, quiet())
    kinds = {h.kind for h in hits(inside, parse_pattern("PATH="), quiet(), problems)}
    assert kinds == {"environment", "memory"}
    assert [note.where for note in problems] == ["metadata"]


def test_a_search_stops_when_it_is_not_wanted(web: OpenCheckpoint) -> None:
    inside = inside_of(web, quiet())
    with pytest.raises(Cancelled):
        list(hits(inside, parse_pattern("PATH="), Progress(cancelled=lambda: True), []))
