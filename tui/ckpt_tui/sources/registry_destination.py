"""A repository as the place that an image is copied to."""

from __future__ import annotations

import json
from contextlib import suppress

from ckpt_tui.core.document import parse_document, text_at, value_at
from ckpt_tui.core.progress import Progress
from ckpt_tui.sources.base import MEDIA_INDEX, Descriptor
from ckpt_tui.sources.oci import artifact_type_of, descriptor_of, referrers_tag
from ckpt_tui.sources.reference import Reference
from ckpt_tui.sources.registry import RegistryClient
from ckpt_tui.sources.registry_errors import Refused
from ckpt_tui.sources.registry_upload import mount_blob, upload_blob
from ckpt_tui.sources.transfer import BlobState, Pieces


class RegistryDestination:
    """Copies into the repository of `reference`."""

    def __init__(
        self, client: RegistryClient, reference: Reference, near: tuple[str, ...] = ()
    ) -> None:
        """`near` are repositories of the same registry that may have the blobs."""
        self._client = client
        self._reference = reference
        self._near = near

    def has(self, blob: Descriptor, progress: Progress) -> bool:
        """Tell whether a blob is there."""
        found = self._client.blob_size(self._reference.repository, blob.digest, progress)
        return found == blob.size

    def settled(
        self, blob: Descriptor, bases: tuple[Reference, ...], progress: Progress
    ) -> BlobState | None:
        if self.has(blob, progress):
            return "present"
        near = [base.repository for base in bases if base.server == self._reference.server]
        own = self._reference.repository
        for source in dict.fromkeys((*self._near, *near)):
            if source == own or not self._is_in(source, blob, progress):
                continue
            if mount_blob(self._client, own, blob.digest, source, progress):
                return "mounted"
        return None

    def put(self, blob: Descriptor, pieces: Pieces, progress: Progress) -> None:
        upload_blob(self._client, self._reference.repository, blob, pieces, progress)

    def remove(self, kind: str, digest: str, progress: Progress) -> bool:
        """Remove one of the "blobs" or "manifests"; tell whether it is gone."""
        return self._client.delete(self._reference.repository, kind, digest, progress)

    def put_manifest(self, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        self._put(manifest.digest, manifest, data, progress)

    def name_manifest(
        self, manifest: Descriptor, data: bytes, tag: str, progress: Progress
    ) -> None:
        self._put(tag, manifest, data, progress)

    def publish(self, root: Descriptor, data: bytes, tag: str, progress: Progress) -> None:
        self._put(tag or root.digest, root, data, progress)

    def has_manifest(self, manifest: Descriptor, progress: Progress) -> bool:
        """Tell whether a manifest is there."""
        return self._names(manifest.digest, manifest, progress)

    def _names(self, name: str, manifest: Descriptor, progress: Progress) -> bool:
        """Tell whether that is what `name`, a tag or digest, stands for."""
        with suppress(Refused):
            found = self._client.head(self._reference.repository, name, progress)
            return found.digest == manifest.digest
        return False

    def _is_in(self, repository: str, blob: Descriptor, progress: Progress) -> bool:
        """Ask first: an answer to a mount that fails is an upload that is never ended."""
        with suppress(Refused):
            return self._client.blob_size(repository, blob.digest, progress) == blob.size
        return False

    def _put(self, name: str, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        repository = self._reference.repository
        if self._names(name, manifest, progress):
            return
        accounted = self._client.put_manifest(repository, name, manifest.media_type, data, progress)
        subject = value_at(parse_document(data, "the manifest"), "subject")
        if subject is not None and not accounted:
            self._refer(descriptor_of(subject, "the manifest").digest, manifest, data, progress)

    def _refer(self, subject: str, manifest: Descriptor, data: bytes, progress: Progress) -> None:
        """Add a manifest to the tag that lists the referrers of its subject, where the registry
        does not keep account of them itself (distribution-spec, "Pushing Manifests with Subject").
        """
        document = parse_document(data, "the manifest")
        entry = {
            "mediaType": manifest.media_type,
            "digest": manifest.digest,
            "size": manifest.size,
            "artifactType": artifact_type_of(document),
            "annotations": value_at(document, "annotations") or {},
        }
        repository, tag = self._reference.repository, referrers_tag(subject)
        others: list[object] = []
        with suppress(Refused):
            listed = self._client.manifest(repository, tag, progress).document.get("manifests")
            others = listed if isinstance(listed, list) else []
        if any(text_at(other, "digest") == manifest.digest for other in others):
            return
        index = {"schemaVersion": 2, "mediaType": MEDIA_INDEX, "manifests": [*others, entry]}
        packed = json.dumps(index, separators=(",", ":")).encode()
        self._client.put_manifest(repository, tag, MEDIA_INDEX, packed, progress)
