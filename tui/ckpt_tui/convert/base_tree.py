"""The files of the image that a container ran from, for checks and stacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ckpt_tui.archive.layers import LayeredTree
from ckpt_tui.archive.tree import Tree
from ckpt_tui.convert.base_search import search_base
from ckpt_tui.convert.inputs import NOTHING_BESIDE, source_of
from ckpt_tui.convert.rootfs import own_image
from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.formats.fetching import ASK_ABOVE
from ckpt_tui.formats.opened import OpenCheckpoint
from ckpt_tui.sources.base import OpenedImage, RemoteStore
from ckpt_tui.sources.oci import image_layers


@contextmanager
def base_tree(
    opened: OpenCheckpoint, named: str, progress: Progress, most: int = ASK_ABOVE
) -> Iterator[Tree | None]:
    """Lend the files of the image a checkpoint's container ran from: `named`, in podman's local
    store, beside the checkpoint, or in the rootfs image of an optimized pair, if reading that
    downloads `most` bytes; None, and checks that need one are left out.

    Of a layer in the store, a plain one and one with a seek table only the headers are read.

    Raises:
        CkptError: the named one cannot be read, or is not an image.
    """
    with ExitStack() as closing:
        try:
            source = source_of(opened, NOTHING_BESIDE, closing, progress)
            found = search_base(source, opened, named, progress, reach_out=False).found
            if found:
                closing.callback(found.image.close)
            image = found.image if found else own_image(opened.source)
            is_far = not found and rootfs_download(opened, progress) > most
            base = None if image is None or is_far else _tree_of(image, closing, progress)
        except CkptError:
            if named:
                raise
            base = None
        yield base


def rootfs_download(opened: OpenCheckpoint, progress: Progress) -> int:
    """Return the bytes that reading the rootfs image of an optimized pair downloads; 0 where there
    is none, or it is here.

    Raises:
        CkptError: a manifest or a layer is missing or damaged.
    """
    image = own_image(opened.source)
    if image is None or not isinstance(image.store, RemoteStore):
        return 0
    return sum(image.store.pass_size(one.descriptor, progress) for one in image_layers(image))


def _tree_of(image: OpenedImage, closing: ExitStack, progress: Progress) -> Tree:
    """Return the merged layers of an image; what to close with them goes to `closing`."""
    layers = []
    for layer in image_layers(image):
        layers.append(layer.open_tree(progress))
        closing.callback(layers[-1].close)
    return LayeredTree(layers)
