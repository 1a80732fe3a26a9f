"""Counting pages by their content."""

from __future__ import annotations

from pathlib import Path

import pytest

from ckpt_tui.checkpoint import pagecount
from ckpt_tui.checkpoint.pagecount import PageImage, count_checkpoint, count_pages
from ckpt_tui.core.errors import CkptError, SourceUnreachable
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow
from ckpt_tui.formats.opened import open_checkpoint

PAGE = 4096
ZERO, A, B = bytes(PAGE), b"a" * PAGE, b"b" * PAGE


def image(*pages: bytes, label: str = "process 1") -> PageImage:
    return PageImage(label, BytesWindow(b"".join(pages)), PAGE, 1)


def test_every_page_is_zero_duplicate_or_unique() -> None:
    counted = count_pages([image(ZERO, A, B, A, ZERO, A)], quiet()).parts[0]
    assert (counted.pages, counted.zero, counted.duplicate, counted.unique) == (6, 2, 2, 2)


def test_pages_equal_to_another_process_count_once() -> None:
    counts = count_pages([image(A, B), image(B, ZERO)], quiet())
    assert [(p.zero, p.duplicate, p.unique) for p in counts.parts] == [(0, 0, 2), (1, 1, 0)]
    assert counts.total("unique") == 2 * PAGE


def test_pages_of_64_kib_are_compared_whole() -> None:
    large = bytes(65535) + b"x"
    found = PageImage("", BytesWindow(large + bytes(65536) + large), 65536)
    counted = count_pages([found], quiet()).parts[0]
    assert (counted.pages, counted.zero, counted.duplicate, counted.unique) == (3, 1, 1, 1)


def test_a_page_cut_short_still_counts() -> None:
    assert count_pages([image(A, b"a")], quiet()).parts[0].unique == 2


def test_more_contents_than_are_remembered_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagecount, "MAX_DISTINCT", 1)
    assert not count_pages([image(A, B)], quiet()).complete
    assert count_pages([image(ZERO)], quiet()).complete


def test_an_unreadable_image_does_not_stop_the_others() -> None:
    class Broken(BytesWindow):
        def read(self, offset: int, length: int) -> bytes:
            raise SourceUnreachable("Gone.")

    counts = count_pages([PageImage("x", Broken(A), PAGE), image(B)], quiet())
    assert [part.problem for part in counts.parts] == ["Gone.", ""]
    assert counts.parts[1].unique == 1


def test_a_real_checkpoint_adds_up(data: Path) -> None:
    opened = open_checkpoint(str(data / "archives/counter.tar.zst"), quiet())
    try:
        checkpoint = opened.load(quiet())
        counts = count_checkpoint(opened.images, checkpoint, quiet())
    finally:
        opened.close()
    assert counts.total("pages") == sum(m.dumped_bytes for m in checkpoint.memory)
    assert {part.pid for part in counts.parts} == {m.pid for m in checkpoint.memory}
    assert all(p.pages == p.zero + p.duplicate + p.unique for p in counts.parts)
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
            count_checkpoint(opened.images, hidden, quiet())
    finally:
        opened.close()
