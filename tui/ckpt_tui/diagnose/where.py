"""Where each engine leaves CRIU's log, and how to get one where it is thrown away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where one engine leaves the log of a restore. Words in capitals are to be filled in."""

    engine: str
    format: str
    """The engine that a checkpoint of its form is said to be of."""
    restore: tuple[str, ...]
    """Paths, that of newer versions first."""
    config: str
    """The CRIU configuration file that is read at the restore, if any."""
    note: str


_RUNC_CONFIG = "/etc/criu/runc.conf"
_SHIM = "/run/containerd/io.containerd.runtime.v2.task"

LOG_PLACES = (
    LogPlace(
        "podman",
        "podman",
        ("GRAPHROOT/overlay-containers/ID/userdata/restore.log",),
        _RUNC_CONFIG,
        "`podman inspect --format '{{.State.RestoreLog}}' NAME` names it. It goes after a success "
        "unless --keep is given; with --import also after a failure, with the container. With crun "
        "the file is /etc/criu/crun.conf, and libcriu must be 4.2; crun 1.21 reads none.",
    ),
    LogPlace(
        "CRI-O",
        "cri-o",
        ("/run/containers/storage/overlay-containers/ID/userdata/restore.log",),
        _RUNC_CONFIG,
        "It goes with the container that failed.",
    ),
    LogPlace(
        "containerd",
        "containerd",
        (f"{_SHIM}/NAMESPACE/ID/work/restore.log",),
        _RUNC_CONFIG,
        "The folder goes with the task; Kubernetes uses the namespace k8s.io.",
    ),
    LogPlace(
        "runc",
        "runc",
        ("WORK_PATH/restore.log", "/run/runc/ID/criu.work/restore.log"),
        _RUNC_CONFIG,
        "`--work-path FOLDER` says where. Newer runc quotes the errors itself.",
    ),
    LogPlace(
        "crun",
        "runc",
        ("WORK_PATH/restore.log", "IMAGE_PATH/restore.log"),
        "/etc/criu/crun.conf",
        "crun later than 1.21 reads it with libcriu 4.2 and later; without it, runc.conf.",
    ),
    LogPlace(
        "Docker",
        "runc",
        (
            f"{_SHIM}/moby/ID/work/restore.log",
            "/var/lib/docker/containers/ID/checkpoints/NAME/criu.work/restore-DATE/restore.log",
        ),
        _RUNC_CONFIG,
        "Docker passes no CRIU options, so all of them go into the configuration.",
    ),
    LogPlace(
        "criu",
        "criu",
        ("the file of -o, below -W or else -D; standard error without it",),
        "",
        "`criu restore -v4 -o restore.log …`: the default verbosity leaves most of it out.",
    ),
    LogPlace(
        "LXC",
        "lxc",
        ("restore.log in the folder of lxc-checkpoint -D", "LXD: logs of the instance"),
        "",
        "`lxc-checkpoint -v` writes more.",
    ),
)

KEEP_LOG = ("log-file /tmp/criu.log", "verbosity 4")
"""Lines to add to `LogPlace.config` so that a whole log survives whatever the engine removes.

The runtimes' files are read after the engine's options and win.
"""


def log_places(engine: str) -> tuple[LogPlace, ...]:
    """Return where the log of a restore may be, of a checkpoint of that engine's form."""
    return tuple(place for place in LOG_PLACES if place.format == engine)
