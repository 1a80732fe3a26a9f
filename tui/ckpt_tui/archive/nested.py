"""An archive inside an archive: its members, without a spill file where one pass does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.blocks import PieceStream
from ckpt_tui.archive.compression import Compression, sniff
from ckpt_tui.archive.tar import Seen, index, index_stream, stream
from ckpt_tui.archive.tree import Member, Tree
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress


@dataclass(frozen=True, slots=True)
class Nested:
    """The headers of a nested archive."""

    members: Mapping[str, Member]
    notes: tuple[str, ...]
    compression: Compression
    size: int
    """Bytes of the archive, decompressed."""


def read_nested(tree: Tree, name: str, progress: Progress, seen: Seen | None = None) -> Nested:
    """Return the members of the archive that is the member `name` of `tree`; `seen` gets their
    index before it is filled, unless the nested archive is compressed itself.

    In a compressed archive that kept neither the member nor its headers, one pass over the outer
    archive reads these as they come by; a random read would spill every large member.

    Raises:
        KeyError: there is no such file.
        CkptError: it is not a tar archive, or damaged before its first member.
    """
    if isinstance(tree, ArchiveTree) and (headers := tree.headers(name)):
        index_of = index(headers, name, progress, seen=seen)
        return Nested(index_of, index_of.notes(), "plain", tree.members[name].size)
    if isinstance(tree, ArchiveTree) and tree.spills(name):
        found = _in_passing(tree, name, progress, seen)
        if found is not None:
            return found
    window = tree.window(name)
    if sniff(window.read(0, 4)) == "plain":
        progress.start(f"reading {name}", window.size)
        index_of = index(window, name, progress, seen=seen)
        return Nested(index_of, index_of.notes(), "plain", window.size)
    inner = open_archive(window, name, progress)
    try:
        return Nested(inner.members, inner.notes, inner.compression, inner.plain_size)
    finally:
        inner.close()


def _in_passing(
    tree: ArchiveTree, name: str, progress: Progress, seen: Seen | None
) -> Nested | None:
    """Return the nested archive read in one pass; None if it is compressed itself."""
    progress.start(f"reading {name}", tree.stored.size)
    for member, reader in stream(tree.stored, name, progress):
        if member.name != name:
            continue
        content = PieceStream(reader.chunks())
        if sniff(content.head) != "plain":
            return None
        inner = index_stream(content, name, seen)
        return Nested(inner, inner.notes(), "plain", member.size)
    raise DamagedInput(name, 0, "the archive does not have it any more: it was changed meanwhile.")
