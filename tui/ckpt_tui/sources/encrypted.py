"""Encrypted layers, opened: by ranges where their format allows, else in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from ckpt_tui.archive.archive_tree import ArchiveTree, open_archive
from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.seekable import seek_table
from ckpt_tui.core.errors import DamagedInput, KeyNeeded
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow
from ckpt_tui.sources.base import BlobStore, Descriptor
from ckpt_tui.sources.key_wrap import layer_key
from ckpt_tui.sources.layer_cipher import DecipheredWindow, deciphered

MAX_VERIFIED = 4 << 20
"""Bytes up to which a layer is read whole when it is opened, so that its HMAC is compared."""

MAX_WHOLE = 256 << 20
"""Bytes of a layer that is read whole because of its role; none has as many."""


@runtime_checkable
class SpoolingWindow(Protocol):
    """A window on a blob that can be fetched from start to end at once."""

    def spool(self) -> object:
        """Fetch it so."""


def encrypted_window(store: BlobStore, layer: Descriptor) -> DecipheredWindow:
    """Return an encrypted layer as it was before; what is read of it is not compared.

    Raises:
        KeyNeeded: no key opens it.
        DamagedInput: it has another size, or its annotations are damaged.
    """
    key, window = layer_key(layer), store.blob(layer.digest)
    if window.size != layer.size:
        name = f"layer {short_digest(layer.digest)}"
        raise DamagedInput(name, 0, f"it has {window.size:,} bytes instead of {layer.size:,}.")
    return DecipheredWindow(window, key)


def encrypted_tree(
    store: BlobStore, layer: Descriptor, whole: bool, progress: Progress
) -> ArchiveTree:
    """Return the members of an encrypted layer. A small one, and `whole` one of any size, is read
    from start to end and compared with its HMAC.

    Raises: as `encrypted_window`.
    """
    window, name = encrypted_window(store, layer), f"layer {short_digest(layer.digest)}"
    if whole and layer.size > MAX_WHOLE:
        raise DamagedInput(name, 0, f"it has {layer.size:,} bytes, more than one ever has.")
    if whole or layer.size <= MAX_VERIFIED:
        pieces = decrypted_pieces(_all_of(window.stored), layer)
        tree = open_archive(BytesWindow(b"".join(pieces)), name, progress)
        tree.was_read = True
        return tree
    if isinstance(window.stored, SpoolingWindow) and not _by_headers(window):
        window.stored.spool()
    return open_archive(window, name, progress)


def decrypted_pieces(pieces: Iterator[bytes], layer: Descriptor) -> Iterator[bytes]:
    """Yield an encrypted layer as it was before, of its bytes as stored; HMAC and digest are
    compared at the end.

    Raises: as `encrypted_window`.
    """
    return deciphered(pieces, layer_key(layer), f"layer {short_digest(layer.digest)}")


def is_by_headers(store: BlobStore, layer: Descriptor) -> bool | None:
    """Return whether the headers of an encrypted layer can be read without what is between; None
    where no key opens it."""
    try:
        return _by_headers(encrypted_window(store, layer))
    except KeyNeeded:
        return None


def _by_headers(window: ByteWindow) -> bool:
    compression = sniff(window.read(0, 4))
    return compression == "plain" or (compression == "zstd" and seek_table(window) is not None)


def _all_of(window: ByteWindow) -> Iterator[bytes]:
    yield window.read(0, window.size)
