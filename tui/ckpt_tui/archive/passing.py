"""Large members from start to end in one pass, without the spill file that a random read makes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ckpt_tui.archive.archive_tree import ArchiveTree
from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.progress import Progress, Uncounted, counted
from ckpt_tui.core.window import chunks


def in_passing(
    tree: Tree, names: Collection[str], progress: Progress
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield files of `tree` with their bytes in pieces, which are good until the next file; in the
    order of the archive where that saves a pass. Progress counts bytes of the files.

    Raises, also while a file is read:
        CkptError: the archive is damaged there.
        KeyError: there is no regular file of a name.
    """
    if not spills(tree, names):
        for name in names:
            yield name, counted(chunks(tree.window(name)), progress)
        return
    assert isinstance(tree, ArchiveTree)
    missing = {*names}
    walk = stream(tree.stored, "the archive", Uncounted(progress))
    for member, reader in walk:
        if member.name in missing and walk.extent == tree.extent(member.name):
            yield member.name, counted(reader.chunks(), progress)
            missing.discard(member.name)
            if not missing:
                return


def spills(tree: Tree, names: Collection[str]) -> bool:
    """Return whether random reads of these files would write a spill file."""
    return isinstance(tree, ArchiveTree) and any(map(tree.spills, names))
