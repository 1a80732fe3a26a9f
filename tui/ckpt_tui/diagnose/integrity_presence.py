"""Is every image there that a restore must have? After criu/cr-restore.c and criu/image.c."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_count
from ckpt_tui.criu.kinds import INVENTORY_MAGIC
from ckpt_tui.criu.schema import mounts_pb2
from ckpt_tui.criu.values import text
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding

KNOWN_VERSIONS = (1, 2, 3)
"""Image versions: 1.0, 1.1, and 1.1 with compressed pages (development tree of 2026)."""

AGAIN = "Copy the checkpoint again from where it was made, or make another one."

_OF_PROCESS = re.compile(r"(?:core|mm|fs|ids|pagemap)-(\d{1,10})\.img$", re.ASCII)

PER_PROCESS = (
    ("mm", "memory map"),
    ("fs", "working folder and root"),
    ("ids", "namespaces and descriptor table"),
    ("pagemap", "list of its pages"),
)


def inventory(facts: Facts) -> Iterator[Finding]:
    """The inventory is there, of a known version, and says what every restorer asks of it."""
    name = "inventory.img"
    if name not in facts.images:
        yield _broken("img-missing", "There is no inventory", "CRIU reads it first and stops.")
        return
    found = facts.inventory
    if found is None:
        return  # the check of records tells why it cannot be read
    if facts.images.window(name).read(0, 4) == INVENTORY_MAGIC.to_bytes(4, "big"):
        yield Finding(
            "big-endian",
            "advice",
            "certain",
            "The checkpoint is of a big-endian machine",
            "It restores on a machine of the same byte order only.",
            "Restore it on the architecture it was made on.",
            name,
        )
    if found.img_version not in KNOWN_VERSIONS and not facts.is_pre_dump:
        yield _broken(
            "img-version",
            f"Image version {found.img_version} is not one that CRIU has",
            "CRIU refuses images of a version it does not know.",
        )
    if facts.is_pre_dump:
        return
    if not found.fdinfo_per_id:
        yield _broken("img-version", "The descriptor tables are in an old form", "CRIU refuses it.")
    if not found.HasField("root_ids"):
        yield _broken("img-inconsistent", "The inventory has no root_ids", "CRIU refuses it.")
    if found.HasField("root_cg_set") and not found.root_cg_set:
        yield _broken("img-inconsistent", "The inventory has cgroup set 0", "CRIU refuses it.")


def _broken(finding_id: str, title: str, why: str) -> Finding:
    link = Evidence("inventory.img", Ref.image("inventory.img"))
    return Finding(finding_id, "fails", "certain", title, why, AGAIN, "inventory.img", (link,))


def pre_dump(facts: Facts) -> Iterator[Finding]:
    """A pre-dump holds memory only."""
    if facts.is_pre_dump:
        yield Finding(
            "pre-dump",
            "fails",
            "certain",
            "This is a pre-dump: memory without processes",
            "It is the first part of an iterative checkpoint and cannot be restored by itself.",
            "Restore the checkpoint that was made after it, with "
            "`podman container restore --import-previous PRE.tar.zst --import LAST.tar.zst`.",
            "inventory.img",
        )


def process_tree(facts: Facts) -> Iterator[Finding]:
    """There is a process tree with at least one process."""
    if facts.is_pre_dump or facts.encrypted:
        return
    if "pstree.img" not in facts.images:
        yield _missing("pstree.img", "the process tree", ())
    elif not facts.tasks and not _is_damaged(facts, "pstree.img"):
        yield Finding(
            "img-truncated",
            "fails",
            "certain",
            "The process tree is empty",
            "CRIU needs at least one process.",
            AGAIN,
            "pstree.img",
        )


def cores(facts: Facts) -> Iterator[Finding]:
    """Each process and each thread has a core image. The threads of a zombie are garbage."""
    for task in facts.each(facts.tasks):
        threads = () if task.pid in facts.dead else task.threads
        for tid in dict.fromkeys((task.pid, *threads)):
            name = f"core-{tid}.img"
            if name not in facts.images:
                who = "process" if tid == task.pid else f"thread {tid} of process"
                proof = Evidence(f"{who} {task.pid} is in pstree.img", Ref.process(task.pid))
                yield _missing(name, f"the registers of {who} {task.pid}", (proof,))


def process_images(facts: Facts) -> Iterator[Finding]:
    """Each live process has its memory map, file system, ids, page map and descriptor table."""
    for task in facts.each(facts.live):
        if f"core-{task.pid}.img" not in facts.images:
            continue  # whether it is a zombie is not known
        proof = Evidence(f"process {task.pid} is alive", Ref.process(task.pid))
        for kind, what in PER_PROCESS:
            name = f"{kind}-{task.pid}.img"
            if name not in facts.images:
                yield _missing(name, f"the {what} of process {task.pid}", (proof,))
        ids = facts.ids.get(task.pid)
        if ids is not None and f"fdinfo-{ids.files_id}.img" not in facts.images:
            what = f"the descriptors of process {task.pid}"
            yield _unnoticed(f"fdinfo-{ids.files_id}.img", what, (proof,))


def ghosts(facts: Facts) -> Iterator[Finding]:
    """Files that were deleted while open have the list that says of which descriptor each is."""
    found = facts.images.named("ghost-file-")
    if found and "remap-fpath.img" not in facts.images and facts.tasks and not facts.is_pre_dump:
        what = f"which open files the {human_count(len(found), 'deleted file')} are"
        yield _missing("remap-fpath.img", what, some(Evidence(n, Ref.image(n)) for n in found))


def file_table(facts: Facts) -> Iterator[Finding]:
    """files.img is there; before v3.4 the objects lie in one image for each type."""
    if facts.is_pre_dump or not facts.tasks or facts.table.objects:
        return
    if "files.img" not in facts.images and "reg-files.img" not in facts.images:
        users = [Evidence(f"process {t.pid} has files", Ref.process(t.pid)) for t in facts.live]
        yield _missing("files.img", "the table of open and mapped files", some(users))


def namespaces(facts: Facts) -> Iterator[Finding]:
    """A namespace that was dumped has the image that tells what is in it."""
    for namespace in facts.checkpoint.namespaces:
        pattern = {"mnt": "mountpoints-{}.img", "uts": "utsns-{}.img", "ipc": "ipcns-var-{}.img"}
        if not namespace.dumped or namespace.kind not in pattern or facts.inventory is None:
            continue
        name = pattern[namespace.kind].format(namespace.id)
        if name not in facts.images:
            users = some(Evidence(f"process {pid}", Ref.process(pid)) for pid in namespace.pids)
            yield _missing(name, f"the {namespace.kind} namespace {namespace.id}", users)


def tmpfs_content(facts: Facts) -> Iterator[Finding]:
    """A tmpfs of the container has the archive of what was in it, an empty one too.

    A mount that the engine gives has none, nor has one of a file or folder in another. Before v1.3
    the archive had the id of the mount (criu/filesystems.c).
    """
    for image in facts.images.named("mountpoints-"):
        for entry in facts.each(facts.images.messages(image)):
            is_own = not (entry.ext_mount or entry.ext_key) and text(entry.root) == "/"
            if entry.fstype != mounts_pb2.TMPFS or not is_own:
                continue
            name = f"tmpfs-dev-{entry.root_dev}.tar.gz.img"
            if not {name, f"tmpfs-{entry.mnt_id}.tar.gz.img"}.intersection(facts.images.names):
                where = text(entry.mountpoint).removeprefix(".")
                proof = Evidence(f"{where} is a tmpfs of the container", Ref.image(image))
                yield _missing(name, f"what was in {where}", (proof,))


def strangers(facts: Facts) -> Iterator[Finding]:
    """Images of a process belong to one of the tree: CRIU does not look for others."""
    if "pstree.img" not in facts.images or facts.is_pre_dump or not facts.tasks:
        return
    known = {tid for task in facts.tasks for tid in (task.pid, *task.threads)}
    found = [
        n for n in facts.images.names if (m := _OF_PROCESS.match(n)) and int(m[1]) not in known
    ]
    if found:
        yield Finding(
            "img-inconsistent",
            "may-fail",
            "likely",
            f"{found[0]} is of a process that pstree.img does not list",
            "The tree was cut, or files of two dumps are mixed. CRIU would restore without it.",
            AGAIN,
            "pstree.img",
            some(Evidence(name, Ref.image(name)) for name in found),
        )


def _missing(name: str, what: str, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(
        "img-missing",
        "fails",
        "certain",
        f"{name} is missing: {what}",
        "CRIU reads it by its name and takes a missing image for an empty one: the restore stops, "
        "or crashes.",
        AGAIN,
        name,
        evidence,
    )


def _unnoticed(name: str, what: str, evidence: tuple[Evidence, ...]) -> Finding:
    return Finding(
        "img-missing",
        "may-fail",
        "certain",
        f"{name} is missing: {what}",
        "CRIU 4.2 does not notice: it restores, and what was in it is lost.",
        AGAIN,
        name,
        evidence,
    )


def cgroups(facts: Facts) -> Iterator[Finding]:
    """There is a list of cgroups, if any thread was in others than CRIU itself."""
    own = facts.inventory.root_cg_set if facts.inventory else 0
    for tid, core in facts.each(facts.cores.items()):
        if cgroup_set_of(core) not in (0, own) and "cgroup.img" not in facts.images:
            proof = Evidence(f"thread {tid} is in a cgroup", Ref.image(f"core-{tid}.img"))
            yield _unnoticed("cgroup.img", "the cgroups of the processes", (proof,))
            return


def cgroup_set_of(core: Any) -> int:
    """Return the id of the cgroup set that a core image names, 0 for none."""
    thread = core.thread_core
    return int(thread.cg_set if thread.HasField("cg_set") else core.tc.cg_set)


def _is_damaged(facts: Facts, name: str) -> bool:
    image = facts.images.image(name)
    return image is None or bool(image.problem)
