"""The root filesystem that a restore finds: the base image with the changes of the container."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ckpt_tui.archive.names import ROOT, clean_name
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.model import Delta, DeltaEntry
from ckpt_tui.core.progress import Progress

MAX_LINKS = 40
"""Symbolic links followed in one path, as Linux does."""

MAX_PATH = 4096
"""Characters of a path or a link, as on Linux; longer ones lead nowhere."""

_DELTA_KINDS = {
    "file": MemberKind.FILE,
    "directory": MemberKind.DIRECTORY,
    "symlink": MemberKind.SYMLINK,
    "hard link": MemberKind.HARDLINK,
    "fifo": MemberKind.FIFO,
    "device": MemberKind.CHARACTER,
}


@dataclass(frozen=True, slots=True)
class RootFile:
    """A file of the root filesystem as the restore will find it."""

    name: str
    kind: MemberKind
    size: int
    mode: int
    link: str
    changed: bool = False
    """It comes with the checkpoint; False: of the base image."""


class RootFilesystem:
    """Base image and changes, as a restore puts them together."""

    def __init__(self, base: Mapping[str, Member], delta: Delta, progress: Progress) -> None:
        self._files = base
        self._changes: dict[str, RootFile] = {}
        self._gone: set[str] = set()
        self._parents: set[str] = set()
        self._deletes_last = delta.dialect == "files"
        for entry in delta.entries:
            progress.tick(0)
            self._apply(entry)
        for name in (*self._files, *self._changes):
            progress.tick(0)
            if len(name) <= MAX_PATH:
                self._add_parents(name)

    def _apply(self, entry: DeltaEntry) -> None:
        name = clean_name(entry.path)
        if name is None or len(name) > MAX_PATH:
            return
        if entry.change == "deleted":
            if entry.kind:  # an opaque folder: what the image had in it is hidden
                self._gone.add(name + "/")
            else:
                self._gone.add(name)
            return
        kind = _DELTA_KINDS.get(entry.kind, MemberKind.OTHER)
        self._changes[name] = RootFile(name, kind, entry.size, entry.mode, entry.link, True)

    def _add_parents(self, name: str) -> None:
        folder = name.rpartition("/")[0]
        while folder and folder not in self._parents:
            self._parents.add(folder)
            folder = folder.rpartition("/")[0]

    def _is_gone(self, name: str) -> bool:
        """Tell whether a deletion covers `name`. With podman's list it covers new files too, in a
        layer only those of the image."""
        if not self._deletes_last and name in self._changes:
            return False
        steps = name.split("/")
        for depth in range(1, len(steps) + 1):
            path = "/".join(steps[:depth])
            if path in self._gone or (depth < len(steps) and path + "/" in self._gone):
                return True
        return False

    def entry(self, name: str) -> RootFile | None:
        """Return the file of a clean name, without following links."""
        if self._is_gone(name):
            return None
        if name in self._changes:
            return self._changes[name]
        member = self._files.get(name)
        if member is not None:
            return RootFile(name, member.kind, member.size, member.mode, member.link)
        if name in self._parents:
            return RootFile(name, MemberKind.DIRECTORY, 0, -1, "")
        return None

    def find(self, path: str) -> RootFile | None:
        """Return the file that a path leads to, links in folders and hard links followed."""
        steps = _steps(path)
        at = ""
        links = 0
        while steps:
            step = steps.pop()
            if step == "..":
                at = at.rpartition("/")[0]
                continue
            name = f"{at}/{step}" if at else step
            found = self.entry(name)
            if found is None or links > MAX_LINKS or len(name) > MAX_PATH:
                return None
            if found.kind is MemberKind.SYMLINK and steps:
                links += 1
                at = "" if found.link.startswith("/") else at
                steps += _steps(found.link)
                continue
            at = name
        found = self.entry(at or ROOT)
        if found is not None and found.kind is MemberKind.HARDLINK:
            target = self.entry(clean_name(found.link) or "")
            return target if target and target.kind is not MemberKind.HARDLINK else None
        return found


def _steps(path: str) -> list[str]:
    """Return the steps of a path, last one first; of one that is too long, one that is nowhere."""
    if len(path) > MAX_PATH:
        return ["\0"]
    return [step for step in path.split("/") if step not in ("", ".")][::-1]
