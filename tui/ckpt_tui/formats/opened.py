"""From a target to an opened checkpoint, whatever it came in."""

from __future__ import annotations

from collections.abc import Mapping

from ckpt_tui.archive.archive_tree import Taker, open_archive
from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.build import Parts, build_checkpoint
from ckpt_tui.checkpoint.delta import DIFF, SoFar
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.memory import MemoryReader
from ckpt_tui.checkpoint.model import Checkpoint, FormatFacts, Note
from ckpt_tui.core.errors import NotACheckpoint
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.fetching import ASK_ABOVE, BeforeFetching, fetch_size
from ckpt_tui.formats.images import ImageContents, read_image
from ckpt_tui.formats.metadata import Metadata, read_metadata
from ckpt_tui.formats.table import Format, Found, recognise
from ckpt_tui.sources.base import Opened, OpenedImage, OpenedTree, RemoteStore
from ckpt_tui.sources.table import resolve


class OpenCheckpoint:
    """One checkpoint whose bytes are within reach. Close it when done."""

    def __init__(self, target: str, source: Opened, contents: ImageContents | OpenedTree) -> None:
        self.target = target
        self.source = source
        self.tree: Tree = contents.tree
        self._contents = contents
        annotations = contents.annotations if isinstance(contents, ImageContents) else {}
        format_, self.metadata = _recognised(self.tree, annotations, target)
        self.kind: Format = format_
        self.images = ImageDirectory(self.tree, format_.images)
        self.memory = MemoryReader(self.images)
        self._delta_so_far = SoFar(None) if DIFF in self.tree.members else None
        self.format = FormatFacts(
            name=f"{format_.title} {self._shape()}",
            engine=format_.engine,
            optimized=isinstance(contents, ImageContents) and contents.optimized,
            compression="per layer"
            if isinstance(contents, ImageContents)
            else contents.compression,
        )

    def _shape(self) -> str:
        if isinstance(self._contents, ImageContents):
            return "image"
        return self._contents.kind

    def load(self, progress: Progress) -> Checkpoint:
        """Decode everything but page contents; see `build_checkpoint`."""
        return build_checkpoint(self._parts(), progress)

    def load_first(self, progress: Progress) -> Checkpoint:
        """Decode what is quickly decoded, which is everything but where it says that it is not
        whole; see `build_checkpoint`."""
        return build_checkpoint(self._parts(), progress, at_first=True)

    def _parts(self) -> Parts:
        contents = self._contents
        image = contents if isinstance(contents, ImageContents) else None
        notes = [Note("archive", note) for note in self.tree.notes]
        packed = image.packed if image else self.source_size
        return Parts(
            source=self.target,
            tree=self.tree,
            images=self.images,
            images_folder=self.kind.images,
            format=self.format,
            container=self.kind.container(self.metadata),
            packed=packed,
            notes=(*notes, *self.metadata.notes, *(image.notes if image else ())),
            layers=image.layers if image else (),
            delta=image.delta if image else None,
            delta_so_far=self._delta_so_far,
            memory=self.memory,
        )

    def open_delta(self, progress: Progress) -> Tree | None:
        """Open what the container changed on its root filesystem, None if there is nothing; close
        it when done.

        Raises:
            CkptError: it is damaged.
        """
        blob = self._contents.delta_blob if isinstance(self._contents, ImageContents) else None
        if blob is not None:
            return blob.open_tree(progress)
        if DIFF not in self.tree.members:
            return None
        return open_archive(self.tree.window(DIFF), DIFF, progress)

    @property
    def source_size(self) -> int:
        """Bytes as stored: of the archive, of a directory's files, of an image's own blobs."""
        contents = self._contents
        return contents.packed if isinstance(contents, ImageContents) else contents.packed_size

    @property
    def transferred(self) -> int | None:
        """Bytes that came over the wire so far; None where it is on this machine."""
        store = self.source.store if isinstance(self.source, OpenedImage) else None
        return store.transferred if isinstance(store, RemoteStore) else None

    def close(self) -> None:
        self.images.close()
        if isinstance(self._contents, ImageContents):
            self.tree.close()
        self.source.close()


def open_checkpoint(
    target: str,
    progress: Progress,
    taker: Taker | None = None,
    before_fetching: BeforeFetching | None = None,
) -> OpenCheckpoint:
    """Open what a person named: a path, or one of skopeo's names; for `taker` see `resolve`.

    `before_fetching` hears of more than `ASK_ABOVE` bytes that have to come from a registry first.

    Raises:
        SourceUnreachable, UsageError: as `sources.table.resolve`.
        NotACheckpoint: it can be read, but there is no checkpoint in it.
    """
    source = resolve(target, progress, taker)
    try:
        if isinstance(source, OpenedImage) and before_fetching is not None:
            size = fetch_size(source, progress)
            if size > ASK_ABOVE:
                before_fetching(target, size)
        contents = read_image(source, progress) if isinstance(source, OpenedImage) else source
        return OpenCheckpoint(target, source, contents)
    except BaseException:
        source.close()
        raise


def _recognised(tree: Tree, annotations: Mapping[str, str], target: str) -> tuple[Format, Metadata]:
    folder = "" if "inventory.img" in tree.members else "checkpoint/"
    metadata = read_metadata(tree, annotations, folder)
    found = recognise(Found(tree, metadata))
    if found is None:
        raise NotACheckpoint(
            f"{target} holds no checkpoint.",
            "There is no inventory.img, and no config.dump with a checkpoint folder.",
            "Name an archive made by `podman container checkpoint --export`, a CRIU directory, "
            "or an image with a checkpoint in it.",
        )
    if not found.decoded:
        raise NotACheckpoint(f"{target} is a {found.title}.", found.why_not)
    return found, metadata
