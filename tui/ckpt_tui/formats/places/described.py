"""What a file or folder is, by what is in it: its engine, container and time of the dump.

Of a plain archive the headers and the metadata are read; of a compressed one as much as it takes
to come to them, which in podman's archives is their beginning.
"""

from __future__ import annotations

from dataclasses import replace

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.core.errors import CkptError, DamagedInput, NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_count
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.formats.entries import Entry, Kind
from ckpt_tui.formats.logs import open_log
from ckpt_tui.formats.metadata import DOCUMENTS, read_metadata
from ckpt_tui.formats.places import layout
from ckpt_tui.formats.table import Format, Found, recognise

MAX_DOCUMENT = 4 << 20
"""Bytes of a document that is kept; engines write some KiB."""

INVENTORY = "checkpoint/inventory.img"


def described(entry: Entry, progress: Progress) -> Entry:
    """Return an entry of a folder with what is in it; `problem` says why that is not known.

    Raises:
        Cancelled: the result is not wanted any more.
    """
    try:
        if entry.problem is not None:
            return entry
        if entry.kind in (Kind.LAYOUT, Kind.IMAGE_ARCHIVE):
            return _of_images(entry, progress)
        if entry.kind is Kind.CHECKPOINT:
            from ckpt_tui.formats.opened import open_checkpoint  # 50 ms, for folders of images only

            opened = open_checkpoint(entry.target, progress)
            try:
                return _with_facts(entry, opened.kind, Found(opened.tree, opened.metadata))
            finally:
                opened.close()
        if entry.kind is Kind.ARCHIVE:
            return _of_archive(entry, progress)
    except CkptError as error:
        return replace(entry, problem=error)
    return entry


def _of_images(entry: Entry, progress: Progress) -> Entry:
    """Return a layout or archive with what its only image is, or how many there are."""
    is_layout = entry.kind is Kind.LAYOUT
    listed = layout.layout_images if is_layout else layout.archive_images
    images = list(listed(entry, progress))
    if len(images) != 1:
        return replace(entry, note=human_count(len(images), "image"))
    image = images[0]
    return replace(
        image, kind=entry.kind, name=entry.name, path=entry.path, size=entry.size or image.size
    )


def _of_archive(entry: Entry, progress: Progress) -> Entry:
    window = open_log(entry.path)  # which opens any regular file, without waiting
    try:
        if sniff(window.read(0, 4)) != "plain":
            return _recognised(entry, _beginning(window, entry.name, progress))
        return _recognised(entry, open_archive(window, entry.name, progress))
    finally:
        window.close()


class _Beginning(Tree):
    """The members of a compressed archive up to some place, with the documents among them."""

    def __init__(self) -> None:
        self.seen: dict[str, Member] = {}
        super().__init__(self.seen)
        self.documents: dict[str, ByteWindow] = {}

    def window(self, name: str) -> ByteWindow:
        return self.documents[name]

    @property
    def is_enough(self) -> bool:
        """Whether the rest would add nothing: only podman writes its metadata first."""
        if not {"config.dump", "spec.dump", INVENTORY} <= self.seen.keys():
            return False
        return Found(self, read_metadata(self, {}, "checkpoint/")).manager == "libpod"


def _beginning(window: ByteWindow, name: str, progress: Progress) -> Tree:
    tree = _Beginning()
    walk = stream(window, name, progress)
    for member, reader in walk:
        tree.seen[member.name] = member
        is_document = member.name in DOCUMENTS and member.kind is MemberKind.FILE
        if is_document and member.size <= MAX_DOCUMENT:
            tree.documents[member.name] = BytesWindow(b"".join(reader.chunks()))
        if member.name in ("config.dump", "spec.dump", INVENTORY) and tree.is_enough:
            return tree
    tree.notes = walk.notes
    return tree


def _recognised(entry: Entry, tree: Tree) -> Entry:
    folder = "" if "inventory.img" in tree.members else "checkpoint/"
    found = Found(tree, read_metadata(tree, {}, folder))
    kind = recognise(found)
    if kind is None:
        if tree.notes:
            raise DamagedInput(entry.name, 0, tree.notes[0])
        raise NotACheckpoint(f"{entry.name} holds no checkpoint.")
    return replace(_with_facts(entry, kind, found), note="".join(tree.notes[:1]))


def _with_facts(entry: Entry, kind: Format, found: Found) -> Entry:
    facts = kind.container(found.metadata)
    return replace(
        entry,
        content="checkpoint",
        engine=kind.engine,
        container=facts.name,
        image=facts.image,
        namespace=facts.namespace,
        pod=facts.pod,
        created=facts.checkpointed or entry.created,
    )
