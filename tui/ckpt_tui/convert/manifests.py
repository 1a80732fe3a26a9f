"""The JSON of the optimized form: two configs, two manifests, one index.

Keys and values follow image-spec 1.1; the trigger keys are those that podman, CRI-O and
containerd look for before they treat an image as a checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ckpt_tui.checkpoint.model import ContainerFacts
from ckpt_tui.checkpoint.records import VERSION_KEYS
from ckpt_tui.convert.layer_writer import WrittenLayer
from ckpt_tui.convert.record import FORMAT_VERSION
from ckpt_tui.convert.staging import Staging, dump
from ckpt_tui.core.document import text_at, value_at
from ckpt_tui.formats.images import ROLE_KEY
from ckpt_tui.formats.table import CRIO_PREFIX, ENGINE_KEY, FORMAT_VERSION_KEY, PODMAN_PREFIX
from ckpt_tui.sources.base import (
    CREATED_KEY,
    MEDIA_CONFIG,
    MEDIA_INDEX,
    MEDIA_MANIFEST,
    Descriptor,
)
from ckpt_tui.sources.oci import ROOTFS_TAG_END

CRIU_PREFIX = "org.criu.checkpoint."
ZSTD_KEY = "io.github.containers.compression.zstd"
"""Annotation that skopeo and podman set on such a manifest in an index: without it a copy would
change the digest of the index (containers/image, internal/manifest/oci_index.go)."""

CHECKPOINT_ROLE, ROOTFS_ROLE = "checkpoint", "rootfs"

BASE_DIGEST = "org.opencontainers.image.base.digest"

_NO_PLATFORM = {"os": "unknown", "architecture": "unknown"}
"""Keeps a pull by tag from choosing the rootfs image."""

_NAME_IN_TAG = 100
"""Characters; a tag has at most 128 (distribution-spec, "Pulling manifests")."""

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")


def rootfs_tag(digest: str) -> str:
    """Return the tag of a rootfs image whose delta is encrypted, made of its manifest's digest.

    podman does not decrypt what is named by digest, so config.dump names it by this tag.
    """
    algorithm, _, digits = digest.partition(":")
    return f"{algorithm}-{digits}{ROOTFS_TAG_END}"


def local_repository(name: str) -> str:
    """Return the repository that a result without a destined one is said to live in."""
    cleaned = _NOT_IN_NAMES.sub("-", name.lower()).strip("-._")
    return f"localhost/{re.sub(r'[._-]{2,}', '-', cleaned) or 'checkpoint'}"


def default_tag(container: ContainerFacts) -> str:
    """Return the tag of a result without a name: container and time of the dump, in UTC, so that
    the next checkpoint does not take the name away from this one."""
    name = local_repository(container_name(container)).partition("/")[2][:_NAME_IN_TAG]
    if container.checkpointed is None:
        return name
    return f"{name}-{container.checkpointed.astimezone(UTC):%Y%m%d-%H%M%S}"


def timestamp(moment: datetime | None) -> str:
    """Return a time as images carry it, empty where none is known."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def container_name(container: ContainerFacts) -> str:
    """Return the name a person gave the container: in a pod not the engine's long one."""
    for key in ("io.kubernetes.container.name", "io.kubernetes.cri.container-name"):
        if container.annotations.get(key):
            return container.annotations[key]
    return container.name or container.id[:12]


def checkpoint_annotations(
    engine: str,
    container: ContainerFacts,
    carried: Mapping[str, str],
    architecture: str,
    *,
    optimized: bool = True,
    bare: bool = False,
    minimal: bool = False,
) -> dict[str, str]:
    """Return the annotations of the checkpoint image and of the index.

    All trigger keys stand on both: podman and CRI-O read the manifest, containerd the index, and
    together they disturb none. `carried` are the source's own, which win but for the base image.
    The version of the format stands only on what is `optimized` in full. A `bare` checkpoint has no
    trigger, for no engine has what it needs to restore it. `minimal` leaves out what no engine
    needs.
    """
    name = container_name(container)
    runtime = container.runtime.removeprefix("io.containerd.").partition(".")[0]
    triggers = {
        PODMAN_PREFIX + "name": name,
        PODMAN_PREFIX + "runtime.name": runtime or "runc",
        CRIO_PREFIX + "name": name,
        CRIU_PREFIX + "container.name": name,
    }
    found = {
        **({} if bare else triggers),
        ENGINE_KEY: engine,
        CRIU_PREFIX + "pod.name": container.pod,
        CRIU_PREFIX + "pod.namespace": container.namespace,
        CRIU_PREFIX + "runtime.name": container.runtime,
        CRIU_PREFIX + "rootfsImageUserRequested": container.image,
        CRIU_PREFIX + "host.arch": architecture,
        CREATED_KEY: timestamp(container.checkpointed),
    }
    prefixes = (PODMAN_PREFIX, CRIO_PREFIX, CRIU_PREFIX)
    found.update(
        (key, value)
        for key, value in carried.items()
        if key.startswith(prefixes) and "rootfsImage" not in key and "rawImage" not in key
    )
    if minimal:
        needed = (*triggers, ENGINE_KEY, *VERSION_KEYS)
        found = {key: value for key, value in found.items() if key in needed}
    found[FORMAT_VERSION_KEY] = FORMAT_VERSION if optimized else ""
    return {key: value for key, value in found.items() if value}


def checkpoint_config(layers: Sequence[WrittenLayer], architecture: str, created: str) -> bytes:
    """Return the config of the checkpoint image: no Entrypoint and no Cmd, it cannot be run."""
    return dump(
        {
            **({"created": created} if created else {}),
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        }
    )


def rootfs_config(
    base: Mapping[str, Any],
    delta: WrittenLayer | None,
    command: Sequence[str],
    created: str,
    name: str,
) -> bytes:
    """Return the base image's config with the delta on top, and the dump's command in it.

    CRI-O refuses to restore onto an image without a command; CRIU never runs it.
    """
    config = dict(value) if isinstance(value := base.get("config"), dict) else {}
    if command:
        config.pop("Cmd", None)
        config["Entrypoint"] = list(command)
    document = {**base, "config": config}
    diff_ids = value_at(base, "rootfs", "diff_ids")
    history = base.get("history")
    if delta is not None:
        own = [*diff_ids] if isinstance(diff_ids, list) else []
        document["rootfs"] = {"type": "layers", "diff_ids": [*own, delta.diff_id]}
        if isinstance(history, list) and history:
            entry = {"created": created} if created else {}
            entry["created_by"] = f"checkpoint of {name}" if name else "checkpoint"
            document["history"] = [*history, entry]
    return dump(document)


def add_manifest(
    staging: Staging,
    config: bytes,
    layers: Sequence[Descriptor],
    annotations: Mapping[str, str],
    platform: Mapping[str, str],
    role: str,
) -> Descriptor:
    """Stage config and manifest; return the manifest as the index names it."""
    document = {
        "schemaVersion": 2,
        "mediaType": MEDIA_MANIFEST,
        "config": staging.add(config, MEDIA_CONFIG).document(),
        "layers": [layer.document() for layer in layers],
        **({"annotations": dict(sorted(annotations.items()))} if annotations else {}),
    }
    marks = {ROLE_KEY: role}
    if any(layer.media_type.endswith("+zstd") for layer in layers):
        marks[ZSTD_KEY] = "true"
    return staging.add(
        dump(document), MEDIA_MANIFEST, annotations=marks, platform=platform or _NO_PLATFORM
    )


def add_index(
    staging: Staging, manifests: Sequence[Descriptor], annotations: Mapping[str, str]
) -> Descriptor:
    """Stage the index that the tag names."""
    document = {
        "schemaVersion": 2,
        "mediaType": MEDIA_INDEX,
        "manifests": [manifest.document() for manifest in manifests],
        "annotations": dict(sorted(annotations.items())),
    }
    return staging.add(dump(document), MEDIA_INDEX)


def bare_config(container: ContainerFacts) -> bytes:
    """Return a config.dump for a container whose engine's own is not at hand: the record that
    CRI-O and containerd write (checkpointctl, lib/metadata.go), as far as it is known."""
    facts = {
        "id": container.id,
        "name": container_name(container),
        "rootfsImage": container.image,
        "runtime": container.runtime,
        "checkpointedTime": timestamp(container.checkpointed),
    }
    return dump({key: value for key, value in facts.items() if value})


def base_image_values(engine: str, reference: str, config_digest: str) -> dict[str, str]:
    """Return the fields of config.dump by which each engine finds the rootfs image.

    `reference` is REPOSITORY@sha256:…, `config_digest` sha256:… of its config.
    """
    digits = config_digest.partition(":")[2]
    if engine == "cri-o":
        return {"rootfsImageRef": digits, "rootfsImageName": reference}
    if engine == "containerd":
        return {"rootfsImageRef": reference}
    return {"rootfsImageName": reference, "RawImageName": reference, "rootfsImageID": digits}


def recorded_image(engine: str, config_dump: object) -> str:
    """Return the image id that config.dump recorded, 64 hex digits, or "" where it has none."""
    key = {"cri-o": "rootfsImageRef", "podman": "rootfsImageID"}.get(engine, "")
    return text_at(config_dump, key).removeprefix("sha256:") if key else ""
