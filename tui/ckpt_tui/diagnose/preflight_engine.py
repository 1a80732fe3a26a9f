"""What the engine itself asks for before it lets CRIU begin.

After podman's pkg/checkpoint, and containerd's release notes of 2.4 on restore by image.
"""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_count
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.log_header import version_tuple

PROGRAMS = {"podman": "podman", "cri-o": "crio", "containerd": "containerd"}
"""Engine to the program that restores its checkpoints."""

SINCE, SWITCHED, REMOVED = (2, 1), (2, 3), (2, 4)
"""Releases of containerd: the first that restores a checkpoint given as a pod's image, the first
that wants a switch for it, and the first that does not. `ctr` restores its own ones in all."""

SWITCH = "enable_experimental_restore_via_create = true"
"""In the CRI plugin of containerd's configuration."""


def base_image(facts: Facts) -> Iterator[Finding]:
    """The image that the container was made from is named."""
    engine, container = facts.checkpoint.format.engine, facts.checkpoint.container
    if engine in PROGRAMS and "config.dump" in facts.documents and not container.image:
        yield Finding(
            "base-unnamed",
            "may-fail",
            "likely",
            "No base image is named",
            f"{engine} makes the root filesystem from it before it restores.",
            "Put its name into rootfsImageName of config.dump.",
            "config.dump",
        )


def volumes(facts: Facts) -> Iterator[Finding]:
    """podman makes the packed volumes anew and refuses if one is there."""
    packed = [
        name.removeprefix("volumes/").removesuffix(".tar")
        for name in facts.tree.members
        if name.startswith("volumes/") and name.endswith(".tar")
    ]
    if packed:
        yield Finding(
            "rt-podman-volume-exists",
            "advice",
            "certain",
            f"{human_count(len(packed), 'volume')} come with the checkpoint",
            "podman makes them anew and refuses if a volume of the same name is there.",
            "`podman volume rm NAME` before, or `podman container restore --ignore-volumes …`.",
            "volumes",
            some(Evidence(name) for name in packed),
        )


def pod(facts: Facts) -> Iterator[Finding]:
    """A container of a podman pod goes back into a pod."""
    container = facts.checkpoint.container
    if facts.checkpoint.format.engine == "podman" and container.pod:
        yield Finding(
            "rt-podman-pod",
            "advice",
            "certain",
            "The container was in a pod",
            "podman restores it into a pod only, which must share the same namespaces.",
            "`podman pod create …`, then `podman container restore --pod POD …`.",
            "config.dump",
            (Evidence(f"pod {container.pod}"),),
        )


def user_namespace(facts: Facts) -> Iterator[Finding]:
    """A user namespace comes back with the same map of ids."""
    names = facts.images.named("userns-")
    if names:
        yield Finding(
            "userns-map-write",
            "advice",
            "certain",
            "The container has a user namespace of its own",
            "CRIU writes the same map of ids again, which root may do, and no rootless engine.",
            "Restore as root, with the same ranges free.",
            names[0],
            (Evidence(names[0], Ref.image(names[0])),),
        )


def on_host(facts: Facts) -> Iterator[Finding]:
    """The engine is on the host, in a release that restores."""
    engine, host = facts.checkpoint.format.engine, facts.host
    program = PROGRAMS.get(engine)
    if host is None or program is None or not host.runtimes:
        return
    release = host.runtimes.get(program)
    if release is None:
        yield Finding(
            "engine-missing",
            "advice",
            "likely",
            f"{program} is not on the host",
            f"Only {engine} restores this checkpoint as it is; runc and crun restore its images.",
            f"Install {program}, or see the commands for runc.",
        )
    elif engine == "podman" and facts.checkpoint.container.runtime not in ("", *host.runtimes):
        runtime = facts.checkpoint.container.runtime
        yield Finding(
            "rt-other-runtime",
            "may-fail",
            "likely",
            f"The runtime {runtime} was not found on the host",
            "podman restores with the runtime that made the checkpoint; another does not take it.",
            f"Install {runtime}.",
            "config.dump",
        )
    elif program == "containerd" and not facts.checkpoint.format.name.startswith("ctr"):
        yield from _containerd(release)


def _containerd(release: str) -> Iterator[Finding]:
    version = version_tuple(release)
    if version >= REMOVED:
        yield Finding(
            "rt-containerd-restore-removed",
            "fails",
            "likely",
            f"containerd {release} no longer restores a checkpoint given as an image",
            "It was taken out in 2.4.",
            "Restore with containerd 2.1 to 2.3, or the images with runc.",
        )
    elif version >= SWITCHED:
        yield Finding(
            "rt-containerd-restore-switch",
            "advice",
            "likely",
            f"containerd {release} restores a checkpoint given as an image only if told to",
            "It is off since 2.3.",
            f"`{SWITCH}` in the CRI plugin's configuration.",
        )
    elif version and version < SINCE:
        yield Finding(
            "rt-cri-unimplemented",
            "fails",
            "likely",
            f"containerd {release} does not restore a checkpoint given as an image",
            "2.1 is the first that does.",
            "Restore with containerd 2.1 to 2.3, or the images with runc.",
        )
