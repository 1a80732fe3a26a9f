"""What the container changed on its root filesystem.

podman and CRI-O write a tar of additions and a JSON list of deletions, containerd an OCI layer
under the same file name: gzip, with `.wh.` entries. Content decides, never the engine's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ckpt_tui.archive.layers import OPAQUE, WHITEOUT, is_whiteout
from ckpt_tui.archive.nested import read_nested
from ckpt_tui.archive.tar_index import TarIndex
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.checkpoint.model import Delta, DeltaEntry, Note
from ckpt_tui.checkpoint.records import DIFF as DIFF
from ckpt_tui.checkpoint.slots import Made
from ckpt_tui.core.document import read_document
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow

DELETED = "deleted.files"

DEVSHM = "devshm-checkpoint.tar"
"""/dev/shm as podman saves it, beside the images."""

KINDS = {
    MemberKind.FILE: "file",
    MemberKind.DIRECTORY: "directory",
    MemberKind.SYMLINK: "symlink",
    MemberKind.HARDLINK: "hard link",
    MemberKind.FIFO: "fifo",
    MemberKind.CHARACTER: "device",
    MemberKind.BLOCK: "device",
}


class SoFar(Made[DeltaEntry]):
    """The changes while they are read: those that are known yet, made when asked for. Another
    thread adds to them."""

    def __init__(self, base: Mapping[str, Member] | None) -> None:
        self._base = base
        self._read: list[TarIndex] = []
        self._all: Sequence[DeltaEntry] | None = None
        self._largest = 0

    def take(self, members: TarIndex) -> None:
        """Hear of an index that is about to be filled; of another one if the first reading was
        given up, which finds the same again."""
        self._read.append(members)

    def finish(self, entries: Sequence[DeltaEntry]) -> None:
        """Hear of all changes."""
        self._largest = self.largest
        self._all = entries
        self._read = []  # in this order: who finds none looks at all of them

    @property
    def largest(self) -> int:
        """Bytes of the largest file known yet."""
        return max((members.largest for members in self._read), default=self._largest)

    def __len__(self) -> int:
        read, found = self._read, self._all
        if found is not None:
            return len(found)
        return max((len(members.names) for members in read), default=0)

    def make(self, number: int) -> DeltaEntry:
        read, found = self._read, self._all
        if found is not None:
            return found[number]
        members = max(read, key=lambda one: len(one.names))
        name = members.names[number]
        return layer_entry(name, members[name], self._base)


def build_delta(
    tree: Tree,
    base: Mapping[str, Member] | None,
    notes: list[Note],
    progress: Progress,
    so_far: SoFar | None = None,
) -> Delta:
    """Return the changes in a legacy checkpoint, which `so_far` hears of meanwhile. With the
    members of the base image, `written` is told apart into added and changed."""
    entries: list[DeltaEntry] = []
    size = plain_size = 0
    dialect = "none"
    if DIFF in tree.members:
        size = tree.members[DIFF].size
        try:
            diff = read_nested(tree, DIFF, progress, so_far.take if so_far is not None else None)
        except (CkptError, KeyError) as error:
            notes.append(Note(DIFF, str(error)))
            return Delta("none", (), size)
        plain_size = diff.size
        notes.extend(Note(DIFF, note) for note in diff.notes)
        layer = diff.compression == "gzip" or any(is_whiteout(n) for n in diff.members)
        dialect = "layer" if layer else "files"
        progress.start("listing the changes", len(diff.members))
        for entry in layer_entries(diff.members, base):
            entries.append(entry)
            progress.tick()
    if DELETED in tree.members:
        dialect = "files" if dialect == "none" else dialect
        entries += _deleted(tree, notes)
    found = tuple(entries)
    if so_far is not None:
        so_far.finish(found)
    return Delta(dialect, found, size, plain_size)


def layer_entries(
    members: Mapping[str, Member], base: Mapping[str, Member] | None
) -> Iterator[DeltaEntry]:
    """Yield the changes that the members of a diff or layer stand for."""
    for name, member in members.items():
        yield layer_entry(name, member, base)


def layer_entry(name: str, member: Member, base: Mapping[str, Member] | None) -> DeltaEntry:
    """Return the change that one member stands for."""
    folder, _, last = name.rpartition("/")
    if last == OPAQUE:
        return DeltaEntry(f"/{folder}", "deleted", "what was in the directory before")
    if last.startswith(WHITEOUT):
        gone = f"{folder}/{last.removeprefix(WHITEOUT)}".lstrip("/")
        return DeltaEntry(f"/{gone}", "deleted", "")
    return DeltaEntry(
        path=f"/{name}",
        change=_change(name, base),
        kind=KINDS.get(member.kind, "other"),
        size=member.size,
        mode=member.mode,
        link=member.link,
    )


def has_bytes(entry: DeltaEntry) -> bool:
    """Return whether an entry is a file whose contents were saved."""
    return entry.change != "deleted" and entry.kind in ("file", "hard link")


def file_window(tree: Tree | None, path: str) -> ByteWindow:
    """Return the bytes of a file of an opened delta, a hard link's those of its target.

    Raises:
        CkptError: it is not there, or has none.
    """
    name = path.lstrip("/")
    members = tree.members if tree else {}
    for _ in range(len(members)):
        member = members.get(name)
        if member is None or member.kind is not MemberKind.HARDLINK:
            break
        name = member.link
    if tree is None or name not in members:
        raise CkptError(f"{path} is not among the changes that were saved.")
    try:
        return tree.window(name)
    except KeyError:
        raise CkptError(f"{path} has no bytes.") from None


def _change(name: str, base: Mapping[str, Member] | None) -> str:
    if base is None:
        return "written"
    return "changed" if name in base else "added"


def _deleted(tree: Tree, notes: list[Note]) -> Iterator[DeltaEntry]:
    try:
        paths = read_document(tree.window(DELETED), DELETED)
    except (CkptError, KeyError) as error:
        notes.append(Note(DELETED, str(error)))
        return
    if not isinstance(paths, list):
        notes.append(Note(DELETED, "It is JSON, but not a list of paths."))
        return
    for path in paths:
        if isinstance(path, str):
            yield DeltaEntry("/" + path.lstrip("/"), "deleted", "")
        else:
            notes.append(Note(DELETED, f"An entry is not text: {path!r}."))
