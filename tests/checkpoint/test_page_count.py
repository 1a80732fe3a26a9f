"""Counting pages by their content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ckpt_tui.checkpoint import pagecount
from ckpt_tui.checkpoint.pagecount import PageImage, count_checkpoint, count_pages
from ckpt_tui.checkpoint.pagehash import hashes
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.formats.opened import open_checkpoint

PAGE = 4096
ZERO, A, B = bytes(PAGE), b"a" * PAGE, b"b" * PAGE


def image(*pages: bytes, label: str = "process 1") -> PageImage:
    return PageImage(label, [b"".join(pages)], PAGE, 1)


def test_every_page_is_zero_duplicate_or_unique() -> None:
    counted = count_pages([image(ZERO, A, B, A, ZERO, A)]).parts[0]
    assert (counted.pages, counted.zero, counted.duplicate, counted.unique) == (6, 2, 2, 2)


def test_pages_equal_to_another_process_count_once() -> None:
    counts = count_pages([image(A, B), image(B, ZERO)])
    assert [(p.zero, p.duplicate, p.unique) for p in counts.parts] == [(0, 0, 2), (1, 1, 0)]
    assert counts.total("unique") == 2 * PAGE


def test_pages_of_64_kib_are_compared_whole() -> None:
    large = bytes(65535) + b"x"
    found = PageImage("", [large + bytes(65536) + large], 65536)
    counted = count_pages([found]).parts[0]
    assert (counted.pages, counted.zero, counted.duplicate, counted.unique) == (3, 1, 1, 1)


def test_a_page_cut_short_still_counts() -> None:
    assert count_pages([image(A, b"a")]).parts[0].unique == 2


def test_more_contents_than_are_remembered_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecount, "MAX_DISTINCT", 1)
    assert not count_pages([image(A, B)]).complete
    assert count_pages([image(ZERO)]).complete


def test_pieces_need_not_end_with_a_page() -> None:
    data = A + ZERO + B + A[:100]
    cut = [data[:1000], data[1000:9000], data[9000:]]
    whole, pieces = (count_pages([PageImage("", p, PAGE)]).parts[0] for p in ([data], cut))
    assert whole == pieces
    assert (whole.pages, whole.zero, whole.unique) == (4, 1, 3)


def test_an_image_damaged_halfway_does_not_stop_the_others() -> None:
    def broken() -> Iterator[bytes]:
        yield B
        raise SourceUnreachable("Gone.")

    counts = count_pages([PageImage("x", broken(), PAGE), image(A)])
    assert {part.label: part.problem for part in counts.parts} == {"x": "Gone.", "process 1": ""}
    assert [part.unique for part in counts.parts] == [1, 1], "what could be read is counted"


def test_pages_of_another_checkpoint_are_shared() -> None:
    known = {*hashes(A, PAGE), *hashes(ZERO, PAGE)}
    counted = count_pages([image(A, A, B, B, ZERO)], known).parts[0]
    assert (counted.shared, counted.duplicate, counted.unique, counted.zero) == (2, 1, 1, 1)


def test_a_real_checkpoint_adds_up(data: Path) -> None:
    opened = open_checkpoint(str(data / "archives/counter.tar.zst"), quiet())
    try:
        checkpoint = opened.load(quiet())
        counts = count_checkpoint((opened.images, checkpoint), quiet())
        with_itself = count_checkpoint(
            (opened.images, checkpoint), quiet(), [(opened.images, checkpoint)]
        )
    finally:
        opened.close()
    assert counts.total("pages") == sum(m.dumped_bytes for m in checkpoint.memory)
    assert {part.pid for part in counts.parts} == {m.pid for m in checkpoint.memory}
    assert all(p.pages == p.zero + p.shared + p.duplicate + p.unique for p in counts.parts)
    assert with_itself.total("shared") == counts.total("pages") - counts.total("zero")
    assert counts.total("duplicate") > 0, "the shell and its child share pages"


def test_encrypted_pages_are_refused(data: Path) -> None:
    import dataclasses

    opened = open_checkpoint(str(data / "archives/counter.tar.zst"), quiet())
    try:
        checkpoint = opened.load(quiet())
        hidden = dataclasses.replace(
            checkpoint, criu=dataclasses.replace(checkpoint.criu, encrypted=True)
        )
        with pytest.raises(CkptError, match="encrypted"):
            count_checkpoint((opened.images, hidden), quiet())
    finally:
        opened.close()
