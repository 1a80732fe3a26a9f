"""Does every id lead somewhere? Parents, descriptors, mappings, mounts, remaps, sockets.

Which id points where is in CRIU's images/*.proto and the collect functions of criu/files*.c.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator

from ckpt_tui.checkpoint.filetable import ghost_image
from ckpt_tui.checkpoint.memory import VMA_ANON_SHARED, VMA_FILE, VMA_SOCKET, VMA_SYSVIPC
from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Certainty, Evidence, Finding, Severity
from ckpt_tui.diagnose.integrity_presence import AGAIN, cgroup_set_of


def broken_link(
    where: str,
    title: str,
    evidence: tuple[Evidence, ...],
    severity: Severity = "fails",
    certainty: Certainty = "certain",
    finding_id: str = "img-inconsistent",
) -> Finding:
    """Return the finding that an id in one image leads nowhere."""
    why = "The images contradict each other; CRIU stops, or restores something else."
    return Finding(finding_id, severity, certainty, title, why, AGAIN, where, evidence)


def parents(facts: Facts) -> Iterator[Finding]:
    """Pids are there once, parents come before their children, and there is one root."""
    counts = Counter(task.pid for task in facts.tasks)
    for pid, count in counts.items():
        if count > 1:
            proof = (Evidence(f"process {pid}", Ref.process(pid)),)
            yield broken_link("pstree.img", f"Process {pid} is listed {count} times", proof)
    seen: set[int] = set()
    roots = []
    for task in facts.each(facts.tasks):
        proof = (Evidence(f"process {task.pid}", Ref.process(task.pid)),)
        if task.ppid == 0:
            roots.append(task.pid)
        elif task.ppid not in counts:
            title = f"The parent {task.ppid} of process {task.pid} is not there"
            yield broken_link("pstree.img", title, proof)
        elif task.ppid not in seen:
            title = f"Process {task.pid} comes before its parent {task.ppid}"
            yield broken_link("pstree.img", title, proof)
        seen.add(task.pid)
    if len(roots) > 1:
        listed = some(Evidence(f"process {pid}", Ref.process(pid)) for pid in roots)
        yield broken_link("pstree.img", f"{len(roots)} processes have no parent", listed)


def thread_ids(facts: Facts) -> Iterator[Finding]:
    """No thread id is that of another process or thread."""
    owners: dict[int, int] = {}
    for task in facts.each(facts.live):
        for tid in {task.pid, *task.threads}:
            if owners.setdefault(tid, task.pid) != task.pid:
                title = f"Thread {tid} belongs to processes {owners[tid]} and {task.pid}"
                proof = (Evidence(f"process {task.pid}", Ref.process(task.pid)),)
                yield broken_link("pstree.img", title, proof)


def descriptors(facts: Facts) -> Iterator[Finding]:
    """Each descriptor leads to a file object of the same type."""
    if not facts.table.objects:
        return  # the whole table is missing, which another check tells
    for file in facts.each(facts.checkpoint.files):
        if file.object_id not in facts.table.objects:
            title = f"Descriptor {file.fd} of process {file.pid} leads to no file"
            proof = Evidence(f"file {file.object_id} is not there", Ref.file(file.pid, file.fd))
            yield broken_link("files.img", title, (proof,))


def folders(facts: Facts) -> Iterator[Finding]:
    """Executable, working folder and root of each process are regular file objects."""
    if not facts.table.objects:
        return
    for task in facts.each(facts.live):
        mm, fs = (facts.images.message(f"{kind}-{task.pid}.img") for kind in ("mm", "fs"))
        asked = [("executable", mm.exe_file_id, "mm")] if mm else []
        asked += [("working folder", fs.cwd_id, "fs"), ("root", fs.root_id, "fs")] if fs else []
        for what, file_id, kind in asked:
            found = facts.table.get(file_id)
            if found is None or found.type != "REG":
                title = f"The {what} of process {task.pid} leads to no file"
                proof = Evidence(f"file {file_id}", Ref.process(task.pid))
                yield broken_link(f"{kind}-{task.pid}.img", title, (proof,))


def mappings(facts: Facts) -> Iterator[Finding]:
    """Each mapping of a file or of shared memory leads to it, and mappings do not overlap."""
    ends: dict[int, int] = {}
    told: set[int] = set()
    for pid, vma in facts.each(facts.regions):
        proof = (Evidence(f"{vma.start:#x} of process {pid}", Ref.region(pid, vma.start)),)
        if not vma.start < vma.end:
            yield broken_link(f"mm-{pid}.img", "A mapping ends before it begins", proof)
            continue
        if vma.status & 0x10000:
            continue  # guard areas lie in other mappings and are listed after all
        if vma.start < ends.get(pid, 0) and pid not in told:
            told.add(pid)
            title = "Two mappings overlap or are out of order"
            yield broken_link(f"mm-{pid}.img", title, proof, "may-fail", "likely")
        ends[pid] = max(vma.end, ends.get(pid, 0))
        if (title := _mapping_problem(facts, vma)) and facts.table.objects:
            yield broken_link(f"mm-{pid}.img", title, proof)


def _mapping_problem(facts: Facts, vma: object) -> str:
    """Return what a mapping leads to that is not there; shmid means what the status says."""
    status, shmid = getattr(vma, "status", 0), getattr(vma, "shmid", 0)
    if status & VMA_SYSVIPC:
        return ""  # the segment may be the host's; checked with the IPC namespace
    if status & VMA_FILE or status & VMA_SOCKET:
        found = facts.table.get(shmid)
        if found is None:
            return f"A mapping leads to file {shmid}, which is not there"
        if found.type == "MEMFD":
            inode = facts.table.memfds.get(found.message.inode_id)
            return "" if inode else "A mapping leads to a memfd that memfd.img does not have"
        return ""
    if status & VMA_ANON_SHARED and f"pagemap-shmem-{shmid}.img" not in facts.images:
        return f"A mapping leads to shared memory {shmid}, which was not dumped"
    return ""


def memfds(facts: Facts) -> Iterator[Finding]:
    """Each memfd has its inode, and each inode its page map."""
    for found in facts.each(facts.of_type("MEMFD")):
        inode = facts.table.memfds.get(found.message.inode_id)
        if inode is None:
            title = f"memfd {found.id} has no record in memfd.img"
            yield broken_link("memfd.img", title, (facts.file_evidence(found.id),))
        elif f"pagemap-shmem-{inode.shmid}.img" not in facts.images and inode.size:
            title = f"The contents of {facts.table.path(found.id)} were not dumped"
            evidence = (facts.file_evidence(found.id),)
            name = f"pagemap-shmem-{inode.shmid}.img"
            yield broken_link(name, title, evidence, finding_id="img-missing")


def ipc_segments(facts: Facts) -> Iterator[Finding]:
    """System V segments that say so have their pages in a page map."""
    for name in facts.images.named("ipcns-shm-"):
        for segment in facts.images.messages(name):
            wanted = f"pagemap-shmem-{segment.desc.id}.img"
            if segment.in_pagemaps and wanted not in facts.images:
                title = f"The contents of System V segment {segment.desc.id} are missing"
                proof = (Evidence(name, Ref.image(name)),)
                yield broken_link(wanted, title, proof, finding_id="img-missing")


def mount_parents(facts: Facts) -> Iterator[Finding]:
    """Each mount but the root of its namespace hangs on another mount of it."""
    by_namespace: dict[int, set[int]] = {}
    for mount in facts.checkpoint.mounts:
        by_namespace.setdefault(mount.namespace, set()).add(mount.id)
    for mount in facts.each(facts.checkpoint.mounts):
        if mount.parent_id in by_namespace[mount.namespace] or mount.mountpoint == "/":
            continue
        proof = Evidence(mount.mountpoint, Ref.mount(mount.namespace, mount.id))
        yield broken_link(
            f"mountpoints-{mount.namespace}.img",
            f"The mount at {mount.mountpoint} hangs on mount {mount.parent_id}, which is not there",
            (proof,),
            finding_id="mnt-not-mountable",
        )


def mounts_of_files(facts: Facts) -> Iterator[Finding]:
    """Each file lies on a mount that is there."""
    if not facts.mounts:
        return
    for found in facts.each(facts.table.objects.values()):
        mount = getattr(found.message, "mnt_id", -1)
        if found.type in ("REG", "UNIXSK") and mount not in (-1, 0) and mount not in facts.mounts:
            path = facts.table.path(found.id) or "a socket"
            yield broken_link(
                "files.img",
                f"{path} lies on mount {mount}, which is not there",
                (facts.file_evidence(found.id),),
                severity="may-fail",
                certainty="likely",
                finding_id="file-mount-unknown",
            )


def remaps(facts: Facts) -> Iterator[Finding]:
    """Files whose path was gone have their stand-in: a ghost image, or the id of a linked file."""
    for remap in facts.each(facts.images.messages("remap-fpath.img")):
        kind = facts.table.ghosts.get(remap.orig_id, "")
        if remap.orig_id not in facts.table.objects:
            title = f"A vanished file has the id {remap.orig_id}, which is not there"
            proof = (Evidence("remap-fpath.img", Ref.image("remap-fpath.img")),)
            yield broken_link("remap-fpath.img", title, proof)
            continue
        proof = (facts.file_evidence(remap.orig_id),)
        path = facts.table.path(remap.orig_id)
        ghost = ghost_image(remap.remap_id)
        if kind == "ghost" and ghost not in facts.images:
            title = f"The contents of the deleted file {path} are missing"
            yield broken_link(ghost, title, proof, finding_id="img-missing")
        elif kind == "linked" and remap.remap_id not in facts.table.objects:
            title = f"The link that CRIU left for {path} is not among the files"
            yield broken_link("files.img", title, proof)


def ghost_sizes(facts: Facts) -> Iterator[Finding]:
    """A deleted file has the size that CRIU will compare. Its image says no length of its own."""
    for remap in facts.each(facts.images.messages("remap-fpath.img")):
        name = ghost_image(remap.remap_id)
        found, image = facts.table.get(remap.orig_id), facts.images.image(name)
        if found is None or found.type != "REG" or image is None or not image.entries:
            continue
        ghost = image.entries[0].message
        if not found.message.HasField("size") or ghost is None or getattr(ghost, "chunks", True):
            continue
        expected, actual = found.message.size, image.entries[0].extra[1]
        if stat.S_ISREG(getattr(ghost, "mode", 0)) and expected != actual:
            path = facts.table.path(found.id)
            yield broken_link(
                name,
                f"{actual} bytes of the deleted file {path} are there, {expected} were",
                (facts.file_evidence(found.id),),
                finding_id="file-bad-size",
            )


def cgroup_sets(facts: Facts) -> Iterator[Finding]:
    """Each thread is in a cgroup set that is listed, or in CRIU's own."""
    own = facts.inventory.root_cg_set if facts.inventory else 0
    listed = {s.id for entry in facts.images.messages("cgroup.img") for s in entry.sets}
    for tid, core in facts.each(facts.cores.items()):
        used = cgroup_set_of(core)
        if used and used != own and used not in listed and "cgroup.img" in facts.images:
            yield broken_link(
                "cgroup.img",
                f"Thread {tid} is in cgroup set {used}, which is not there",
                (Evidence(f"core-{tid}.img", Ref.image(f"core-{tid}.img")),),
                # CRIU passes over an empty list
                severity="fails" if listed else "may-fail",
                certainty="likely",
                finding_id="cgroup-controller-missing",
            )


def seccomp_filters(facts: Facts) -> Iterator[Finding]:
    """Each thread with a seccomp filter has it in seccomp.img."""
    filters = facts.images.message("seccomp.img")
    count = len(filters.seccomp_filters) if filters else 0
    for tid, core in facts.each(facts.cores.items()):
        thread = core.thread_core
        if thread.seccomp_mode == 2 and thread.seccomp_filter >= count:
            title = f"The seccomp filter of thread {tid} is missing"
            proof = (Evidence(f"core-{tid}.img", Ref.image(f"core-{tid}.img")),)
            yield broken_link("seccomp.img", title, proof, finding_id="seccomp-restore")


def unix_peers(facts: Facts) -> Iterator[Finding]:
    """The other end of a connected Unix socket is in the checkpoint."""
    inodes = {found.message.ino for found in facts.of_type("UNIXSK")}
    for found in facts.each(facts.of_type("UNIXSK")):
        socket = found.message
        if socket.peer and socket.peer not in inodes:
            yield broken_link(
                "files.img",
                "The other end of a Unix socket is not in the checkpoint",
                (facts.file_evidence(found.id),),
                finding_id="img-inconsistent",
            )


def terminals(facts: Facts) -> Iterator[Finding]:
    """Fifos and terminals lead to the file that has their path, terminals to their settings."""
    infos = {info.id for info in facts.images.messages("tty-info.img")}
    for type_name in ("FIFO", "TTY"):
        for found in facts.each(facts.of_type(type_name)):
            proof = (facts.file_evidence(found.id),)
            regular = found.message.regf_id
            if regular and regular not in facts.table.objects:
                title = f"A {type_name.lower()} has no path: file {regular} is not there"
                yield broken_link("files.img", title, proof)
            if type_name == "TTY" and found.message.tty_info_id not in infos:
                title = "A terminal has no settings in tty-info.img"
                yield broken_link("tty-info.img", title, proof, finding_id="img-missing")


def tcp_streams(facts: Facts) -> Iterator[Finding]:
    """A connected TCP socket has its sequence numbers and queues, unless it was dumped as closed.

    Names of the images carry the inode in hexadecimal (criu/sk-tcp.c).
    """
    if facts.checkpoint.criu.tcp_close:
        return
    for found in facts.each(facts.of_type("INETSK")):
        socket = found.message
        name = f"tcp-stream-{socket.ino:x}.img"
        if socket.proto == 6 and socket.state == 1 and name not in facts.images:
            yield broken_link(
                name,
                "The state of a TCP connection is missing",
                (facts.file_evidence(found.id),),
                finding_id="img-missing",
            )
