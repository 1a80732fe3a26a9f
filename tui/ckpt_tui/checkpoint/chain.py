"""The dump before this one in a chain: where the link `parent` of an image directory leads.

CRIU reads the pages that it left out of an incremental dump there (criu/pagemap.c), and that may
have a `parent` of its own. podman keeps the two side by side as `checkpoint` and `pre-checkpoint`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple, Self

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.core.errors import CkptError

LINK = "parent"

INVENTORY = "inventory.img"

PODMAN = "pre-checkpoint/"

MAX_CHAIN = 32
"""Dumps of one chain that are looked at."""


class Place(NamedTuple):
    """Where the images of one dump are."""

    tree: Tree
    folder: str
    """With a slash at its end, or empty."""
    is_own: bool = False
    """Whether the tree was opened for it, and has to be closed with it."""

    @property
    def identity(self) -> Hashable:
        """What is equal for two ways to the same folder."""
        if isinstance(self.tree, DirectoryTree) and not self.folder:
            return self.tree.identity
        return id(self.tree), self.folder

    def close(self) -> None:
        """Close the tree if it was opened for this."""
        if self.is_own:
            self.tree.close()

    def before(self) -> Self | None:
        """Return the place of the dump before this one, None where it is not at hand."""
        members, name = self.tree.members, f"{self.folder}{LINK}"
        link = members.get(name)
        if link is None:
            beside = self.folder == "checkpoint/" and f"{PODMAN}{INVENTORY}" in members
            return type(self)(self.tree, PODMAN) if beside else None
        folder = resolved(self.folder, link.link) if link.kind is MemberKind.SYMLINK else name
        prefix = f"{folder}/" if folder else ""
        if folder is not None and any(member.startswith(prefix) for member in members):
            return type(self)(self.tree, prefix)
        if link.kind is not MemberKind.SYMLINK or not isinstance(self.tree, DirectoryTree):
            return None
        try:
            tree = self.tree.linked(name, INVENTORY)
        except CkptError:
            return None
        return type(self)(tree, "", is_own=True)


def resolved(folder: str, target: str) -> str | None:
    """Return where a relative link in `folder` leads inside the tree; None for outside."""
    steps = [step for step in folder.split("/") if step]
    if target.startswith("/"):
        return None
    for step in target.split("/"):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)
