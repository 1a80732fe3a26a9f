"""Where each engine leaves CRIU's log, and how to get one where it is thrown away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where to look for one engine's logs. Paths have placeholders in capitals."""

    engine: str
    dump: tuple[str, ...]
    restore: tuple[str, ...]
    config: str
    """The CRIU configuration file that the engine's runtime lets CRIU read, if any."""
    note: str


_RUNC_CONFIG = "/etc/criu/runc.conf"
_SHIM = "/run/containerd/io.containerd.runtime.v2.task"
_CONTAINERS = "GRAPHROOT/overlay-containers/ID/userdata"

LOG_PLACES = (
    LogPlace(
        engine="podman",
        dump=(f"{_CONTAINERS}/dump.log",),
        restore=(f"{_CONTAINERS}/restore.log",),
        config=_RUNC_CONFIG,
        note="`podman inspect --format '{{.State.CheckpointLog}} {{.State.RestoreLog}}' NAME` "
        "names them. They go after a success unless --keep is given; an exported archive has "
        "none. With crun the file is /etc/criu/crun.conf, and libcriu must be 4.2.",
    ),
    LogPlace(
        engine="cri-o",
        dump=(f"{_CONTAINERS}/dump.log", "dump.log in the checkpoint archive"),
        restore=("/run/containers/storage/overlay-containers/ID/userdata/restore.log",),
        config=_RUNC_CONFIG,
        note="The restore log goes with the container that failed: set log-file and start it "
        "again.",
    ),
    LogPlace(
        engine="containerd",
        dump=(f"{_SHIM}/NAMESPACE/ID/criu-dump.log", "dump.log in the checkpoint archive"),
        restore=(f"{_SHIM}/NAMESPACE/ID/work/restore.log",),
        config=_RUNC_CONFIG,
        note="The folder goes with the task; Kubernetes uses the namespace k8s.io.",
    ),
    LogPlace(
        engine="docker",
        dump=(
            f"{_SHIM}/moby/ID/criu-dump.log",
            "/var/lib/docker/containers/ID/checkpoints/NAME/criu.work/dump.log",
        ),
        restore=(
            f"{_SHIM}/moby/ID/work/restore.log",
            "/var/lib/docker/containers/ID/checkpoints/NAME/criu.work/restore-DATE/restore.log",
        ),
        config=_RUNC_CONFIG,
        note="The second path is that of Docker 17. Docker passes no CRIU options, so all of them "
        "go into the configuration file.",
    ),
    LogPlace(
        engine="kubernetes",
        dump=("/var/lib/kubelet/checkpoints/checkpoint-POD_NAMESPACE-CONTAINER-TIME.tar",),
        restore=("that of CRI-O or containerd on the node of the new pod",),
        config=_RUNC_CONFIG,
        note="The archive holds dump.log. Events show only that the runtime failed.",
    ),
    LogPlace(
        engine="runc",
        dump=("WORK_PATH/dump.log", "IMAGE_PATH/dump.log", "/run/runc/ID/criu.work/dump.log"),
        restore=("WORK_PATH/restore.log", "/run/runc/ID/criu.work/restore.log"),
        config=_RUNC_CONFIG,
        note="`--work-path FOLDER` says where. Newer runc quotes the errors itself.",
    ),
    LogPlace(
        engine="crun",
        dump=("WORK_PATH/dump.log", "IMAGE_PATH/dump.log"),
        restore=("WORK_PATH/restore.log", "IMAGE_PATH/restore.log"),
        config="/etc/criu/crun.conf",
        note="The file is read with libcriu 4.2 and later; where it is absent, runc.conf is.",
    ),
    LogPlace(
        engine="criu",
        dump=("the file of -o, below -W or else -D; standard error without it",),
        restore=("the file of -o, below -W or else -D; standard error without it",),
        config="/etc/criu/default.conf",
        note="`criu restore -v4 -o restore.log …`: the default verbosity leaves most of it out. "
        "A folder of images may hold older logs.",
    ),
    LogPlace(
        engine="lxc",
        dump=("dump.log in the folder of lxc-checkpoint -D", "LXD: logs of the instance"),
        restore=("restore.log in the folder of lxc-checkpoint -D", "LXD: logs of the instance"),
        config="/etc/criu/default.conf",
        note="`lxc-checkpoint -v` writes more.",
    ),
)
"""One row per engine; where paths differ between versions the newer one is first."""


def log_place(engine: str) -> LogPlace | None:
    """Return the row of an engine by its name (`podman`, `CRI-O`, `runc` …), if there is one."""
    wanted = engine.lower().replace("_", "-")
    aliases = {"crio": "cri-o", "moby": "docker", "k8s": "kubernetes", "lxd": "lxc"}
    wanted = aliases.get(wanted, wanted)
    return next((place for place in LOG_PLACES if place.engine == wanted), None)


KEEP_LOG = ("log-file /tmp/criu.log", "verbosity 4")
"""Lines to add to `LogPlace.config` so that a whole log survives whatever the engine removes.

The runtimes' files are read after the engine's options and win; default.conf is read before them
and loses.
"""
