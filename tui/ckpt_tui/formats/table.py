"""FORMATS: every container of a checkpoint that can be told from its members.

The tests look at content, never at names of files or at what the user called it. A new format is
one entry here. Where the rules come from: podman's, CRI-O's and containerd's export code, and the
constants of checkpointctl.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ckpt_tui.archive.tree import MemberKind, Tree
from ckpt_tui.checkpoint.records import ContainerFacts
from ckpt_tui.formats.metadata import (
    Metadata,
    annotated_facts,
    bare_facts,
    containerd_facts,
    crio_facts,
    ctr_facts,
    podman_facts,
)

FORMAT_VERSION_KEY = "org.criu.checkpoint.format.version"
"""Annotation that marks an optimized image."""

ENGINE_KEY = "org.criu.checkpoint.engine.name"
PODMAN_PREFIX = "io.podman.annotations.checkpoint."
CRIO_PREFIX = "io.kubernetes.cri-o.annotations.checkpoint."

GVISOR_MAGIC = bytes.fromhex("67 56 69 73 6f 72 53 46")
"""First bytes of a gVisor state file (pkg/state/statefile)."""


class Found(NamedTuple):
    """A tree with what its root says about the engine."""

    tree: Tree
    metadata: Metadata

    def has(self, *names: str) -> bool:
        return all(name in self.tree.members for name in names)

    def has_below(self, folder: str) -> bool:
        return any(name.startswith(folder) for name in self.tree.members)

    @property
    def manager(self) -> str:
        """libpod, cri-o, or "" where the runtime spec names none."""
        return self.metadata.spec_annotations.get("io.container.manager", "")


class Format(NamedTuple):
    """One way to keep a checkpoint. `images` is the folder of the CRIU images, with its slash;
    `decoded` is False for what is only recognised and named, `why_not` says why."""

    engine: str
    title: str
    matches: Callable[[Found], bool]
    container: Callable[[Metadata], ContainerFacts]
    images: str = "checkpoint/"
    decoded: bool = True
    why_not: str = ""


def _archive(found: Found) -> bool:
    return found.has("config.dump", "spec.dump") and found.has_below("checkpoint/")


def _gvisor(found: Found) -> bool:
    image = found.tree.members.get("checkpoint.img")
    if image is None or image.kind is not MemberKind.FILE:
        return False
    return found.tree.window("checkpoint.img").read(0, len(GVISOR_MAGIC)) == GVISOR_MAGIC


FORMATS: tuple[Format, ...] = (
    Format(
        "pod",
        "pod checkpoint",
        lambda f: f.has("checkpoint-manifest.json") or f.has("pod.options"),
        bare_facts,
        decoded=False,
        why_not="It holds several containers; open the archive of one container in it.",
    ),
    Format("podman", "podman", lambda f: _archive(f) and f.manager == "libpod", podman_facts),
    Format("cri-o", "CRI-O", lambda f: _archive(f) and f.manager == "cri-o", crio_facts),
    Format(
        "containerd", "containerd", lambda f: _archive(f) and f.has("status.dump"), containerd_facts
    ),
    Format("unknown", "unknown engine's", _archive, podman_facts),
    Format(
        "podman",
        "podman pre-dump",
        lambda f: f.has("pre-checkpoint/inventory.img") and not f.has("checkpoint/inventory.img"),
        podman_facts,
        images="pre-checkpoint/",
    ),
    Format(
        "podman",
        "podman container's",
        lambda f: f.has("checkpoint/inventory.img", "config.json") and f.manager == "libpod",
        bare_facts,
    ),
    Format(
        "containerd",
        "ctr",
        lambda f: f.has("checkpoint/inventory.img", "spec.dump"),
        ctr_facts,
    ),
    Format("lxc", "LXC", lambda f: f.has("inventory.img", "tty.info"), bare_facts, images=""),
    Format(
        "runc",
        "runc, crun or Docker",
        lambda f: f.has("inventory.img", "descriptors.json"),
        bare_facts,
        images="",
    ),
    Format("criu", "CRIU", lambda f: f.has("inventory.img"), bare_facts, images=""),
    Format("criu", "CRIU", lambda f: f.has("checkpoint/inventory.img"), bare_facts),
    Format(
        "gvisor",
        "gVisor",
        _gvisor,
        bare_facts,
        decoded=False,
        why_not="gVisor saves its own kernel's state; there are no CRIU images in it.",
    ),
    Format("criu", "CRIU (no inventory)", lambda f: f.has("pstree.img"), bare_facts, images=""),
)

LOCKED = Format("unknown", "encrypted", lambda _: False, annotated_facts)
"""An image of which no key at hand opens the layers."""


def recognise(found: Found) -> Format | None:
    """Return the first format that matches, None if the tree holds no checkpoint."""
    return next((entry for entry in FORMATS if entry.matches(found)), None)
