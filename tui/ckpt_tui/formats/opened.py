"""From a target to an opened checkpoint, whatever it came in."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.records import DIFF, FormatFacts, Note
from ckpt_tui.core.errors import CkptError, NotACheckpoint
from ckpt_tui.core.known_values import Secrets
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.contents import Contents
from ckpt_tui.formats.metadata import Metadata, read_metadata
from ckpt_tui.formats.table import ENGINE_KEY, LOCKED, Format, Found, recognise
from ckpt_tui.sources.base import Opened, OpenedImage, RemoteStore
from ckpt_tui.sources.table import resolve

if TYPE_CHECKING:
    from ckpt_tui.archive.archive_tree import Taker
    from ckpt_tui.checkpoint.delta import SoFar
    from ckpt_tui.checkpoint.memory import MemoryReader
    from ckpt_tui.checkpoint.model import Checkpoint
    from ckpt_tui.formats.fetching import BeforeFetching


class OpenCheckpoint:
    """One checkpoint whose bytes are within reach. Close it when done."""

    def __init__(self, target: str, source: Opened, contents: Contents) -> None:
        self.target = target
        self.source = source
        self.tree: Tree = contents.tree
        self._contents = contents
        self.kind, self.metadata = _recognised(contents, target)
        self.images = ImageDirectory(self.tree, self.kind.images)
        self.secrets = Secrets()
        self.secrets.know(self._container_secrets)
        shape, compression = (
            ("image", "per layer")
            if isinstance(source, OpenedImage)
            else (source.kind, source.compression)
        )
        lost = any(note.where.startswith("metadata layer") for note in contents.notes)
        self.format = FormatFacts(
            name=f"damaged {shape}" if lost else f"{self.kind.title} {shape}",
            engine=contents.annotations.get(ENGINE_KEY, "unknown")
            if lost or self.kind is LOCKED
            else self.kind.engine,
            optimized=contents.optimized,
            compression=compression,
            key_ids=contents.key_ids,
            locked=contents.locked is not None,
        )

    @cached_property
    def memory(self) -> MemoryReader:
        """Reads memory of processes, and keeps their page maps."""
        from ckpt_tui.checkpoint.memory import MemoryReader  # 10 ms, as in `_build`

        return MemoryReader(self.images)

    @cached_property
    def _delta_so_far(self) -> SoFar | None:
        from ckpt_tui.checkpoint.delta import SoFar  # 5 ms, as in `_build`

        return SoFar(None) if DIFF in self.tree.members else None

    def load(self, progress: Progress) -> Checkpoint:
        """Decode everything but page contents; see `build_checkpoint`."""
        return self._build(progress)

    def load_first(self, progress: Progress) -> Checkpoint:
        """Decode what is quickly decoded, which is everything but where it says that it is not
        complete; see `build_checkpoint`."""
        return self._build(progress, at_first=True)

    def _build(self, progress: Progress, *, at_first: bool = False) -> Checkpoint:
        # 60 ms, with the model; who reads one image does without
        from ckpt_tui.checkpoint.build import Parts, build_checkpoint
        from ckpt_tui.checkpoint.secret_values import secret_values

        contents = self._contents
        notes = [Note("archive", note) for note in self.tree.notes]
        if contents.locked is not None:
            notes.append(Note("encryption", str(contents.locked)))
        parts = Parts(
            source=self.target,
            tree=self.tree,
            images=self.images,
            images_folder=self.kind.images,
            format=self.format,
            container=self.kind.container(self.metadata),
            packed=contents.packed,
            notes=(*notes, *self.metadata.notes, *contents.notes),
            layers=contents.layers,
            delta=contents.delta,
            delta_so_far=self._delta_so_far,
            memory=self.memory,
        )
        checkpoint = build_checkpoint(parts, progress, at_first=at_first)
        if self.kind is LOCKED:  # what is not there is not missing
            checkpoint = replace(checkpoint, notes=parts.notes)
        self.secrets.know(partial(secret_values, checkpoint))
        return checkpoint

    def _container_secrets(self) -> frozenset[str]:
        """Return what can be known without the processes, for who reads one image."""
        from ckpt_tui.checkpoint.container_secrets import container_secrets

        return container_secrets(self.kind.container(self.metadata))

    def open_delta(self, progress: Progress) -> Tree | None:
        """Open what the container changed on its root filesystem, None if there is nothing; close
        it when done.

        Raises:
            CkptError: it is damaged.
        """
        if self._contents.delta_blob is not None:
            return self._contents.delta_blob.open_tree(progress)
        if DIFF not in self.tree.members:
            return None
        # 35 ms; images in a folder do without
        from ckpt_tui.archive.archive_tree import open_archive

        return open_archive(self.tree.window(DIFF), DIFF, progress)

    @property
    def source_size(self) -> int:
        """Bytes as stored, see `Contents`."""
        return self._contents.packed

    @property
    def checked_size(self) -> int:
        """Bytes of these that opening and decoding it reads in full: parts that were compared with
        a digest or checksum, else the metadata and the CRIU images without the memory pages."""
        contents = self._contents
        if contents.checked or contents.layers:
            return contents.checked
        images = self.kind.images
        return sum(
            member.size
            for name, member in self.tree.members.items()
            if (name.startswith(images) or "/" not in name)
            and not name.endswith(".tar")
            and not name.removeprefix(images).startswith("pages-")
        )

    @property
    def transferred(self) -> int | None:
        """Bytes that came over the wire so far; None where it is on this machine."""
        store = self.source.store if isinstance(self.source, OpenedImage) else None
        return store.transferred if isinstance(store, RemoteStore) else None

    def close(self) -> None:
        self.secrets.close()
        self.images.close()
        if isinstance(self.source, OpenedImage):
            self.tree.close()
        self.source.close()


def open_checkpoint(
    target: str,
    progress: Progress,
    taker: Taker | None = None,
    before_fetching: BeforeFetching | None = None,
    *,
    locked: bool = False,
) -> OpenCheckpoint:
    """Open what a person named: a path, or one of skopeo's names; for `taker` see `resolve`.

    `before_fetching` hears of more than `ASK_ABOVE` bytes that have to come from a registry first.
    `locked`: one that is encrypted is also opened without a key, with what is readable of it.

    Raises:
        KeyNeeded: it is encrypted, and no key at hand opens it.
        SourceUnreachable, UsageError: as `sources.table.resolve`.
        NotACheckpoint: it can be read, but no checkpoint was found in it.
    """
    source = resolve(target, progress, taker)
    try:
        if isinstance(source, OpenedImage) and before_fetching is not None:
            from ckpt_tui.formats.fetching import ASK_ABOVE, fetch_size  # 30 ms, as `read_image`

            size = fetch_size(source, progress)
            if size > ASK_ABOVE:
                before_fetching(target, size)
        return checkpoint_in(source, progress, locked=locked)
    except BaseException:
        source.close()
        raise


def checkpoint_in(source: Opened, progress: Progress, *, locked: bool = False) -> OpenCheckpoint:
    """Return the checkpoint in what was opened; closing it closes `source`, too. For `locked` see
    `open_checkpoint`.

    Raises:
        KeyNeeded: it is encrypted, and no key at hand opens it.
        NotACheckpoint: no checkpoint was found in it.
        CkptError: a layer is missing or damaged.
    """
    if not isinstance(source, OpenedImage):
        checked = source.packed_size if source.tree.was_read else 0
        contents = Contents(source.tree, source.packed_size, checked)
        return OpenCheckpoint(source.target, source, contents)
    from ckpt_tui.formats.images import read_image  # 30 ms; archives and folders do without

    contents = read_image(source, progress)
    try:
        if contents.locked is not None and not locked:
            raise contents.locked
        return OpenCheckpoint(source.target, source, contents)
    except BaseException as error:
        contents.tree.close()
        damage = next((note for note in contents.notes if note.damaged), None)
        if damage is not None and isinstance(error, NotACheckpoint):
            raise CkptError(
                f"{source.target} cannot be read, it is damaged:",
                f"{damage.where}. {damage.text}",
                "Copy the image again.",
            ) from error
        raise


def _recognised(contents: Contents, target: str) -> tuple[Format, Metadata]:
    tree = contents.tree
    folder = "" if "inventory.img" in tree.members else "checkpoint/"
    metadata = read_metadata(tree, contents.annotations, folder)
    found = recognise(Found(tree, metadata))
    if contents.locked is not None:
        return found or LOCKED, metadata
    if found is None:
        raise NotACheckpoint(
            f"No checkpoint found in {target}.",
            "It has neither inventory.img nor config.dump with a checkpoint directory.",
            "Name an archive made by `podman container checkpoint --export`, a CRIU directory, "
            "or an image with a checkpoint in it.",
        )
    if not found.decoded:
        raise NotACheckpoint(f"{target} is a {found.title}.", found.why_not)
    return found, metadata
