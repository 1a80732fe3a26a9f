"""Reads rootfs-diff.tar's headers and deleted.files: what there is to plan a layer from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ckpt_tui.archive.archive_tree import MAX_KEPT_MEMBER, ArchiveTree
from ckpt_tui.archive.blocks import Blocks, PieceStream, StreamBlocks, WindowBlocks
from ckpt_tui.archive.compression import Compression, decompressed, sniff
from ckpt_tui.archive.headers import HeaderReader, TarHeader
from ckpt_tui.archive.names import clean_name
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.delta import is_layer
from ckpt_tui.convert.kernel_marks import KernelMarks, kernel_marks
from ckpt_tui.convert.roles import DELETED_FILES, DIFF_TAR
from ckpt_tui.convert.source import Source
from ckpt_tui.convert.unpacking import TarEntry
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.core.progress import Progress

MAX_ENTRIES = 100_000
"""Entries of rootfs-diff.tar that are planned; each takes some 1.5 KiB of memory until all is
checked, and the program may take 200 MiB."""

_LINKS = (MemberKind.HARDLINK, MemberKind.SYMLINK)


@dataclass(frozen=True, slots=True)
class Diff:
    """The filesystem delta of a legacy checkpoint before it is planned."""

    entries: tuple[TarEntry, ...] = ()
    """Of a plain tar; a compressed one is a layer and goes through unread."""
    deleted: tuple[str, ...] = ()
    has_tar: bool = False
    compression: Compression = "plain"
    layer: bool = False
    """The tar is an OCI layer already, with whiteouts of its own."""
    marks: KernelMarks = field(default_factory=KernelMarks)
    """What such a layer tells a kernel to do."""


def read_diff(source: Source, progress: Progress) -> Diff:
    """Read the delta of a checkpoint without its data.

    In a compressed archive that kept no headers of it this takes one pass; a window would have to
    spill all large members.

    Raises:
        DamagedInput: the tar or the list is damaged.
    """
    deleted = _read_deleted(source.tree)
    member = source.tree.members.get(DIFF_TAR)
    if member is None:
        return Diff(deleted=deleted)
    tree = source.tree
    headers = tree.headers(DIFF_TAR) if isinstance(tree, ArchiveTree) else None
    blocks: Blocks | None = WindowBlocks(headers, progress) if headers else None
    if blocks is None and _costs_a_pass(source, member.size):
        progress.start(f"reading {DIFF_TAR}", source.stored_size or None)
        pieces = next((found for each, found in source.feed(progress) if each.name == DIFF_TAR), ())
        streamed = PieceStream(pieces)
        blocks = StreamBlocks(streamed) if sniff(streamed.head) == "plain" else None
    if blocks is None:
        window = source.tree.window(DIFF_TAR)
        compression = sniff(window.read(0, 4))
        if compression != "plain":
            stream = StreamBlocks(decompressed(window, compression, progress, DIFF_TAR))
            return Diff((), deleted, True, compression, True, kernel_marks(_members(stream)))
        blocks = WindowBlocks(window, progress)
    entries = scan_entries(blocks, member.size)
    if is_layer(entries, deleted):
        marks = kernel_marks(entry.member for entry in entries)
        return Diff((), deleted, True, layer=True, marks=marks)
    return Diff(entries, deleted, has_tar=True)


def _costs_a_pass(source: Source, size: int) -> bool:
    """Tell whether a window on the delta would spill all large members of the archive."""
    if isinstance(source.tree, ArchiveTree):
        return source.tree.spills(DIFF_TAR)
    return source.compression in ("zstd", "gzip") and size > MAX_KEPT_MEMBER


def _read_deleted(tree: Tree) -> tuple[str, ...]:
    if DELETED_FILES not in tree.members:
        return ()
    names = read_document(tree.window(DELETED_FILES), DELETED_FILES)
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DamagedInput(DELETED_FILES, 0, "it is not a list of names.")
    return tuple(names)


def scan_entries(blocks: Blocks, size: int) -> tuple[TarEntry, ...]:
    """Return the entries of a plain tar of `size` bytes and where they lie.

    Raises:
        DamagedInput: a header is damaged, or the tar is shorter than they say.
        CkptError: there are too many.
    """
    headers = HeaderReader(blocks, DIFF_TAR)
    entries: list[TarEntry] = []
    while header := headers.next():
        if len(entries) == MAX_ENTRIES:
            raise CkptError(
                "The delta is too large to plan:",
                f"{DIFF_TAR} has more than {MAX_ENTRIES:,} entries.",
                "Keep it as it is with --keep-delta-tar.",
            )
        if header.end > size:
            raise DamagedInput(DIFF_TAR, size, f"it ends within {header.name!r:.200}.")
        if header.runs is not None:
            problem = f"{header.name!r:.200} is a sparse member, which layers must not have."
            raise DamagedInput(DIFF_TAR, header.offset, problem)
        entries.append(
            TarEntry(_member(header), header.name, header.offset, header.data_offset, header.end)
        )
        blocks.skip(header.end - blocks.position)
    return tuple(entries)


def _members(blocks: Blocks) -> Iterator[Member]:
    """Yield the members of a tar, whatever names they have.

    Raises:
        DamagedInput: a header is damaged; an engine might read on behind it.
    """
    headers = HeaderReader(blocks, DIFF_TAR)
    while header := headers.next():
        yield _member(header)
        blocks.skip(header.end - blocks.position)


def _member(header: TarHeader) -> Member:
    name, link = clean_name(header.name), header.link
    if header.kind is MemberKind.HARDLINK:
        link = clean_name(link) or link
    # a name that is clean already is kept once, not twice
    clean = header.name if name in (None, header.name) else name
    return header.member(clean, link if header.kind in _LINKS else "")
