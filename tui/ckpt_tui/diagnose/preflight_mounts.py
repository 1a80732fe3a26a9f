"""Do the mounts of the host allow what CRIU does with the files on them, and are those there that
a container shall get again?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ckpt_tui.checkpoint.memory import VMA_FILE
from ckpt_tui.checkpoint.model import Mount
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.preflight_restore import ENGINE_MOUNTS

VOLUME = "/_data"
"""End of the source of a named volume in podman's store, which podman makes itself."""

MAP_SHARED = 1
PROT_WRITE, PROT_EXEC = 2, 4


def read_only(facts: Facts) -> Iterator[Finding]:
    """Files that were open for writing, or mapped so, are on a mount that takes writes."""
    if facts.files is None or not facts.is_bare:
        return
    written = {
        found.id
        for found in facts.each(facts.of_type("REG"))
        if found.message.flags & os.O_ACCMODE and _is_regular(found.message)
    }
    written |= {
        int(vma.shmid)
        for _, vma in facts.each(facts.regions)
        if vma.status & VMA_FILE and vma.flags & MAP_SHARED and vma.prot & PROT_WRITE
    }
    yield from _refused(
        facts,
        [i for i in written if facts.files.is_read_only(_path(facts, i))],
        "file-open-denied",
        "is on a read-only mount and was open for writing",
        "CRIU opens it as it was, which the kernel refuses.",
        "Mount it read-write, as at the dump.",
    )


def no_execution(facts: Facts) -> Iterator[Finding]:
    """Programs and libraries are on a mount from which they may be run."""
    if facts.files is None or not facts.is_bare:
        return
    mapped = {
        int(vma.shmid)
        for _, vma in facts.each(facts.regions)
        if vma.status & VMA_FILE and vma.prot & PROT_EXEC
    }
    yield from _refused(
        facts,
        [i for i in mapped if facts.files.is_noexec(_path(facts, i))],
        "mem-mapping-failed",
        "is on a mount with noexec and was mapped to be executed",
        "The kernel maps nothing of such a mount as a program.",
        "Mount it without noexec, as at the dump.",
    )


def _is_regular(message: object) -> bool:
    mode = int(getattr(message, "mode", 0))
    return not mode or stat.S_ISREG(mode)


def _path(facts: Facts, file_id: int) -> str:
    return "/" + facts.table.path(file_id).lstrip("/")


def _refused(
    facts: Facts, file_ids: list[int], finding_id: str, what: str, why: str, cure: str
) -> Iterator[Finding]:
    live = [i for i in sorted(file_ids) if i not in facts.table.ghosts and facts.table.path(i)]
    paths = dict.fromkeys(_path(facts, i) for i in live)
    for path in paths:
        evidence = some(facts.file_evidence(i) for i in live if _path(facts, i) == path)
        yield Finding(
            finding_id,
            "fails",
            "certain",
            f"{path} {what}",
            why,
            cure,
            "files.img",
            evidence,
        )


def given_mounts(facts: Facts) -> Iterator[Mount]:
    """Yield the mounts of a container that come from outside and not from its engine."""
    for mount in facts.checkpoint.mounts:
        if mount.external_key.startswith("/") and mount.external_key not in ENGINE_MOUNTS:
            yield mount


def sources(facts: Facts) -> Iterator[Finding]:
    """What podman shall mount from the host is there: it gives a container its old mounts again.
    In a pod of Kubernetes they are those of the new pod."""
    if facts.files is None or facts.checkpoint.format.engine != "podman":
        return
    for mount in given_mounts(facts):
        spec = facts.spec_mounts.get(mount.external_key, {})
        source = spec.get("source")
        if not isinstance(source, str) or spec.get("type") != "bind" or source.endswith(VOLUME):
            continue
        if facts.files.find(source) is None:
            yield Finding(
                "rt-mount-source",
                "fails",
                "certain",
                f"{source} is not on the host, which is to be mounted at {mount.mountpoint}",
                "podman mounts what was mounted before, and stops if it is not there.",
                f"`mkdir -p {source}`, with the files that the container had there.",
                "spec.dump",
                (Evidence(mount.mountpoint, Ref.mount(mount.namespace, mount.id)),),
            )


def unseen_mounts(facts: Facts) -> tuple[str, ...]:
    """Return where a container had files open that come from outside, and are not looked at."""
    given = {mount.id: mount.mountpoint for mount in given_mounts(facts)}
    used = (given.get(found.message.mnt_id) for found in facts.of_type("REG")) if given else ()
    return tuple(dict.fromkeys(place for place in used if place))
