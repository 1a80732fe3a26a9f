"""Pages by a hash of their contents, taken in the order in which an archive has them.

So contents can be counted and compared in one pass over a compressed archive, where a read here and
there would unpack all of it to a file first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from ckpt_tui.archive.passing import in_passing, spills
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import CHUNK

ZERO = 0
"""Hash of a page of zeros."""

_ZEROS = bytes(CHUNK)


def hashes(pages: bytes, page_size: int) -> list[int]:
    """Return a hash for each page, the last of which may be cut short; `ZERO` for zeros.

    It is Python's keyed 64-bit hash: among a million pages two that differ are taken for equal once
    in 30 million runs.
    """
    if pages == _ZEROS[: len(pages)]:
        return [ZERO] * -(-len(pages) // page_size)
    zeros = _ZEROS[:page_size]
    cut = (pages[at : at + page_size] for at in range(0, len(pages), page_size))
    return [ZERO if page == zeros else hash(page) or 1 for page in cut]


def whole_pages(pieces: Iterable[bytes], page_size: int) -> Iterator[bytes]:
    """Yield the bytes of `pieces` in pieces of whole pages; only the last may be cut short."""
    rest = b""
    for piece in pieces:
        if rest or len(piece) % page_size:
            piece = rest + piece
            end = len(piece) - len(piece) % page_size
            piece, rest = piece[:end], piece[end:]
        if piece:
            yield piece
    if rest:
        yield rest


def page_pieces(
    images: ImageDirectory, progress: Progress
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the name of every page image and its bytes in pieces, see `in_passing`."""
    names = {images.member_name(name): name for name in images.page_images}
    for member, pieces in in_passing(images.tree, names, progress):
        yield names[member], pieces


class HashedPages:
    """The hashes of all pages of a checkpoint, 8 bytes each."""

    def __init__(self, images: ImageDirectory, unit: int, progress: Progress) -> None:
        """Read all pages once; `unit` is how many bytes count as one.

        Raises:
            CkptError: the archive is damaged there.
        """
        self.unit = unit
        self._of: dict[str, array[int]] = {}
        for name, pieces in page_pieces(images, progress):
            found = array("q")
            for piece in whole_pages(pieces, unit):
                found.extend(hashes(piece, unit))
            self._of[images.member_name(name)] = found

    def at(self, member: str, offset: int, length: int) -> array[int]:
        """Return the hashes of a range of a page image, `offset` a multiple of the unit."""
        first = offset // self.unit
        found = self._of.get(member)
        return found[first : first - (-length // self.unit)] if found is not None else array("q")


def reads_spill(images: ImageDirectory) -> bool:
    """Return whether a random read of pages would unpack the archive to a file."""
    return spills(images.tree, [images.member_name(name) for name in images.page_images])
