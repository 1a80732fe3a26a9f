"""What of an image in a registry has to come over the wire before its checkpoint can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ckpt_tui.core.errors import CkptError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import human_bytes
from ckpt_tui.formats.images import CTR_PREFIX, ROLE_KEY, is_delta
from ckpt_tui.sources.base import Descriptor, OpenedImage, RemoteStore
from ckpt_tui.sources.encrypted import is_by_headers
from ckpt_tui.sources.key_wrap import is_encrypted
from ckpt_tui.sources.oci import descriptors_of, is_manifest_type, open_image

ASK_ABOVE = 1 << 20
"""Bytes that are fetched without a question: what an optimized image of any size takes."""

BeforeFetching = Callable[[str, int], None]
"""Hears a target and the bytes that reading it fetches, and raises what ends that."""


class TooMuchUnasked(CkptError):
    """Reading a checkpoint would download much, which was not confirmed."""

    def __init__(self, target: str, size: int) -> None:
        super().__init__(
            f"{target} must be downloaded before it can be read: {human_bytes(size)}.",
            "Its layer is one compressed stream, so no part of it can be read alone.",
        )
        self.target, self.size = target, size


def raise_unasked(target: str, size: int) -> None:
    """Be a `BeforeFetching` that raises, so that the caller can ask."""
    raise TooMuchUnasked(target, size)


def fetch_size(image: OpenedImage, progress: Progress) -> int:
    """Return the bytes that reading the checkpoint in an image fetches, a few headers aside.

    0 for what is not in a registry. Costs a request or two for each large layer.

    Raises:
        CkptError: a manifest or a layer is missing or damaged.
    """
    store = image.store
    if not isinstance(store, RemoteStore):
        return 0
    return sum(_pass_size(store, layer, progress) for layer in _read_layers(image))


def _pass_size(store: RemoteStore, layer: Descriptor, progress: Progress) -> int:
    if not is_encrypted(layer):
        return store.pass_size(layer, progress)
    # without a key it is not read at all
    return layer.size if is_by_headers(store, layer) is False else 0


def _read_layers(image: OpenedImage) -> Iterator[Descriptor]:
    """Yield the layers that `read_image` opens: of the checkpoint, and the delta of its rootfs."""
    yield from descriptors_of(image.document, "layers", "the manifest")
    children = descriptors_of(image.document, "manifests", "the index")
    manifests = [child for child in children if is_manifest_type(child.media_type)]
    is_ctr = any(child.media_type.startswith(CTR_PREFIX) for child in children)
    yield from (child for child in children if is_ctr and child not in manifests)
    roles = {child.annotations.get(ROLE_KEY, ""): child for child in reversed(manifests)}
    checkpoint = roles.get("checkpoint") or (manifests[0] if manifests and not is_ctr else None)
    for child in (checkpoint, roles.get("rootfs")):
        if child is None:
            continue
        inner = open_image(image.target, image.store, child)
        for layer in descriptors_of(inner.document, "layers", "the manifest"):
            if child is checkpoint or is_delta(layer):
                yield layer
