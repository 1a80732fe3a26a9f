"""Listing the images of a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field

from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.core.progress import quiet
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.formats.views import MemoryTree
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
