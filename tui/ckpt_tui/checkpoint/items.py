"""What finders of data outside of memory look at, and what they find."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.filetable import FileObject, file_table
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, Note
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, SubWindow
from ckpt_tui.criu.extras import ExtraPart, walk_extra
from ckpt_tui.criu.kinds import Extra, kind_of
from ckpt_tui.criu.reader import Reader

MAX_QUEUED = 20_000
"""Records of one image of queues that are listed."""

Holder = tuple[int, int]
"""Pid and descriptor."""


@dataclass(frozen=True, slots=True)
class Item:
    """One run of data."""

    kind: str
    """pipe, unix socket, TCP unread, deleted file, memfd, tmpfs file …"""
    name: str
    """Path, or a few words; foreign text."""
    source: str
    """The image or archive that has it."""
    size: int
    window: ByteWindow
    holders: tuple[Holder, ...] = ()
    """Descriptors that lead to it, in the checkpoint."""
    note: str = ""
    """What else there is to know, one sentence."""


@dataclass(slots=True)
class Recovered:
    """Everything found. Close it when done: archives inside the checkpoint stay open."""

    items: list[Item] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    _trees: list[Tree] = field(default_factory=list)

    def keep(self, tree: Tree) -> None:
        """Close a tree together with this."""
        self._trees.append(tree)

    def close(self) -> None:
        """Let go of the archives."""
        for tree in self._trees:
            tree.close()
        self._trees.clear()


class Sources:
    """What the finders look at, and who holds which file."""

    def __init__(
        self,
        tree: Tree,
        images: ImageDirectory,
        memory: MemoryReader,
        checkpoint: Checkpoint,
        progress: Progress,
    ) -> None:
        self.tree, self.images, self.memory, self.checkpoint = tree, images, memory, checkpoint
        self.table = file_table(images, progress)
        self.index = index_of(checkpoint)
        self.pipes: dict[int, list[Holder]] = defaultdict(list)
        """Who has an end of a pipe, by its number."""
        self.fifos: dict[int, str] = {}
        """Paths of fifos by the number of their pipe."""
        self.memfds: dict[int, list[Holder]] = defaultdict(list)
        self.terminals: dict[int, list[Holder]] = defaultdict(list)
        for kind in ("PIPE", "FIFO", "MEMFD", "TTY"):
            for found in self.table.objects.of_type(kind):
                self._sort(found)
                progress.tick(0)

    def _sort(self, found: FileObject) -> None:
        message, holders = found.message, self.holders(found.id)
        if found.type in ("PIPE", "FIFO"):
            self.pipes[message.pipe_id] += holders
        if found.type == "FIFO":
            self.fifos[message.pipe_id] = self.table.path(message.regf_id)
        elif found.type == "MEMFD":
            self.memfds[message.inode_id] += holders
        elif found.type == "TTY":
            self.terminals[message.tty_info_id] += holders

    def holders(self, file_id: int) -> tuple[Holder, ...]:
        """Return who has an open file."""
        return tuple((file.pid, file.fd) for file in self.index.files.leading_to(file_id))

    def parts(self, name: str) -> Iterator[tuple[Any, list[ExtraPart]]]:
        """Yield the records of an image, each with the pieces behind it.

        Raises:
            DamagedInput: the pieces of a record run past the end of the image.
        """
        image = self.images.image(name)
        found = kind_of(name)
        if image is None or found is None:
            return
        reader = Reader(self.images.window(name), name)
        for entry in image.entries[:MAX_QUEUED]:
            if entry.message is None:
                continue
            where, order = entry.extra[0], image.head.byte_order
            pieces = walk_extra(found[0].extra, reader, entry.message, where, order)
            yield entry.message, list(pieces) if found[0].extra is not Extra.NONE else []

    def piece(self, name: str, part: ExtraPart) -> ByteWindow:
        """Return the bytes of a piece."""
        return SubWindow(self.images.window(name), part.offset, part.size)
