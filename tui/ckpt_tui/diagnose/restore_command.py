"""How each engine restores this checkpoint: the commands with the flags it needs, or why not.

What an engine takes is in its own restore code: podman's importCheckpoint, CRI-O's and containerd's
CRImportCheckpoint, and the options of `runc restore` and `crun restore`.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ckpt_tui.archive.tree import MemberKind
from ckpt_tui.checkpoint.places import OWN_MOUNTS
from ckpt_tui.diagnose.decryption import with_key
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.preflight_engine import SWITCH
from ckpt_tui.diagnose.preflight_restore import CRIU_CONFIG
from ckpt_tui.sources.stores import PODMAN_STORE, StoredTarget, locations, stored_target
from ckpt_tui.sources.table import split_reference

FLAGS = {
    "tcp-established-restore": "--tcp-established",
    "file-locks-restore": "--file-locks",
    "unix-external-restore": "--ext-unix-sk",
    "tty-shell-job": "--shell-job",
}
"""Id of a finding to the flag of runc and crun that it asks for."""

CONFIG_LINES = {
    "tcp-established-restore": "tcp-established",
    "tcp-close-option-needed": "tcp-close",
    "unix-external-restore": "ext-unix-sk",
    "mem-uprobes": "allow-uprobes",
}
"""Id of a finding to the line that a CRIU configuration file needs, for engines without a flag."""

PODMAN_FLAGS = ("--tcp-established", "--file-locks")

LOCAL_PREFIX = "localhost/"
"""How podman names what was built here."""

LOCAL_NAME = "localhost/checkpoint:restore"
"""What an image from a layout is called in podman's store."""

COPIED = ("oci:", "oci-archive:", "docker-archive:")
"""Targets that skopeo takes as they are."""

EXPORTED = "checkpoint.tar"
"""What an image of containerd is written to for podman."""

SHOWN_MOUNTS = 5
"""Mounts named in a sentence."""

MASK = "/dev/null"
"""What runtimes mount over a path that a container shall not see; itself on every host."""

MAX_MOUNTS = 30
"""Mounts named in a command for bare criu."""


@dataclass(frozen=True, slots=True)
class EngineRestore:
    """One engine's way. Words in capitals are for the user to fill in."""

    engine: str
    commands: tuple[str, ...]
    """In order; empty where the engine refuses."""
    notes: tuple[str, ...] = ()
    """What must be so before, a sentence each."""
    refusal: str = ""
    """Why the engine does not take it, and what would; one or two sentences."""


def restore_commands(facts: Facts, findings: Sequence[Finding]) -> tuple[EngineRestore, ...]:
    """Return how each engine restores the checkpoint; the engine that made it comes first.

    `findings` are those of `run_checks`: the flags follow from them.
    """
    own = facts.checkpoint.format.engine
    damage = next((f for f in findings if f.topic == "integrity" and f.severity == "fails"), None)
    results = []
    for engine in sorted(ENGINES, key=lambda name: name != own):
        if damage is not None:
            results.append(EngineRestore(engine, (), (), f"It is damaged: {damage.title}."))
        else:
            way = ENGINES[engine](facts, findings)
            commands, notes = with_key(facts, engine, way.commands, way.notes)
            results.append(replace(way, commands=commands, notes=notes))
    return tuple(results)


def _flags(findings: Sequence[Finding]) -> tuple[str, ...]:
    asked = {f.id for f in findings}
    return tuple(flag for finding_id, flag in FLAGS.items() if finding_id in asked)


def _config_notes(findings: Sequence[Finding], covered: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sentence about the lines that the CRIU configuration needs."""
    asked = {f.id for f in findings}
    lines = [
        line
        for finding_id, line in CONFIG_LINES.items()
        if finding_id in asked and FLAGS.get(finding_id) not in covered
    ]
    return (f"{CRIU_CONFIG} needs: {', '.join(lines)}.",) if lines else ()


def _command(*words: str) -> str:
    return " ".join(words)


def _source(facts: Facts) -> str:
    return shlex.quote(facts.checkpoint.source)


def _is_image(facts: Facts) -> bool:
    return facts.checkpoint.format.name.endswith("image")


def _image_name(facts: Facts) -> str:
    """Return the name of an image in a registry or a local store."""
    source = facts.checkpoint.source
    stored = stored_target(source)
    return shlex.quote(stored.name if stored else source.removeprefix("docker://"))


def _podman_program(facts: Facts) -> str:
    """Return how podman is called, for an image in a store that is not its usual one."""
    stored = stored_target(facts.checkpoint.source)
    root = stored.root if stored and stored.store == PODMAN_STORE else ""
    usual = {str(location.root) for location in locations()}
    return "podman" if not root or root in usual else f"podman --root {shlex.quote(root)}"


def _local_image(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """Return the name that an image has in podman's store, and the commands that bring it there."""
    source = facts.checkpoint.source
    if source.startswith("containers-storage:"):
        return _image_name(facts), ()
    if source.startswith("docker://"):
        return _image_name(facts), (_command("podman pull", _image_name(facts)),)
    before: tuple[str, ...] = ()
    if stored := stored_target(source):
        before = (_command(_ctr_program(stored), "images export", EXPORTED, _image_name(facts)),)
        where = f"oci-archive:{EXPORTED}"
    elif source.startswith(COPIED):
        where = source
    else:
        where = f"{facts.transport}:{source}"
    copy = _command("skopeo copy", shlex.quote(where), f"{PODMAN_STORE}:{LOCAL_NAME}")
    return LOCAL_NAME, (*before, copy)


def _ctr_program(stored: StoredTarget | None) -> str:
    """Return how ctr is called, for an image in a namespace that is not its usual one."""
    space = stored.within if stored else ""
    return f"ctr --namespace {shlex.quote(space)}" if space not in ("", "default") else "ctr"


def _other_engine(facts: Facts, engine: str, needs: str) -> EngineRestore | None:
    """Refuse what another engine made: no archive crosses engines."""
    made_by = facts.checkpoint.format.engine
    if made_by == engine:
        return None
    why = f"It was made by {made_by}; {engine} needs {needs}, which only its own checkpoints have."
    return EngineRestore(engine, (), (), why)


def _without_shell_job(engine: str, findings: Sequence[Finding]) -> EngineRestore | None:
    if any(f.id == "tty-shell-job" for f in findings):
        why = f"It needs --shell-job, which {engine} does not offer. Use criu, runc or crun."
        return EngineRestore(engine, (), (), why)
    return None


def _podman(facts: Facts, findings: Sequence[Finding]) -> EngineRestore:
    refused = _other_engine(facts, "podman", "podman's config.dump")
    refused = refused or _without_shell_job("podman", findings)
    if refused:
        return refused
    flags = [flag for flag in _flags(findings) if flag in PODMAN_FLAGS]
    notes = list(_config_notes(findings, flags))
    if facts.checkpoint.container.pod:
        notes.append("It was in a pod: make one and name it with --pod.")
    commands: tuple[str, ...]
    if _is_image(facts):
        name, before = _local_image(facts)
        command = _command(_podman_program(facts), "container restore", *flags, name)
        commands = (*before, command)
    elif facts.checkpoint.format.name.endswith("directory"):
        commands = (
            f"(cd {_source(facts)} && tar -cf - *) >checkpoint.tar",
            _command("podman container restore", *flags, "--import checkpoint.tar"),
        )
    else:
        command = _command("podman container restore", *flags, "--import", _source(facts))
        commands = (command,)
    if image := facts.checkpoint.container.image:
        local = image.startswith(LOCAL_PREFIX)
        where = "which is in no registry" if local else "or pulls it"
        notes.append(f"podman needs {image} in its store, {where}.")
    return EngineRestore("podman", commands, tuple(notes))


def _oci_runtime(engine: str) -> Callable[[Facts, Sequence[Finding]], EngineRestore]:
    def restore(facts: Facts, findings: Sequence[Finding]) -> EngineRestore:
        if facts.images.member_name("descriptors.json") not in facts.tree.members:
            why = f"descriptors.json is not there, without which {engine} does not restore."
            return EngineRestore(engine, (), (), why)
        if why := _unmountable(facts):
            return EngineRestore(engine, (), (), why)
        flags = _flags(findings)
        folder, commands = _unpacked(facts)
        command = _command(
            f"{engine} restore --detach --bundle BUNDLE",
            f"--image-path {folder}",
            "--work-path /tmp",
            *flags,
            "NAME",
        )
        root = "the base image with the changes over it"
        if facts.checkpoint.format.optimized:
            root = "the rootfs image of the pair, mounted"
        bundle = (
            "BUNDLE is a folder with config.json, which is spec.dump with its own root.path, and "
            f"the root filesystem: {root}."
        )
        notes = (bundle, *_bind_mounts(facts), *_config_notes(findings, flags))
        return EngineRestore(engine, (*commands, command), notes)

    return restore


def _bind_mounts(facts: Facts) -> tuple[str, ...]:
    """Return the sentence about files of the engine that the spec mounts, which went with it."""
    found = [where for where, mount in facts.spec_mounts.items() if mount.get("type") == "bind"]
    listed = ", ".join(found[:SHOWN_MOUNTS]) + (", …" if len(found) > SHOWN_MOUNTS else "")
    return (f"In config.json the sources of {listed} must be there again.",) if found else ()


def _unmountable(facts: Facts) -> str:
    """Return why no tool gets at the CRIU images of an image; empty if one does."""
    if not (_is_image(facts) and facts.checkpoint.format.name.startswith("ctr")):
        return ""
    source = shlex.quote(facts.checkpoint.source)
    return (
        "It is an index of blobs, which nothing mounts or unpacks. Convert it first: "
        f"`ckpt-tui convert {source}`."
    )


def _unpacked(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """Return the folder of the CRIU images, and the commands that make it."""
    images = facts.images.member_name("").rstrip("/")
    name = facts.checkpoint.format.name
    if name.endswith("directory"):
        folder = os.path.abspath(facts.checkpoint.source.removeprefix("dir:"))
        return shlex.quote(f"{folder}/{images}".rstrip("/")), ()
    if _is_image(facts):
        local, before = _local_image(facts)
        mount = f"folder=$({_podman_program(facts)} image mount {local})"
        return f'"$folder"/{images}', (*before, mount)
    return f'"$PWD"/unpacked/{images}', (  # runc and crun go into the bundle
        "mkdir unpacked",
        _command("tar -C unpacked -xf", _source(facts)),
    )


def _cri(
    engine: str, needs: str, refuse: Callable[[Facts], str], notes: tuple[str, ...]
) -> Callable[[Facts, Sequence[Finding]], EngineRestore]:
    """Return the way of an engine behind Kubernetes: a container whose image is the checkpoint."""

    def restore(facts: Facts, findings: Sequence[Finding]) -> EngineRestore:
        refused = _other_engine(facts, engine, needs) or _without_shell_job(engine, findings)
        if refused:
            return refused
        if why := refuse(facts):
            return EngineRestore(engine, (), (), why)
        if facts.checkpoint.format.name.startswith("ctr"):
            way = _ctr(facts)
            return replace(way, notes=(*way.notes, *_config_notes(findings)))
        image = _image_name(facts) if _is_image(facts) else _source(facts)
        base = facts.checkpoint.container.image
        pull = (_command("crictl pull", shlex.quote(base)),) if base else ()
        made = ("crictl runp pod.json", "crictl create POD_ID container.json pod.json")
        commands = (*pull, *made, "crictl start ID")
        said = (
            f"container.json names {image} as its image; in a pod: `image: {image}`.",
            *(_mounts(findings)),
            *_config_notes(findings),
        )
        return EngineRestore(engine, commands, (*said, *notes))

    return restore


def _ctr(facts: Facts) -> EngineRestore:
    """Return how `ctr` restores its own image, which must be in containerd's store.

    It is not unpacked, as `ctr images pull` would: its layer is none of an image by itself.
    """
    source = facts.checkpoint.source
    image = facts.checkpoint.container.image
    base = (f"containerd needs {image} in its store, or pulls it.",) if image else ()
    stored = stored_target(source)
    restore = f"{_ctr_program(stored)} containers restore --rw --live NEW_ID"
    name = _image_name(facts)
    if stored or source.startswith("docker://"):
        fetch = () if stored else (f"ctr content fetch {name}",)
        return EngineRestore("containerd", (*fetch, _command(restore, name)), base)
    path, _name = split_reference(source.removeprefix("oci-archive:").removeprefix("oci:"))
    quoted = shlex.quote(path)
    packed = quoted if os.path.isfile(path) else "-"
    load = f"ctr images import --no-unpack {packed}"
    if packed == "-":
        load = f"tar -C {quoted} -cf - . | {load}"
    notes = ("REF is the name of the checkpoint in `ctr images ls`.", *base)
    return EngineRestore("containerd", (load, f"{restore} REF"), notes)


def _mounts(findings: Sequence[Finding]) -> tuple[str, ...]:
    found = next((f for f in findings if f.id == "mnt-source-missing"), None)
    if found is None:
        return ()
    listed = ", ".join(e.text.partition(" from ")[0] for e in found.evidence)
    return (f"The request must have the mounts of the dump: {listed}.",)


def _containerd_refusal(facts: Facts) -> str:
    kinds = (MemberKind.FILE, MemberKind.DIRECTORY)
    odd = next((m.name for m in facts.tree.members.values() if m.kind not in kinds), None)
    if odd is not None:
        return f"containerd takes regular files and folders only; {odd} is neither."
    checkpoint = facts.checkpoint
    if not _is_image(facts) and checkpoint.format.compression not in ("plain", ""):
        return (
            f"containerd reads a plain tar only, and this is {checkpoint.format.compression}. "
            "Unpack the compression first."
        )
    return ""


def _criu(facts: Facts, findings: Sequence[Finding]) -> EngineRestore:
    """The bare tool: for what no engine made, and to try a restore by hand."""
    if why := _unmountable(facts):
        return EngineRestore("criu", (), (), why)
    folder, commands = _unpacked(facts)
    flags = list(_flags(findings))
    asked = {f.id for f in findings}
    flags += [
        f"--{line}"
        for finding_id, line in CONFIG_LINES.items()
        if finding_id in asked and finding_id not in FLAGS
    ]
    flags += ["--lazy-pages"] if "lazy-pages" in asked else []
    keys = {m.external_key for m in facts.checkpoint.mounts}
    external = sorted(key for key in keys if key and not key.startswith(OWN_MOUNTS))
    sources = ((key, key if key == MASK else "SOURCE") for key in external[:MAX_MOUNTS])
    given = [f"--external {shlex.quote(f'mnt[{key}]:{source}')}" for key, source in sources]
    root = ["--root ROOTFS"] if facts.checkpoint.mounts else []
    command = _command(f"criu restore --images-dir {folder} --work-dir /tmp", *root, *flags, *given)
    notes = (
        "SOURCE is what shall be mounted there, ROOTFS the root filesystem: a mount point, with a "
        "file or folder for each of these mounts.",
        "No engine will know of the container.",
    )
    return EngineRestore("criu", (*commands, command), notes)


ENGINES: dict[str, Callable[[Facts, Sequence[Finding]], EngineRestore]] = {
    "podman": _podman,
    "runc": _oci_runtime("runc"),
    "crun": _oci_runtime("crun"),
    "cri-o": _cri(
        "cri-o",
        "the annotations of CRI-O in spec.dump",
        lambda _facts: "",
        ("CRI-O does not pull the base image itself.",),
    ),
    "containerd": _cri(
        "containerd",
        "status.dump",
        _containerd_refusal,
        (
            "containerd 2.1 to 2.3 restore it, from 2.2.7 and 2.3.4 on only with "
            f"`{SWITCH}` in the CRI plugin's configuration; 2.4 no longer does.",
        ),
    ),
    "criu": _criu,
}
"""Every engine, and how it is told to restore."""
