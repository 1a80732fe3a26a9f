"""Is each file that was open or mapped the same where it is restored?

CRIU compares size, mode and build id of every regular file with what it saw at the dump
(criu/files-reg.c, validate_file); this does the same with the base image and the changes, or with
the files of the host, by their headers and the first few KiB of programs and libraries.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from ckpt_tui.archive.names import ROOT
from ckpt_tui.archive.tree import ByteRange, MemberKind
from ckpt_tui.checkpoint.validated import ValidatedFile, validated_files
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.diagnose.elf import HEAD, build_id
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Certainty, Evidence, Finding
from ckpt_tui.diagnose.rootfs import RootFile

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
LOST = (
    "podman and CRI-O leave a changed file out of the checkpoint when the host has no file of the "
    "same name, so what the container wrote into it is lost. "
)


def compared_files(facts: Facts) -> Iterator[ValidatedFile]:
    """Yield the files that CRIU compares, each kind of record of a path once; not the links left
    for deleted files, see `link_targets`."""
    links = {
        remap.remap_id
        for remap in facts.images.messages("remap-fpath.img")
        if facts.table.ghosts.get(remap.orig_id) == "linked"
    }
    seen: set[tuple[str, int | None, int | None]] = set()
    for found in facts.each(validated_files(facts.table, facts.checkpoint.mounts)):
        key = (found.path, found.size, found.mode)
        if key not in seen and found.id not in links:
            seen.add(key)
            yield found


def files(facts: Facts) -> Iterator[Finding]:
    """Each file is there with the size and mode of the dump."""
    if not facts.sees_files:
        return
    for found in compared_files(facts):
        if found.path == "/" and not facts.is_bare:
            yield from _root_mode(facts, found)
            continue
        actual = facts.find(found.path)
        if actual is None:
            yield _missing(facts, found)
        else:
            yield from _differences(facts, found, actual)


def _missing(facts: Facts, found: ValidatedFile) -> Finding:
    if facts.is_bare:
        where = "on the host"
        cure = "Put the file back, or restore on the host of the dump."
    else:
        where = "in the root filesystem"
        cure = "Restore on the image that the container was made from; put the file back."
    nowhere = Evidence(f"neither the image nor the changes have {found.path}")
    return Finding(
        "file-missing",
        "fails",
        "certain" if facts.is_bare else "likely",
        f"{found.path} is not {where}",
        "CRIU opens it at restore and stops if it is not there.",
        cure,
        "files.img",
        (facts.file_evidence(found.id), *([] if facts.is_bare else [nowhere])),
    )


def _cure(facts: Facts) -> str:
    if facts.is_bare:
        return "Put the file of the dump back, or restore on its host."
    return (
        "Restore on the image that the container was made from. A file that podman or CRI-O left "
        "out must be put back by hand, with its old size."
    )


def _differences(facts: Facts, found: ValidatedFile, actual: RootFile) -> Iterator[Finding]:
    origin = () if facts.is_bare else (Evidence(_origin(actual)),)
    evidence = (facts.file_evidence(found.id), *origin)
    if _has_other_size(found, actual):
        lost = not actual.changed and facts.checkpoint.format.engine in ("podman", "cri-o")
        yield Finding(
            "file-bad-size",
            "fails",
            "likely",
            f"{found.path} has {actual.size} bytes, {found.size} at the dump",
            (LOST if lost else "") + "CRIU compares the size of each open and mapped file.",
            _cure(facts),
            "files.img",
            evidence,
        )
    type_bits = _TYPES.get(actual.kind, 0)
    if found.mode and actual.mode >= 0 and type_bits and found.mode != type_bits | actual.mode:
        yield Finding(
            "file-bad-mode",
            "fails",
            "likely",
            f"{found.path} has mode {type_bits | actual.mode:o}, {found.mode:o} at the dump",
            "CRIU compares the mode of each open and mapped file and folder.",
            _mode_cure(facts, found.path, found.mode, type_bits),
            "files.img",
            evidence,
        )


def _mode_cure(facts: Facts, path: str, mode: int, type_bits: int) -> str:
    if stat.S_IFMT(mode) != type_bits:
        return "Put back what was there at the dump."
    command = f"`chmod {stat.S_IMODE(mode):o} {path}`"
    if facts.is_bare:
        return f"{command} on the host."
    return (
        f"{command} in the root filesystem, or restore on the image that the container was made "
        "from."
    )


def _has_other_size(found: ValidatedFile, actual: RootFile) -> bool:
    is_file = actual.kind is MemberKind.FILE
    return is_file and found.size is not None and found.size != actual.size


def _origin(actual: RootFile) -> str:
    return f"{actual.name} {'of the changes' if actual.changed else 'of the image'}"


def _root_mode(facts: Facts, found: ValidatedFile) -> Iterator[Finding]:
    """The root folder. Engines give it a mode of their own, so the image's is not evidence."""
    expected = stat.S_IMODE(found.mode or 0)
    actual = facts.root.entry(ROOT)
    usual = ENGINE_ROOT_MODES.get(facts.checkpoint.format.engine)
    certainty: Certainty
    if actual is None or found.mode is None:
        return
    if actual.changed:
        mode, certainty = actual.mode, "likely"
    elif usual is not None and expected not in (usual, actual.mode):
        mode, certainty = usual, "possible"
    else:
        return
    if mode != expected:
        yield Finding(
            "file-bad-mode",
            "may-fail",
            certainty,
            f"The root folder will have mode {mode:o}, {expected:o} at the dump",
            'CRIU stops with "File . has bad mode".',
            f"`chmod {expected:o}` on the root folder of the restore.",
            "files.img",
            (facts.file_evidence(found.id),),
        )


def build_ids(facts: Facts) -> Iterator[Finding]:
    """Each mapped program and library is the same build.

    Same size and another build is what an update of a distribution leaves behind.
    """
    if not facts.sees_files:
        return
    recorded = []
    for found in compared_files(facts):
        actual = facts.find(found.path) if found.build_id else None
        if actual is None or actual.changed or actual.kind is not MemberKind.FILE:
            continue
        if not _has_other_size(found, actual):  # told already, and CRIU gets no further
            recorded.append((found, actual.name))
    if facts.base is not None and not facts.is_bare:
        facts.base.preload([ByteRange(name, 0, HEAD) for _, name in recorded], facts.progress)
    for found, name in facts.each(recorded):
        try:
            there = build_id(_window(facts, name))
        except (CkptError, KeyError):
            continue  # the size was compared, which is what CRIU falls back to
        if there and there.ljust(len(found.build_id), b"\0") != found.build_id:
            both = f"build id {there.hex()}, {found.build_id.hex()} at the dump"
            yield Finding(
                "file-bad-build-id",
                "fails",
                "certain" if facts.is_bare else "likely",
                f"{found.path} is another build than at the dump",
                "CRIU compares the build id of each mapped program and library.",
                "Install the version of the dump again, or restore on the host of the dump."
                if facts.is_bare
                else "Restore on the image that the container was made from.",
                "files.img",
                (facts.file_evidence(found.id), Evidence(both)),
            )


def _window(facts: Facts, name: str) -> ByteWindow:
    if facts.is_bare and facts.files is not None:
        return facts.files.window(name)
    assert facts.base is not None
    return facts.base.window(name)


def link_targets(facts: Facts) -> Iterator[Finding]:
    """Links that CRIU left for unlinked files must come with the changes."""
    roots = {m.id for m in facts.checkpoint.mounts if m.mountpoint == "/"}
    for remap in facts.each(facts.images.messages("remap-fpath.img")):
        link = facts.table.get(remap.remap_id)
        if facts.table.ghosts.get(remap.orig_id) != "linked" or link is None:
            continue
        if link.type != "REG" or not (facts.is_bare or link.message.mnt_id in roots):
            continue
        path = "/" + facts.table.path(link.id).lstrip("/")
        if facts.find(path) is None:
            yield Finding(
                "link-remap-missing",
                "fails",
                "likely",
                f"{path}, the last name of a deleted file, is not there",
                "CRIU keeps a deleted file that has other names by a link beside it.",
                "Make the checkpoint again, with a ghost limit that takes the file.",
                "remap-fpath.img",
                (facts.file_evidence(remap.orig_id),),
            )
