"""The files of the image that a container ran from, for checks and stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.base_search import search_base
from ckpt_tui.convert.inputs import NOTHING_BESIDE, source_of
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.base import OpenedImage
from ckpt_tui.sources.oci import image_layers


@contextmanager
def base_tree(opened: OpenCheckpoint, named: str, progress: Progress) -> Iterator[Tree | None]:
    """Lend the files of the image a checkpoint's container ran from: `named`, in podman's local
    store, or beside the checkpoint; None, and checks that need one are left out.

    Of a layer in the store, a plain one and one with a seek table only the headers are read.

    Raises:
        CkptError: the named one cannot be read, or is not an image.
    """
    with ExitStack() as closing:
        try:
            source = source_of(opened, NOTHING_BESIDE, closing, progress)
            found = search_base(source, opened, named, progress, reach_out=False).found
            base = _tree_of(found.image, closing, progress) if found else None
        except CkptError:
            if named:
                raise
            base = None
        yield base


def _tree_of(image: OpenedImage, closing: ExitStack, progress: Progress) -> Tree:
    """Return the merged layers of an image; what to close with them goes to `closing`."""
    closing.callback(image.close)
    layers = []
    for layer in image_layers(image):
        layers.append(layer.open_tree(progress))
        closing.callback(layers[-1].close)
    return LayeredTree(layers)
