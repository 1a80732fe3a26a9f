"""Are the engine's own members whole? Metadata, nested archives, what changed on the root."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.delta import DELETED, DIFF
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.text import human_count
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.integrity_presence import AGAIN

DOCUMENTS = ("config.dump", "spec.dump", "network.status", "status.dump", "bind.mounts")
"""JSON members of which the engines read theirs before anything else."""

MAX_PATH = 4096
"""Characters of a path on Linux; longer ones are not worth looking at."""

_TRAILING = "are no padding follow the end mark"
"""Words of the note about what CRI-O leaves when it writes over a longer file."""

_CUT = ("The archive is cut in", "What comes after it is not shown")
"""Words of the notes about an archive that ends too early, and of one that cannot be read on."""

FILES_DIALECT = ("podman", "cri-o")
"""Engines that write additions and a list of deletions; the others write a layer."""

NEEDED = {
    "podman": ("config.dump", "spec.dump"),
    "cri-o": ("config.dump", "spec.dump"),
    "containerd": ("config.dump", "spec.dump", "status.dump"),
}
"""Members without which an engine does not begin to restore its own archive."""


def layers(facts: Facts) -> Iterator[Finding]:
    """Each layer of the image that was opened is the one its manifest names."""
    for note in facts.checkpoint.notes:
        if note.damaged and (" layer" in f" {note.where}" or note.where == "rootfs image"):
            title = f"The {note.where} is damaged or missing"
            why = "What is in it cannot be restored."
            problem = (Evidence(note.text),)
            yield Finding(
                "layer-damaged",
                "fails",
                "certain",
                title,
                why,
                "Copy the image again: `ckpt-tui copy SRC DST`.",
                note.where,
                problem,
            )


def documents(facts: Facts) -> Iterator[Finding]:
    """The engine's JSON documents can be read."""
    for name in (*DOCUMENTS, facts.images.member_name("descriptors.json")):
        member = facts.tree.members.get(name)
        if member is None or member.kind is not MemberKind.FILE:
            continue
        try:
            read_document(facts.tree.window(name), name)
        except CkptError as error:
            yield _bad(name, f"{name} is damaged", "The engine reads it before it begins.", error)


def descriptors(facts: Facts) -> Iterator[Finding]:
    """descriptors.json is a list of three names: runc and crun connect descriptors 0 to 2 by it."""
    name = facts.images.member_name("descriptors.json")
    if name not in facts.tree.members:
        engine = facts.checkpoint.format.engine
        if engine in ("podman", "cri-o", "containerd", "runc") and not facts.is_pre_dump:
            yield Finding(
                "descriptors-missing",
                "fails",
                "likely",
                "descriptors.json is missing",
                "runc and crun stop without it: it says where descriptors 0 to 2 led.",
                AGAIN,
                name,
            )
        return
    try:
        value = read_document(facts.tree.window(name), name)
    except (CkptError, KeyError):
        return  # told by the check of documents
    if not (isinstance(value, list) and all(isinstance(v, str | None) for v in value)):
        yield Finding(
            "descriptors-missing",
            "fails",
            "likely",
            "descriptors.json is not a list of names",
            "runc and crun stop when they read it.",
            AGAIN,
            name,
            (Evidence("a list of three texts is expected"),),
        )


def needed_members(facts: Facts) -> Iterator[Finding]:
    """The archive has what its engine reads first."""
    engine = facts.checkpoint.format.engine
    for name in NEEDED.get(engine, ()):
        if name not in facts.tree.members and not facts.is_pre_dump and not _is_ctr(facts):
            yield Finding(
                "rt-archive-bad",
                "fails",
                "certain",
                f"{name} is missing",
                f"{engine} cannot restore a checkpoint without it.",
                AGAIN,
                name,
            )


def _is_ctr(facts: Facts) -> bool:
    """`ctr` keeps its records beside the checkpoint, not in it."""
    return facts.checkpoint.format.name.startswith("ctr")


def nested_archives(facts: Facts) -> Iterator[Finding]:
    """/dev/shm and the volumes are whole archives."""
    for name, member in facts.tree.members.items():
        nested = name == "devshm-checkpoint.tar" or (
            name.startswith("volumes/") and name.endswith(".tar")
        )
        if not nested or member.kind is not MemberKind.FILE or not member.size:
            continue
        try:
            archive = open_archive(facts.tree.window(name), name, facts.progress)
        except CkptError as error:
            yield _bad(name, f"{name} is not an archive", "The engine unpacks it first.", error)
            continue
        note = next(iter(archive.notes), "")
        archive.close()
        if note:
            yield _bad(
                name, f"{name} is damaged", "The engine unpacks it before it restores.", note
            )


def delta_archive(facts: Facts) -> Iterator[Finding]:
    """The changes of the root filesystem can be read."""
    notes = [n.text for n in facts.checkpoint.notes if n.where == DIFF]
    if notes:
        yield _bad(DIFF, f"{DIFF} is damaged", "Files of the container would be missing.", notes[0])


def deleted_list(facts: Facts) -> Iterator[Finding]:
    """The list of deleted files is a list of absolute paths."""
    notes = [n.text for n in facts.checkpoint.notes if n.where == DELETED]
    if notes:
        yield _bad(DELETED, f"{DELETED} is damaged", "The engine applies it at restore.", notes[0])
    for entry in facts.each(facts.checkpoint.delta.entries):
        if entry.change == "deleted" and ".." in entry.path.split("/"):
            yield Finding(
                "delta-escape",
                "fails",
                "certain",
                f"The list of deletions names {entry.path}",
                "No engine writes such a path. It would delete files outside of the container.",
                "Do not restore it: this checkpoint was changed.",
                DELETED,
                (Evidence(entry.path),),
            )


def _bad(name: str, title: str, why: str, problem: object) -> Finding:
    proof = (Evidence(str(problem)),)
    return Finding("rt-archive-bad", "fails", "likely", title, why, AGAIN, name, proof)


def delta_dialect(facts: Facts) -> Iterator[Finding]:
    """The changes are written as the engine reads them: content decides, not the file name."""
    engine, dialect = facts.checkpoint.format.engine, facts.checkpoint.delta.dialect
    wrong = (engine in FILES_DIALECT and dialect == "layer") or (
        engine == "containerd" and dialect == "files" and DELETED in facts.tree.members
    )
    if wrong and DIFF in facts.tree.members:
        other = "an image layer with whiteouts" if dialect == "layer" else "a list of deletions"
        yield Finding(
            "delta-dialect",
            "may-fail",
            "likely",
            f"The changed files are {other}, which {engine} does not read",
            "Deleted files would come back, and files named .wh.… would appear.",
            "Restore it with the engine that wrote it, or convert it: `ckpt-tui convert SRC`.",
            DIFF,
        )


def remade_folders(facts: Facts) -> Iterator[Finding]:
    """A folder in both lists: podman and CRI-O unpack the new one and then delete it."""
    delta = facts.checkpoint.delta
    if delta.dialect != "files":
        return
    deleted = {e.path for e in delta.entries if e.change == "deleted"}
    lost: dict[str, int] = {}
    for entry in facts.each(delta.entries):
        if entry.change == "deleted" or len(entry.path) > MAX_PATH:
            continue
        steps = entry.path.split("/")
        for depth in range(2, len(steps) + 1):
            if (path := "/".join(steps[:depth])) in deleted:
                lost[path] = lost.get(path, 0) + 1
                break
    if lost:
        yield Finding(
            "delta-remade-folder",
            "advice",
            "certain",
            f"{human_count(sum(lost.values()), 'new file')} lost at a restore by podman or CRI-O",
            "Made in place of something deleted: these engines unpack what is new and then delete "
            "the old path with all below it. The restore itself goes well unless a process has "
            "such a file open.",
            "`ckpt-tui convert SRC` writes them as a layer, which keeps them.",
            DELETED,
            some(Evidence(f"{p}: {human_count(n, 'file')}") for p, n in sorted(lost.items())),
        )


def links(facts: Facts) -> Iterator[Finding]:
    """containerd takes files and folders only."""
    strange = [
        name
        for name, member in facts.tree.members.items()
        if member.kind not in (MemberKind.FILE, MemberKind.DIRECTORY)
    ]
    if strange and facts.checkpoint.format.engine == "containerd":
        yield Finding(
            "containerd-link",
            "fails",
            "certain",
            f"{strange[0]} is not a regular file or folder",
            "containerd refuses a checkpoint with links or special files in it.",
            "Replace links by what they lead to, and pack it again.",
            strange[0],
            some(Evidence(name) for name in strange),
        )


def cut_notes(facts: Facts) -> list[str]:
    """Return the notes of the archive by which members are missing at its end."""
    return [note for note in facts.tree.notes if any(words in note for words in _CUT)]


def archive_notes(facts: Facts) -> Iterator[Finding]:
    """What was odd about the archive: cut, trailing bytes, names that lead outside."""
    rest = [Evidence(note) for note in facts.tree.notes if _TRAILING in note]
    if rest:
        yield Finding(
            "archive-trailing",
            "advice",
            "certain",
            "Bytes follow the end of the archive",
            "They are the rest of a longer file that was there before, and no part of it.",
            "Nothing needs to be done.",
            "",
            some(rest),
        )
    cut = cut_notes(facts)
    if cut:
        yield Finding(
            "archive-cut",
            "fails",
            "certain",
            "The archive is cut or damaged: what comes after is missing",
            "Other images that are missing or too short follow from it.",
            AGAIN,
            "",
            some(Evidence(note) for note in cut),
        )
    known = {*cut, *(evidence.text for evidence in rest)}
    odd = [Evidence(note) for note in facts.tree.notes if note not in known]
    if odd:
        yield Finding(
            "rt-archive-bad",
            "may-fail",
            "likely",
            "The archive is not as it was",
            "Members may be missing or damaged.",
            AGAIN,
            "",
            some(odd),
        )
