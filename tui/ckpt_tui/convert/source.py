"""A legacy checkpoint as the converter takes it: its tree, and its members in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ckpt_tui.archive.tar import stream
from ckpt_tui.archive.tree import Member, MemberKind, Tree
from ckpt_tui.checkpoint.model import ContainerFacts
from ckpt_tui.convert.digest import Digest
from ckpt_tui.convert.upper import UpperFolder
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress, counted
from ckpt_tui.core.window import CHUNK, ByteWindow, chunks

Feed = Iterator[tuple[Member, Iterable[bytes]]]
"""Members in their stored order, each with its bytes; these are good until the next member."""


@dataclass(frozen=True, slots=True)
class SourceName:
    """Which checkpoint is converted, for people."""

    label: str
    kind: str
    engine: str
    stored_size: int
    bare: bool


@dataclass(frozen=True, slots=True)
class Source:
    """What is converted."""

    label: str
    """What the user called it."""
    kind: str
    """For people and for the record: "podman archive"."""
    engine: str
    """podman, cri-o or containerd; of a `bare` one the runtime, as far as it is known."""
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
    bare: bool = False
    """Whether it lacks what an engine restores a container by; a runtime restores it in place."""
    upper: UpperFolder | None = None
    """The delta, where it is a folder and no member."""
    base_digest: str = ""
    """sha256:… of the base image's manifest, where the source records it beside its members."""
    check: Callable[[], None] = field(default=lambda: None)
    """Raises CkptError if the input changed since it was opened; asked once `feed` ran out."""

    @property
    def name(self) -> SourceName:
        """What is said of it, without its members."""
        return SourceName(self.label, self.kind, self.engine, self.stored_size, self.bare)


class HashedWindow:
    """A window that is read from start to end, and its digest."""

    def __init__(self, window: ByteWindow, new_digest: Callable[[], Digest] = Digest) -> None:
        self._window = window
        self._new_digest = new_digest
        self.restart()

    def restart(self) -> None:
        """Begin anew: only the last pass counts."""
        self._digest = self._new_digest()
        self._position = 0

    @property
    def size(self) -> int:
        return self._window.size

    def read(self, offset: int, length: int) -> bytes:
        piece = self._window.read(offset, length)
        if offset <= self._position < offset + len(piece):
            self._digest.update(memoryview(piece)[self._position - offset :])
            self._position = offset + len(piece)
        return piece

    def read_on(self, progress: Progress) -> None:
        """Read what is left, such as the padding after the end mark of a tar."""
        while piece := self.read(self._position, CHUNK):
            progress.tick(len(piece))

    def digest(self) -> str:
        """Return sha256:… of the window, or "" if it was not read to its end."""
        whole = self._position == self._window.size
        return self._digest.value() if whole else ""


def archive_source(
    window: ByteWindow,
    label: str,
    kind: str,
    engine: str,
    compression: str,
    tree: Tree,
    container: ContainerFacts,
    annotations: Mapping[str, str] | None = None,
    expected: str = "",
    read: HashedWindow | None = None,
) -> Source:
    """Return the source for an archive: `window` holds its bytes as stored, `tree` its members.

    `expected` is the digest that its bytes have to have, where it is the layer of an image; `read`
    is the same window where it was read from start to end already.
    """
    hashed = read or HashedWindow(window)

    def feed(progress: Progress) -> Feed:
        hashed.restart()
        for member, reader in stream(hashed, label, progress):
            yield member, reader.chunks()
        hashed.read_on(progress)

    def check() -> None:
        if expected and hashed.digest() != expected:
            raise CkptError(
                f"{label} is damaged:",
                f"its layer should have the digest {expected}, and has another.",
                "Copy the image again.",
            )

    return Source(
        label,
        kind,
        engine,
        compression,
        tree,
        container,
        feed,
        hashed.digest,
        window.size,
        annotations or {},
        check=check,
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
        return members_of(tree, progress)

    return Source(
        label, kind, engine, "", tree, container, feed, lambda: digest, stored_size, annotations
    )


def members_of(tree: Tree, progress: Progress) -> Feed:
    """Yield the members of a tree whose files can be read in any order."""
    for name, member in tree.members.items():
        if member.kind is MemberKind.FILE:
            yield member, counted(chunks(tree.window(name)), progress)
        else:
            yield member, ()


def unchanged(path: str) -> Callable[[], None]:
    """Return a check that the file at `path` is the one it is now; of a pipe it says nothing."""
    before = _state(path)

    def check() -> None:
        if before is not None and _state(path) != before:
            raise CkptError(
                f"{path} changed while it was read:", "it has another size or time.", "Start again."
            )

    return check


def _state(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
