"""An image in a registry, opened where it is: only what is looked at is fetched."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ckpt_tui.archive.archive_tree import open_archive
from ckpt_tui.archive.compression import sniff
from ckpt_tui.archive.seekable import seek_table
from ckpt_tui.archive.tree import Tree
from ckpt_tui.core.errors import DamagedInput
from ckpt_tui.core.progress import Progress, quiet
from ckpt_tui.core.text import short_digest
from ckpt_tui.core.window import BytesWindow, ByteWindow, chunks
from ckpt_tui.sources.base import Descriptor, OpenedImage, checked_digest
from ckpt_tui.sources.digests import verified
from ckpt_tui.sources.oci import (
    descriptor_of,
    descriptors_of,
    is_index_type,
    is_manifest_type,
    missing_blob,
)
from ckpt_tui.sources.reference import Reference, parse_reference
from ckpt_tui.sources.registry import Manifest, RegistryClient
from ckpt_tui.sources.registry_errors import Refused
from ckpt_tui.sources.remote_blob import WHOLE, BlockCache, RemoteBlob, blob_pieces


class RegistryStore:
    """The blobs of one repository."""

    def __init__(self, client: RegistryClient, repository: str) -> None:
        """The store owns `client`."""
        self.client = client
        self.repository = repository
        self._known: dict[str, Descriptor] = {}
        self._manifests: dict[str, bytes] = {}
        self._blobs: dict[str, RemoteBlob] = {}
        self._cache = BlockCache()
        self._lock = threading.Lock()

    @property
    def transferred(self) -> int:
        """Bytes that came over the wire so far."""
        return self.client.http.received

    def manifest(self, wanted: str, progress: Progress) -> Manifest:
        """Fetch a manifest or index by tag or digest, and learn what it names."""
        found = self.client.manifest(self.repository, wanted, progress)
        self._manifests[found.descriptor.digest] = found.data
        self._learn(found.document)
        return found

    def blob(self, digest: str) -> ByteWindow:
        known = self._known.get(checked_digest(digest, "the manifest"))
        if digest in self._manifests or (known and _is_manifest(known)):
            return BytesWindow(self._manifest_data(digest))
        return self._remote(known or self._asked(digest))

    def layer_tree(self, layer: Descriptor, progress: Progress) -> Tree:
        """Return the members of a layer: of a plain or seekable one by its headers alone, of any
        other in one pass over all of it."""
        with self._reading(layer, progress) as blob:
            if not _by_headers(blob):
                blob.spool()
            tree = open_archive(blob, f"layer {short_digest(layer.digest)}", progress)
            tree.was_read = tree.was_read or layer.size <= WHOLE  # fetched at once and verified
            return tree

    def pass_size(self, layer: Descriptor, progress: Progress) -> int:
        """Return the bytes that opening a layer has to fetch, apart from a few headers."""
        if layer.size <= WHOLE:
            return layer.size
        with self._reading(layer, progress) as blob:
            return 0 if _by_headers(blob) else layer.size

    def pieces(self, blob: Descriptor, progress: Progress) -> Iterator[bytes]:
        """Yield a blob from start to end, verified; see `blob_pieces`. One that was spooled is not
        fetched again."""
        known = self._blobs.get(blob.digest)
        if known is not None and known.is_spooled:
            return verified(chunks(known), blob.digest)
        return blob_pieces(self.client, self.repository, blob, progress)

    def referrers(self, digest: str, progress: Progress) -> tuple[Descriptor, ...]:
        """Return the manifests whose subject is that one."""
        found = self.client.referrers(self.repository, digest, progress)
        self._known.update((one.digest, one) for one in found)
        return found

    def close(self) -> None:
        for blob in self._blobs.values():
            blob.close()
        self.client.close()

    @contextmanager
    def _reading(self, layer: Descriptor, progress: Progress) -> Iterator[RemoteBlob]:
        blob = self._remote(layer)
        blob.progress = progress
        try:
            yield blob
        except Refused as error:
            raise (missing_blob(layer.digest) if error.status == 404 else error) from error
        finally:
            blob.progress = quiet()

    def _remote(self, blob: Descriptor) -> RemoteBlob:
        with self._lock:
            if blob.digest not in self._blobs:
                self._blobs[blob.digest] = RemoteBlob(
                    self.client, self.repository, blob, self._cache
                )
            return self._blobs[blob.digest]

    def _asked(self, digest: str) -> Descriptor:
        size = self.client.blob_size(self.repository, digest, quiet())
        if size is None:
            raise missing_blob(digest)
        return Descriptor("", digest, size)

    def _manifest_data(self, digest: str) -> bytes:
        if digest not in self._manifests:
            try:
                self.manifest(digest, quiet())
            except Refused as error:
                raise (missing_blob(digest) if error.status == 404 else error) from error
        return self._manifests[digest]

    def _learn(self, document: Mapping[str, object]) -> None:
        """Remember sizes and types of what a manifest names; what is malformed, others report."""
        for key in ("manifests", "layers"):
            try:
                found = descriptors_of(document, key, "the manifest")
            except DamagedInput:
                continue
            self._known.update((one.digest, one) for one in found)
        try:
            config = descriptor_of(document.get("config"), "the manifest")
        except DamagedInput:
            return
        self._known[config.digest] = config


def _is_manifest(blob: Descriptor) -> bool:
    return is_index_type(blob.media_type) or is_manifest_type(blob.media_type)


def _by_headers(blob: ByteWindow) -> bool:
    """Tell whether the headers of a layer can be read without what is between them."""
    if blob.size <= WHOLE:
        return True
    compression = sniff(blob.read(0, 4))
    return compression == "plain" or (compression == "zstd" and seek_table(blob) is not None)


def open_repository(reference: Reference) -> RegistryStore:
    """Return the store of a reference's repository; nothing is sent yet. The caller closes it."""
    return RegistryStore(RegistryClient(reference.server), reference.repository)


def open_registry_image(target: str, progress: Progress) -> OpenedImage:
    """Open `docker://…`: fetches the manifest or index, nothing else.

    Raises:
        UsageError: the target is written wrong.
        SourceUnreachable: the registry does not answer, wants a login, or has no such image.
        DamagedInput: the manifest is invalid.
    """
    reference = parse_reference(target)
    store = open_repository(reference)
    try:
        progress.start(f"asking {reference.host}")
        found = store.manifest(reference.wanted, progress)
    except BaseException:
        store.close()
        raise
    return OpenedImage(target, store, found.descriptor, found.document, found.data)
