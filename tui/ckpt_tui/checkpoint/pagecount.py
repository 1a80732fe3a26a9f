"""What the dumped pages hold: how many are zero, equal to another, in another checkpoint, or alone.

One pass over the page images, which are the bulk of a checkpoint: so it is done when asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Checkpoint
from ckpt_tui.checkpoint.pagehash import ZERO, hashes, page_pieces, whole_pages
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress

MAX_DISTINCT = 1_000_000
"""Contents remembered, some 100 MB of memory: 4 GiB of pages of which none equals another."""

KINDS = ("unique", "duplicate", "shared", "zero")
"""What a page can be."""


@dataclass(frozen=True, slots=True)
class PageImage:
    """The pages of one process, or of one shared object."""

    label: str
    pieces: Iterable[bytes]
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
    shared: int = 0
    """Not zero, and in one of the other checkpoints, too."""
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
    parent: int = 0
    """Bytes that are not here, but in the previous dump of a chain."""

    def total(self, field: str) -> int:
        """Return the bytes of `pages` or of one of `KINDS` in all parts."""
        return sum(getattr(part, field) * part.page_size for part in self.parts)


Dump = tuple[ImageDirectory, Checkpoint]


def count_checkpoint(dump: Dump, progress: Progress, others: Sequence[Dump] = ()) -> PageCounts:
    """Count the pages of a checkpoint, in one pass over a compressed archive; one pass more for
    each of `others`, in which its contents are looked for. The previous dumps of a chain are among
    these by themselves.

    Raises:
        CkptError: CRIU compressed or encrypted the pages, so their contents cannot be seen.
    """
    images, checkpoint = dump
    for _, one in (dump, *others):
        if how := one.criu.packed_how:
            raise CkptError("The pages cannot be counted.", f"CRIU wrote them {how}.")
    page_size = checkpoint.criu.page_size
    known: set[int] = set()
    for directory in (*_previous(images), *(other for other, _ in others)):
        progress.start("reading the other pages", _page_bytes(directory))
        for _, pieces in page_pieces(directory, progress):
            for piece in whole_pages(pieces, page_size):
                if len(known) < MAX_DISTINCT:
                    known.update(hashes(piece, page_size))
    owners = {f"pages-{m.pages_id}.img": m.pid for m in checkpoint.memory if m.pages_id is not None}
    progress.start("counting pages", _page_bytes(images))

    def found() -> Iterator[PageImage]:
        for name, pieces in page_pieces(images, progress):
            label = f"process {owners[name]}" if name in owners else name
            yield PageImage(label, pieces, page_size, owners.get(name))

    return count_pages(found(), known, sum(m.parent_bytes for m in checkpoint.memory))


def _previous(images: ImageDirectory) -> Iterator[ImageDirectory]:
    while (before := images.previous) is not None:
        yield before
        images = before


def _page_bytes(images: ImageDirectory) -> int:
    return sum(images.size(name) for name in images.page_images)


def count_pages(
    images: Iterable[PageImage], known: Set[int] = frozenset(), parent: int = 0
) -> PageCounts:
    """Return how many pages are zero, among the `known` hashes, duplicate and unique."""
    seen: set[int] = set()
    parts = tuple(sorted((_count(image, seen, known) for image in images), key=_by_process))
    complete = max(len(seen), len(known)) < MAX_DISTINCT
    return PageCounts(parts, complete, parent)


def _by_process(part: Counted) -> tuple[bool, int, str]:
    return part.pid is None, part.pid or 0, part.label


def _count(image: PageImage, seen: set[int], known: Set[int]) -> Counted:
    size = image.page_size
    pages = zero = shared = duplicate = 0
    problem = ""
    try:
        for piece in whole_pages(image.pieces, size):
            found = hashes(piece, size)
            pages += len(found)
            zero += found.count(ZERO)
            if known:
                shared += sum(one in known for one in found if one != ZERO)
            found = [one for one in found if one != ZERO and one not in known]
            fresh = set(found) - seen
            duplicate += len(found) - len(fresh)
            if len(seen) < MAX_DISTINCT:
                seen |= fresh
    except CkptError as error:
        problem = str(error)
    unique = pages - zero - shared - duplicate
    return Counted(image.label, image.pid, size, pages, zero, shared, duplicate, unique, problem)
