"""Is each file that was open or mapped the same in the root filesystem of the restore?

CRIU compares size, mode and build id of every regular file with what it saw at the dump
(criu/files-reg.c, validate_file); this does the same with the base image and the changes, by their
headers alone.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ckpt_tui.archive.names import ROOT, clean_name
from ckpt_tui.archive.tree import Member, MemberKind
from ckpt_tui.checkpoint.filetable import FileObject
from ckpt_tui.checkpoint.model import DeltaEntry
from ckpt_tui.core.errors import CkptError
from ckpt_tui.diagnose.elf import build_id, recorded_build_id
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Certainty, Evidence, Finding

MAX_LINKS = 40
"""Symbolic links followed in one path, as Linux does."""

MAX_PATH = 4096
"""Characters of a path or a link, as on Linux; longer ones lead nowhere."""

ENGINE_ROOT_MODES = {"podman": 0o555, "cri-o": 0o555, "containerd": 0o755}
"""Mode of a container's root folder, whatever the base image says of it."""

_TYPES = {
    MemberKind.FILE: stat.S_IFREG,
    MemberKind.DIRECTORY: stat.S_IFDIR,
    MemberKind.SYMLINK: stat.S_IFLNK,
    MemberKind.FIFO: stat.S_IFIFO,
    MemberKind.CHARACTER: stat.S_IFCHR,
    MemberKind.BLOCK: stat.S_IFBLK,
    MemberKind.SOCKET: stat.S_IFSOCK,
}
_DELTA_KINDS = {
    "file": MemberKind.FILE,
    "directory": MemberKind.DIRECTORY,
    "symlink": MemberKind.SYMLINK,
    "hard link": MemberKind.HARDLINK,
    "fifo": MemberKind.FIFO,
    "device": MemberKind.CHARACTER,
}

LOST = (
    "podman and CRI-O leave a changed file out of the checkpoint when the host has no file of the "
    "same name, so what the container wrote into it is lost. "
)


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

    def __init__(self, facts: Facts) -> None:
        self._files: Mapping[str, Member] = facts.base or {}
        self._changes: dict[str, RootFile] = {}
        self._gone: set[str] = set()
        self._parents: set[str] = set()
        entries = () if facts.base_is_rootfs else facts.checkpoint.delta.entries
        for entry in facts.each(entries):
            self._apply(entry)
        names = [*self._files, *self._changes]
        for name in facts.each(names):
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

    def _is_gone(self, name: str, legacy: bool) -> bool:
        """Tell whether a deletion covers `name`. In podman's form (`legacy`) it covers new files
        too, in a layer only those of the image."""
        if not legacy and name in self._changes:
            return False
        steps = name.split("/")
        for depth in range(1, len(steps) + 1):
            path = "/".join(steps[:depth])
            if path in self._gone or (depth < len(steps) and path + "/" in self._gone):
                return True
        return False

    def entry(self, name: str, legacy: bool) -> RootFile | None:
        """Return the file of a clean name, without following links."""
        if self._is_gone(name, legacy):
            return None
        if name in self._changes:
            return self._changes[name]
        member = self._files.get(name)
        if member is not None:
            return RootFile(name, member.kind, member.size, member.mode, member.link)
        if name in self._parents:
            return RootFile(name, MemberKind.DIRECTORY, 0, -1, "")
        return None

    def find(self, path: str, legacy: bool) -> RootFile | None:
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
            found = self.entry(name, legacy)
            if found is None or links > MAX_LINKS or len(name) > MAX_PATH:
                return None
            if found.kind is MemberKind.SYMLINK and steps:
                links += 1
                at = "" if found.link.startswith("/") else at
                steps += _steps(found.link)
                continue
            at = name
        found = self.entry(at or ROOT, legacy)
        if found is not None and found.kind is MemberKind.HARDLINK:
            target = self.entry(clean_name(found.link) or "", legacy)
            return target if target and target.kind is not MemberKind.HARDLINK else None
        return found


def _steps(path: str) -> list[str]:
    """Return the steps of a path, last one first; of one that is too long, one that is nowhere."""
    if len(path) > MAX_PATH:
        return ["\0"]
    return [step for step in path.split("/") if step not in ("", ".")][::-1]


def compared_files(facts: Facts) -> Iterator[FileObject]:
    """Yield the files that CRIU compares and that lie on the root filesystem of the container."""
    roots = {m.id for m in facts.checkpoint.mounts if m.mountpoint == "/"}
    seen: set[tuple[str, int, int]] = set()
    for found in facts.each(facts.of_type("REG")):
        message = found.message
        path = facts.table.path(found.id)
        key = (path, message.size if message.HasField("size") else -1, message.mode)
        outside = message.mnt_id not in roots or message.ext or found.id in facts.table.ghosts
        if outside or not path.startswith("/") or key in seen:
            continue
        seen.add(key)
        yield found


def files(facts: Facts) -> Iterator[Finding]:
    """Each file is there with the size and mode of the dump."""
    if not facts.checkpoint.mounts:
        return
    root = RootFilesystem(facts)
    legacy = facts.checkpoint.delta.dialect == "files"
    for found in compared_files(facts):
        path = facts.table.path(found.id)
        if path == "/":
            yield from _root_mode(facts, found, root)
            continue
        actual = root.find(path, legacy)
        if actual is None:
            yield _missing(facts, found)
        else:
            yield from _differences(facts, found, actual)


def _missing(facts: Facts, found: FileObject) -> Finding:
    path = facts.table.path(found.id)
    return Finding(
        "file-missing",
        "fails",
        "certain" if facts.base_is_rootfs else "likely",
        f"{path} is not in the root filesystem",
        "CRIU opens it at restore and stops if it is not there.",
        "Restore on the image that the container was made from; put the file back.",
        "files.img",
        (facts.file_evidence(found.id), Evidence(f"neither the image nor the changes have {path}")),
    )


def _differences(facts: Facts, found: FileObject, actual: RootFile) -> Iterator[Finding]:
    message: Any = found.message
    path = facts.table.path(found.id)
    if message.HasField("size") and actual.kind is MemberKind.FILE and message.size != actual.size:
        lost = not actual.changed and facts.checkpoint.format.engine in ("podman", "cri-o")
        yield Finding(
            "file-bad-size",
            "fails",
            _certainty(facts),
            f"{path} has {actual.size} bytes, {message.size} at the dump",
            (LOST if lost else "") + "CRIU compares the size of each open and mapped file.",
            "Restore on the image that the container was made from. A file that podman or CRI-O "
            "left out must be put back by hand, with its old size.",
            "files.img",
            (facts.file_evidence(found.id), Evidence(_origin(actual))),
        )
    mode = _TYPES.get(actual.kind, 0) | actual.mode
    if message.mode and actual.mode >= 0 and _TYPES.get(actual.kind) and message.mode != mode:
        yield Finding(
            "file-bad-mode",
            "fails",
            _certainty(facts),
            f"{path} has mode {mode:o}, {message.mode:o} at the dump",
            "CRIU compares the mode of each open and mapped file and folder.",
            f"`chmod {stat.S_IMODE(message.mode):o} {path}` in the root filesystem, or restore on "
            "the image that the container was made from.",
            "files.img",
            (facts.file_evidence(found.id), Evidence(_origin(actual))),
        )


def _origin(actual: RootFile) -> str:
    return f"{actual.name} {'of the changes' if actual.changed else 'of the image'}"


def _certainty(facts: Facts) -> Certainty:
    return "certain" if facts.base_is_rootfs else "likely"


def _root_mode(facts: Facts, found: FileObject, root: RootFilesystem) -> Iterator[Finding]:
    """The root folder. Engines give it a mode of their own, so the image's is no evidence."""
    expected = stat.S_IMODE(found.message.mode)
    actual = root.entry(ROOT, legacy=False)
    usual = ENGINE_ROOT_MODES.get(facts.checkpoint.format.engine)
    if facts.base_is_rootfs or (actual is not None and actual.changed):
        mode = actual.mode if actual is not None else expected
        certainty: Certainty = "certain" if facts.base_is_rootfs else "likely"
    elif usual is not None and actual is not None and expected not in (usual, actual.mode):
        mode, certainty = usual, "possible"
    else:
        return
    if mode != expected:
        yield Finding(
            "file-bad-mode",
            "fails" if certainty == "certain" else "may-fail",
            certainty,
            f"The root folder will have mode {mode:o}, {expected:o} at the dump",
            'CRIU stops with "File . has bad mode".',
            f"`chmod {expected:o}` on the root folder of the restore.",
            "files.img",
            (facts.file_evidence(found.id),),
        )


def build_ids(facts: Facts) -> Iterator[Finding]:
    """Each mapped program and library is the same build, where the bytes of the base are at hand.

    Same size and another build is what an update of a distribution leaves behind.
    """
    if facts.base_window is None:
        return
    root = RootFilesystem(facts)
    legacy = facts.checkpoint.delta.dialect == "files"
    for found in compared_files(facts):
        words = list(found.message.build_id)
        actual = root.find(facts.table.path(found.id), legacy) if words else None
        if actual is None or actual.changed or actual.kind is not MemberKind.FILE:
            continue
        try:
            there = build_id(facts.base_window(actual.name))
        except (CkptError, KeyError):
            continue  # the size was compared, which is what CRIU falls back to
        expected = recorded_build_id(words)
        if there and there.ljust(len(expected), b"\0") != expected:
            yield Finding(
                "file-bad-build-id",
                "fails",
                _certainty(facts),
                f"{facts.table.path(found.id)} is another build than at the dump",
                "CRIU compares the build id of each mapped program and library.",
                "Restore on the image that the container was made from.",
                "files.img",
                (
                    facts.file_evidence(found.id),
                    Evidence(f"build id {there.hex()}, {expected.hex()} at the dump"),
                ),
            )


def link_targets(facts: Facts) -> Iterator[Finding]:
    """Links that CRIU left for unlinked files must come with the changes."""
    root = RootFilesystem(facts)
    legacy = facts.checkpoint.delta.dialect == "files"
    roots = {m.id for m in facts.checkpoint.mounts if m.mountpoint == "/"}
    for remap in facts.each(facts.images.messages("remap-fpath.img")):
        link = facts.table.get(remap.remap_id)
        if facts.table.ghosts.get(remap.orig_id) != "linked" or link is None:
            continue
        if link.type != "REG" or link.message.mnt_id not in roots:
            continue
        path = facts.table.path(link.id)
        if root.find(path, legacy) is None:
            yield Finding(
                "link-remap-missing",
                "fails",
                _certainty(facts),
                f"{path}, the last name of a deleted file, is not there",
                "CRIU keeps a deleted file that has other names by a link beside it.",
                "Make the checkpoint again, with a ghost limit that takes the file.",
                "remap-fpath.img",
                (facts.file_evidence(remap.orig_id),),
            )
