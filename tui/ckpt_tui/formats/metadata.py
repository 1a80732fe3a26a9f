"""What the engines write beside the CRIU images, read into the facts of a container.

The file names are those of checkpointctl's library (lib/metadata.go); podman's config.dump is its
complete container configuration, that of CRI-O and containerd the small record of checkpointctl.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ckpt_tui.archive.tree import Tree
from ckpt_tui.checkpoint.records import ContainerFacts, Note
from ckpt_tui.core.document import (
    read_document,
    read_object,
    strings_at,
    text_at,
    texts_at,
    value_at,
)
from ckpt_tui.core.errors import CkptError
from ckpt_tui.formats.frame_digests import FRAMES
from ckpt_tui.sources.base import CREATED_KEY, REF_NAME

DOCUMENTS = ("config.dump", "spec.dump", "network.status", "status.dump", "bind.mounts")
"""The JSON members that say what the container was."""

FILES = (
    *DOCUMENTS,
    "deleted.files",
    "status",
    "stats-dump",
    "dump.log",
    "ctr.log",
    "container.log",
    "io.kubernetes.cri-o.LogPath",
    "pod.options",
    "pod.dump",
    "conversion.json",
    FRAMES,
    "config.json",
)
"""Every metadata file that an engine or a conversion is known to write at the root."""

_NO_TIME = "0001-01-01"
"""Go's zero time: not set."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """The engine's documents, and the annotations of the image they came in."""

    documents: Mapping[str, Any]
    annotations: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    dumped: datetime | None = None
    """When inventory.img was written: the time of the dump if it was not recorded."""

    def text(self, document: str, *path: str) -> str:
        """Return a string of one document, "" where it has none."""
        return text_at(self.documents.get(document), *path)

    @property
    def spec_annotations(self) -> Mapping[str, str]:
        return strings_at(self.documents.get("spec.dump"), "annotations")


def read_metadata(tree: Tree, annotations: Mapping[str, str], images: str) -> Metadata:
    """Read the documents of `tree`; a damaged one is a note. `images` is where inventory.img is."""
    documents: dict[str, Any] = {}
    notes = []
    for name in DOCUMENTS:
        if name not in tree.members:
            continue
        try:
            documents[name] = read_document(tree.window(name), name)
        except CkptError as error:
            notes.append(Note(name, str(error), damaged=True))
        except KeyError:
            notes.append(Note(name, "It is not a regular file."))
    if "spec.dump" not in documents and (spec := _bundle_spec(tree)):
        documents["spec.dump"] = spec
    inventory = tree.members.get(f"{images}inventory.img")
    dumped = file_time(inventory.mtime) if inventory else None
    return Metadata(documents, dict(annotations), tuple(notes), dumped)


def _bundle_spec(tree: Tree) -> dict[str, Any] | None:
    """Return the runtime spec of a bundle, which is beside the images of a container that an engine
    keeps; it is damaged or another document: None."""
    if "config.json" not in tree.members:
        return None
    try:
        found = read_object(tree.window("config.json"), "config.json")
    except (CkptError, KeyError):
        return None
    return found if "ociVersion" in found else None


def file_time(mtime: float) -> datetime | None:
    """Return a file's time of modification, None if that is not a date."""
    try:
        return datetime.fromtimestamp(mtime, UTC) if mtime else None
    except (OverflowError, ValueError, OSError):
        return None


def time_of(text: str) -> datetime | None:
    """Return an RFC 3339 time, None where it is unset or no time."""
    if not text or text.startswith(_NO_TIME):
        return None
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None


def podman_facts(metadata: Metadata) -> ContainerFacts:
    """Return the facts of libpod's ContainerConfig (podman libpod/container_config.go)."""
    return _facts(
        metadata,
        **_from_config(metadata, "rootfs"),
        image_id=metadata.text("config.dump", "rootfsImageID"),
        pod=metadata.text("config.dump", "pod"),
        networks=_podman_networks(metadata.documents.get("network.status")),
    )


def crio_facts(metadata: Metadata) -> ContainerFacts:
    """Return the facts of a CRI-O checkpoint; the pod is in the annotations of the spec."""
    annotations = metadata.spec_annotations
    address = annotations.get("io.kubernetes.cri-o.IP.0", "")
    return _facts(
        metadata,
        **_checkpointctl(metadata),
        image_id=metadata.text("config.dump", "rootfsImageRef"),
        pod=annotations.get("io.kubernetes.pod.name", ""),
        namespace=annotations.get("io.kubernetes.pod.namespace", ""),
        networks={"pod": (address,)} if address else {},
    )


def containerd_facts(metadata: Metadata) -> ContainerFacts:
    """Return the facts of a containerd CRI checkpoint."""
    annotations = metadata.spec_annotations
    return _facts(
        metadata,
        **_checkpointctl(metadata),
        pod=annotations.get("io.kubernetes.cri.sandbox-name", ""),
        namespace=annotations.get("io.kubernetes.cri.sandbox-namespace", ""),
    )


def ctr_facts(metadata: Metadata) -> ContainerFacts:
    """Return the facts of a `ctr` checkpoint; the annotations of its index name the image and the
    runtime (containerd client/container_checkpoint_opts.go)."""
    return _facts(
        metadata,
        image=metadata.annotations.get(REF_NAME, ""),
        runtime=metadata.annotations.get("io.containerd.checkpoint.runtime", ""),
    )


def bare_facts(metadata: Metadata) -> ContainerFacts:
    """Return what is known of a directory without an engine's metadata: the time of the dump."""
    return _facts(metadata)


def annotated_facts(metadata: Metadata) -> ContainerFacts:
    """Return what the annotations of an image say, for one whose documents cannot be read."""
    known = metadata.annotations
    prefix = "org.criu.checkpoint."
    return _facts(
        metadata,
        name=known.get(f"{prefix}container.name", ""),
        image=known.get(f"{prefix}rootfsImageUserRequested", ""),
        runtime=known.get(f"{prefix}runtime.name", ""),
        pod=known.get(f"{prefix}pod.name", ""),
        namespace=known.get(f"{prefix}pod.namespace", ""),
        checkpointed=time_of(known.get(CREATED_KEY, "")),
    )


def _checkpointctl(metadata: Metadata) -> dict[str, Any]:
    when = time_of(metadata.text("config.dump", "checkpointedTime"))
    return {**_from_config(metadata, "rootfsImage"), "checkpointed": when or metadata.dumped}


def _from_config(metadata: Metadata, image: str) -> dict[str, Any]:
    """Return what all engines record alike; `image` is the key of an image without a name."""
    config = metadata.documents.get("config.dump")
    return {
        **{key: text_at(config, key) for key in ("id", "name", "runtime")},
        "image": text_at(config, "rootfsImageName") or text_at(config, image),
        "created": time_of(text_at(config, "createdTime")),
    }


def _facts(metadata: Metadata, **known: Any) -> ContainerFacts:
    """Return what an engine recorded with what the runtime spec says."""
    spec = metadata.documents.get("spec.dump")
    return ContainerFacts(
        command=texts_at(spec, "process", "args"),
        environment=texts_at(spec, "process", "env"),
        annotations={**metadata.spec_annotations, **metadata.annotations},
        **{"checkpointed": metadata.dumped, **known},
    )


def _podman_networks(status: object) -> dict[str, tuple[str, ...]]:
    """Return network name to addresses (`10.88.0.4/16`)."""
    networks: dict[str, tuple[str, ...]] = {}
    for name, block in status.items() if isinstance(status, dict) else ():
        interfaces = value_at(block, "interfaces")
        addresses = [
            text_at(subnet, "ipnet")
            for interface in (interfaces.values() if isinstance(interfaces, dict) else ())
            for subnet in _list(value_at(interface, "subnets"))
        ]
        networks[str(name)] = tuple(filter(None, addresses))
    return networks


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
