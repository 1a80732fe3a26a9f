"""The working set of an image as what refers to it (an OCI referrer), in its layout or repository.

It only makes the next lazy restore quicker: an image without one, or with a bad one, restores too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ckpt_tui.archive.directory import DirectoryTree
from ckpt_tui.convert.destination import Destination, sink_of
from ckpt_tui.convert.staging import dump
from ckpt_tui.core.errors import DamagedInput, UsageError
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import short_digest
from ckpt_tui.restore.working_set import MAX_SIZE, WorkingSet, read_working_set
from ckpt_tui.sources.base import (
    CREATED_KEY,
    MEDIA_INDEX,
    MEDIA_MANIFEST,
    Descriptor,
    Opened,
    OpenedImage,
    ReferringStore,
)
from ckpt_tui.sources.digests import check_bytes
from ckpt_tui.sources.oci import LayoutStore, descriptors_of, load
from ckpt_tui.sources.reference import SCHEME, Reference, parse_place

TYPE = "application/vnd.ckpt-tui.working-set.v1+json"
"""Media type of a working set, and type of the artifact that holds it."""

EMPTY = "application/vnd.oci.empty.v1+json"
"""Of the config of an artifact, which has none (image-spec, "Guidance for an Empty Descriptor")."""


def now() -> str:
    """Return the time in the form of annotations (RFC 3339), to tell the order of two."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def attached_set(source: Opened, progress: Progress) -> WorkingSet | None:
    """Return the working set that was attached to an image last, None where there is none.

    Raises:
        CkptError: the store cannot be asked, or the working set is damaged.
    """
    if not isinstance(source, OpenedImage) or not isinstance(source.store, ReferringStore):
        return None
    store, digest = source.store, source.descriptor.digest
    found = [one for one in store.referrers(digest, progress) if one.artifact_type == TYPE]
    if not found:
        return None
    newest = max(found, key=lambda one: one.annotations.get(CREATED_KEY, ""))
    layers = descriptors_of(load(store, newest)[0], "layers", "the working set")
    if len(layers) != 1 or layers[0].size > MAX_SIZE:
        raise DamagedInput("the working set", 0, f"it is not one layer of {MAX_SIZE:,} bytes.")
    stored = store.blob(layers[0].digest).read(0, layers[0].size)
    check_bytes(stored, layers[0].digest, f"blob {short_digest(layers[0].digest)}")
    return read_working_set(stored)


def attach(source: Opened, found: WorkingSet, progress: Progress) -> Descriptor:
    """Attach a working set to an image; return the descriptor of its manifest.

    Raises:
        UsageError: the checkpoint is not an image in a layout or a registry.
        CkptError: the layout or the registry does not take it.
    """
    with sink_of(place_of(source), progress) as sink:
        assert isinstance(source, OpenedImage)
        sink.begin(())
        config = sink.add(b"{}", EMPTY)
        layer = sink.add(found.document(), TYPE)
        subject = source.descriptor
        subject_type = subject.media_type or (MEDIA_INDEX if source.is_index else MEDIA_MANIFEST)
        annotations = {CREATED_KEY: now()}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "artifactType": TYPE,
            "config": config.document(),
            "layers": [layer.document()],
            "subject": Descriptor(subject_type, subject.digest, subject.size).document(),
            "annotations": annotations,
        }
        made = sink.add(dump(manifest), MEDIA_MANIFEST)
        root = Descriptor(made.media_type, made.digest, made.size, annotations, {}, TYPE)
        sink.check(progress)
        sink.publish(root, "", progress)
        return root


def place_of(source: Opened) -> Destination:
    """Return the layout or the repository that an image is in.

    Raises:
        UsageError: it is elsewhere, so that nothing can be attached to it.
    """
    if isinstance(source, OpenedImage):
        if source.target.startswith(SCHEME):
            place = parse_place(source.target)
            return Destination(repository=Reference(place.host, place.repository))
        store = source.store
        if isinstance(store, LayoutStore) and isinstance(store.tree, DirectoryTree):
            return Destination(Path(store.tree.path))
    raise UsageError(
        f"A working set cannot be attached to {source.target}.",
        "It is not an image in an OCI layout or a registry.",
        "Write it to a file with --record FILE.",
    )
