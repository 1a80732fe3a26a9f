"""Listing the images of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ckpt_tui.archive.joined import MemoryTree
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from crafted import IMAGES


@dataclass
class Watched:
    """A window that knows whether it was read."""

    inner: ByteWindow
    reads: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.inner.size

    def read(self, offset: int, length: int) -> bytes:
        self.reads.append(offset)
        return self.inner.read(offset, length)


class WatchedTree(MemoryTree):
    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(files)
        self.windows = {name: Watched(BytesWindow(data)) for name, data in files.items()}

    def window(self, name: str) -> ByteWindow:
        return self.windows[name]


def test_no_byte_of_memory_is_read_to_list_the_images() -> None:
    tree = WatchedTree({p.name: p.read_bytes() for p in (IMAGES / "counter").iterdir()})
    listed = {file.name: file for file in ImageDirectory(tree, "").listing(quiet())}
    assert listed["pages-1.img"].kind == "PAGES"
    assert listed["pages-1.img"].size == 73728
    assert tree.windows["pagemap-1.img"].reads
    assert not tree.windows["pages-1.img"].reads


def test_an_image_that_was_walked_is_listed_without_decoding_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = (IMAGES / "counter/files.img").read_bytes()
    data += b"\x03\0\0\0\xf8\x06\x07" + b"\x01\0\0\0\xff"
    tree = MemoryTree({"files.img": data})
    decoded, walked = ImageDirectory(tree, ""), ImageDirectory(tree, "")
    assert len(list(walked.records("files.img", quiet()))) > 1
    once = next(f for f in decoded.listing(quiet()) if f.name == "files.img")
    monkeypatch.setattr(walked, "image", lambda *_: None)
    again = next(f for f in walked.listing(quiet()) if f.name == "files.img")
    assert again == once
    assert (again.unknown_fields, "not a valid file_entry" in again.problem) == (1, True)
