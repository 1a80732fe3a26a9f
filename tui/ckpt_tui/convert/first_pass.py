"""Writes the layers of large files while an archive is opened, so that it is read only once.

What a conversion writes depends on the whole archive: the delta's layer on deleted.files, which
comes last. So what is large and goes through as it is, page images before all, is written at once,
and the delta waits in a scratch file. Whether that is what the plan then asks for is `fits`; where
it is not, the archive is read a second time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

from ckpt_tui.archive.archive_tree import MAX_KEPT_MEMBER, ArchiveTree
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.convert.destination import Destination, sink_of
from ckpt_tui.convert.layer_writer import OwnLayer, write_own_layer
from ckpt_tui.convert.roles import (
    CONFIG_DUMP,
    CRIU,
    CRIU_PARENT,
    DELETED_FILES,
    DIFF_TAR,
    LARGE,
    MAX_OWN_LAYERS,
    PAGES,
    SPEC_DUMP,
    PlannedLayer,
    has_pages,
    role_of,
    with_folders,
)
from ckpt_tui.convert.source import HashedWindow, unchanged
from ckpt_tui.convert.spool import MemberSpool
from ckpt_tui.convert.staging import BlobSink
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow
from ckpt_tui.sources.keys import UserKey

MAX_WAITING = 1 << 30
"""Bytes of a delta that wait in the scratch file. A larger one is better read again than stored
twice."""

_FREED = 24 << 20
"""Bytes of a block that is made and let go at once. glibc gives freed memory back to the kernel
above a limit that grows with the largest block ever freed (mallopt(3), M_MMAP_THRESHOLD); with its
first limit each piece of 1 MiB costs its page faults anew, a twelfth of all time."""

_READ_AGAIN = (CONFIG_DUMP, SPEC_DUMP, DELETED_FILES)
"""Members that are looked into after their layer could have been written."""


class FirstPass:
    """Takes the large members of an archive as they come by. A context manager."""

    def __init__(
        self,
        path: str,
        destination: Destination,
        progress: Progress,
        *,
        keep_delta_tar: bool,
        recipients: Sequence[UserKey] = (),
    ) -> None:
        """What is taken is written for `destination`, encrypted for the recipients."""
        self.check = unchanged(path)
        """Raises CkptError if the archive changed since."""
        self._destination = destination
        self._progress = progress
        self._keep_delta_tar = keep_delta_tar
        self._recipients = recipients
        self._closing = ExitStack()
        self._seen: dict[str, Member] = {}
        self._whole = True
        self._spool: MemberSpool | None = None
        self.written: dict[str, OwnLayer] = {}
        """By the name of the one file in it."""
        self.archive: HashedWindow | None = None
        """What was read; None: there was no pass to have a share in."""
        self.sink: BlobSink | None = None

    def __enter__(self) -> FirstPass:
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.close()

    def watch(self, archive: ByteWindow) -> ByteWindow:
        bytearray(_FREED)
        self.sink = self._closing.enter_context(
            sink_of(self._destination, self._progress, self._recipients)
        )
        self._spool = MemberSpool(self.sink.scratch_folder)
        self._closing.callback(self._spool.close)
        self.archive = HashedWindow(archive, self.sink.new_digest)
        return self.archive

    def sees(self, member: Member) -> bool:
        doubled = member.name in self._seen
        self._seen[member.name] = member
        if doubled and (member.name in self.written or self._wants(member)):
            self._whole = False
        return not doubled and self._wants(member)

    def _wants(self, member: Member) -> bool:
        if member.kind is not MemberKind.FILE:
            return False
        if has_pages(member.name):
            return member.size >= LARGE and len(self.written) < MAX_OWN_LAYERS
        if self._waits(member.name):
            return MAX_KEPT_MEMBER < member.size <= MAX_WAITING
        return member.size > MAX_KEPT_MEMBER and len(self.written) < MAX_OWN_LAYERS

    def take(self, member: Member, pieces: Iterator[bytes]) -> ByteWindow | None:
        assert self.sink  # of `watch`, which comes first
        assert self._spool
        if self._waits(member.name):
            return self._spool.add(member.name, pieces)
        members = with_folders([member.name], self._seen)
        planned = PlannedLayer(role_of(member.name), members, alone=True, plain_size=0)
        self.written[member.name] = write_own_layer(self.sink, planned, pieces)
        return None

    def _waits(self, name: str) -> bool:
        if name == DIFF_TAR:
            return not self._keep_delta_tar
        looked_into = role_of(name) in (CRIU, CRIU_PARENT) and not has_pages(name)
        return looked_into or name in _READ_AGAIN

    def fits(self, layers: Iterable[PlannedLayer], tree: Tree, *, plain_pages: bool) -> bool:
        """Tell whether nothing that was planned needs another pass over the archive.

        `plain_pages`: page images are to go into layers without compression.
        """
        if not self._whole or self.sink is None or not isinstance(tree, ArchiveTree):
            return False
        planned = {layer.members[-1].name: layer for layer in layers if layer.alone}
        for name, own in self.written.items():
            layer = planned.get(name)
            if layer is None or layer.members != own.members:
                return False
            if plain_pages and layer.role in (PAGES, CRIU_PARENT):
                return False
        files = (n for n, member in tree.members.items() if member.kind is MemberKind.FILE)
        return not any(tree.spills(name) for name in files if name not in self.written)
