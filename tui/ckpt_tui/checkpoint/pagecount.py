"""What the dumped pages hold: how many are zero, how many are equal to another, how many are alone.

One pass over the page images, which are the bulk of a checkpoint: so it is done when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckpt_tui.checkpoint.images import ImageDirectory
from ckpt_tui.checkpoint.model import Checkpoint, ProcessMemory
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK, ByteWindow

MAX_DISTINCT = 1_000_000
"""Contents remembered, some 100 MB of memory: 4 GiB of pages of which none equals another."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """The pages of one process, or of one shared object."""

    label: str
    window: ByteWindow
    page_size: int
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """Pages of one page image, all adding up to `pages`."""

    label: str
    pid: int | None
    page_size: int
    pages: int = 0
    zero: int = 0
    duplicate: int = 0
    """Equal to a page counted before, of this or another process."""
    unique: int = 0
    """Not zero, and the first of its content."""
    problem: str = ""
    """Why not all of the image was counted, a sentence."""


@dataclass(frozen=True, slots=True)
class PageCounts:
    """All page images of a checkpoint."""

    parts: tuple[Counted, ...]
    complete: bool = True
    """False: there were more contents than are remembered, so some duplicates count as unique."""

    def total(self, field: str) -> int:
        """Return the bytes of `pages`, `zero`, `duplicate` or `unique` in all parts."""
        return sum(getattr(part, field) * part.page_size for part in self.parts)


def page_images(
    images: ImageDirectory, memory: Iterable[ProcessMemory], page_size: int
) -> tuple[PageImage, ...]:
    """Return every page image with whose it is; those of no process are named for their file."""
    owners = {f"pages-{m.pages_id}.img": m.pid for m in memory if m.pages_id is not None}
    return tuple(
        PageImage(
            label=f"process {owners[name]}" if name in owners else name,
            window=images.window(name),
            page_size=page_size,
            pid=owners.get(name),
        )
        for name in images.page_images
    )


def count_checkpoint(
    images: ImageDirectory, checkpoint: Checkpoint, progress: Progress
) -> PageCounts:
    """Count the pages of a checkpoint, in one pass over a compressed archive.

    Raises:
        CkptError: CRIU compressed or encrypted the pages, so their contents cannot be seen.
    """
    criu = checkpoint.criu
    if criu.compressed_pages or criu.encrypted:
        how = "encrypted" if criu.encrypted else "compressed"
        raise CkptError("The pages cannot be counted.", f"CRIU wrote them {how}.")
    found = page_images(images, checkpoint.memory, criu.page_size)
    images.preload_pages(progress)
    return count_pages(found, progress)


def count_pages(images: Sequence[PageImage], progress: Progress) -> PageCounts:
    """Return how many pages are zero, duplicate and unique. Progress counts bytes.

    Contents are told apart by Python's keyed 64-bit hash of them: among a million pages two that
    differ are taken for equal once in 30 million counts.
    """
    progress.start("counting pages", sum(image.window.size for image in images))
    seen: set[int] = set()
    parts = []
    for image in images:
        try:
            parts.append(_count(image, seen, progress))
        except CkptError as error:
            parts.append(Counted(image.label, image.pid, image.page_size, problem=str(error)))
    return PageCounts(tuple(parts), complete=len(seen) < MAX_DISTINCT)


def _count(image: PageImage, seen: set[int], progress: Progress) -> Counted:
    size = image.page_size
    pages = zero = duplicate = 0
    for chunk in _chunks(image.window, progress):
        count = -(-len(chunk) // size)
        pages += count
        nonzero = _hashes(chunk, size)
        zero += count - len(nonzero)
        fresh = set(nonzero) - seen
        duplicate += len(nonzero) - len(fresh)
        if len(seen) < MAX_DISTINCT:
            seen |= fresh
    return Counted(image.label, image.pid, size, pages, zero, duplicate, pages - zero - duplicate)


def _chunks(window: ByteWindow, progress: Progress) -> Iterator[bytes]:
    offset = 0
    while chunk := window.read(offset, CHUNK):
        yield chunk
        offset += len(chunk)
        progress.tick(len(chunk))


_ZEROS = bytes(CHUNK)


def _hashes(chunk: bytes, page_size: int) -> list[int]:
    """Return the hashes of the pages of a chunk that are not zero."""
    if chunk == _ZEROS[: len(chunk)]:
        return []
    zeros = _ZEROS[:page_size]
    pages = (chunk[at : at + page_size] for at in range(0, len(chunk), page_size))
    return [hash(page) for page in pages if page != zeros]
