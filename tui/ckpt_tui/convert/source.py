"""A legacy checkpoint as the converter takes it: its tree, and its members in one pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.checkpoint.model import ContainerFacts
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.window import ByteWindow, chunks

Feed = Iterator[tuple[Member, Iterable[bytes]]]
"""Members in their stored order, each with its bytes; these are good until the next member."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is converted."""

    label: str
    """What the user called it."""
    kind: str
    """For people and for the record: "podman archive"."""
    engine: str
    """podman, cri-o or containerd."""
    compression: str
    tree: Tree
    container: ContainerFacts
    feed: Callable[[Progress], Feed]
    digest: Callable[[], str] = field(default=lambda: "")
    """sha256:… of the input; known only after `feed` ran out."""
    stored_size: int = 0
    """Bytes of the input as it is stored."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the manifest, where the source is an image."""


class HashedWindow:
    """A window that is read from start to end, and its digest."""

    def __init__(self, window: ByteWindow) -> None:
        self._window = window
        self._hash = hashlib.sha256()
        self._position = 0

    @property
    def size(self) -> int:
        return self._window.size

    def read(self, offset: int, length: int) -> bytes:
        piece = self._window.read(offset, length)
        if offset <= self._position < offset + len(piece):
            self._hash.update(memoryview(piece)[self._position - offset :])
            self._position = offset + len(piece)
        return piece

    def digest(self) -> str:
        """Return sha256:… of the window, or "" if it was not read to its end."""
        whole = self._position == self._window.size
        return "sha256:" + self._hash.hexdigest() if whole else ""


def archive_source(
    window: ByteWindow,
    label: str,
    kind: str,
    engine: str,
    compression: str,
    tree: Tree,
    container: ContainerFacts,
) -> Source:
    """Return the source for an archive: `window` holds its bytes as stored, `tree` its members."""
    hashed = HashedWindow(window)

    def feed(progress: Progress) -> Feed:
        for member, reader in stream(hashed, label, progress):
            yield member, reader.chunks()

    return Source(
        label, kind, engine, compression, tree, container, feed, hashed.digest, window.size
    )


def tree_source(
    label: str,
    kind: str,
    engine: str,
    tree: Tree,
    container: ContainerFacts,
    annotations: Mapping[str, str],
    digest: str = "",
    stored_size: int = 0,
) -> Source:
    """Return the source for an image or a folder, whose members can be read in any order."""

    def feed(progress: Progress) -> Feed:
        for name, member in tree.members.items():
            if member.kind is MemberKind.FILE:
                yield member, _ticking(tree.window(name), progress)
            else:
                yield member, ()

    return Source(
        label, kind, engine, "", tree, container, feed, lambda: digest, stored_size, annotations
    )


def _ticking(window: ByteWindow, progress: Progress) -> Iterator[bytes]:
    for piece in chunks(window):
        progress.tick(len(piece))
        yield piece
