"""Processes and threads from pstree.img, core-*.img, ids-*.img, fs-*.img and mm-*.img.

How the images hang together is in CRIU's images/*.proto and criu/pstree.c; the state of a task is
core.tc.task_state: 1 alive, 2 dead (a zombie), 3 stopped (criu/include/pstree.h).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ckpt_tui.checkpoint.filetable import FileTable
from ckpt_tui.checkpoint.image_directory import ImageDirectory
from ckpt_tui.checkpoint.model import Credentials, Note, Process, Thread
from ckpt_tui.checkpoint.seccomp import filters_of, seccomp_mode
from ckpt_tui.core.progress import Progress
from ckpt_tui.core.text import listed
from ckpt_tui.criu.blocked import blocked_in
from ckpt_tui.criu.values import (
    Host,
    auxiliary_vector,
    capability_names,
    describe,
    limit_name,
    sigaction_signal,
    signal_name,
    signal_names,
    task_state,
    text,
    value_name,
)

DEAD = 2
"""task_state of a zombie."""

CAPABILITY_SETS = {
    "effective": "cap_eff",
    "permitted": "cap_prm",
    "inheritable": "cap_inh",
    "bounding": "cap_bnd",
    "ambient": "cap_amb",
}

NAMESPACE_FIELDS = {
    "mnt": "mnt_ns_id",
    "net": "net_ns_id",
    "pid": "pid_ns_id",
    "ipc": "ipc_ns_id",
    "uts": "uts_ns_id",
    "user": "user_ns_id",
    "cgroup": "cgroup_ns_id",
    "time": "time_ns_id",
}

UNNAMED = "not read yet"
"""State of a process of which only the place in the tree was read."""

UNLIMITED = (1 << 64) - 1


def build_processes(
    images: ImageDirectory,
    table: FileTable,
    notes: list[Note],
    progress: Progress,
    named: int | None = None,
) -> tuple[Process, ...]:
    """Return the processes in the order of pstree.img; argv and env are filled in later. Of those
    beyond the first `named` only their place in the tree is told, and the state is `UNNAMED`."""
    image = images.image("pstree.img")
    offsets = [e.offset for e in image.entries if e.message is not None] if image else []
    entries = images.messages("pstree.img")
    progress.start("reading processes")
    processes: list[Process] = []
    pids, seen = {entry.pid for entry in entries}, set[int]()
    for entry, offset in zip(entries, offsets, strict=True):
        progress.tick(0)
        if entry.pid in seen:
            again = f"Process {entry.pid} is listed again at byte {offset:,}; kept the first."
            notes.append(Note("pstree.img", again))
            continue
        seen.add(entry.pid)
        if entry.ppid and (entry.ppid not in seen or entry.ppid == entry.pid):
            notes.append(Note("pstree.img", _misplaced(entry, offset, pids)))
        if named is not None and len(processes) >= named:
            unnamed = Process(entry.pid, entry.ppid, entry.pgid, entry.sid, UNNAMED, "…")
            processes.append(unnamed)
            continue
        processes.append(_process(images, table, entry, notes))
    return tuple(processes)


def _misplaced(entry: Any, offset: int, pids: Collection[int]) -> str:
    """Say what is wrong with the parent of a process: CRIU writes each after its own, so that no
    two can descend from each other."""
    if entry.ppid == entry.pid:
        what = "is its own parent"
    elif entry.ppid in pids:
        what = f"comes before its parent {entry.ppid}"
    else:
        what = f"has a parent, {entry.ppid}, that is not there"
    return f"Process {entry.pid} at byte {offset:,} {what}."


def _process(images: ImageDirectory, table: FileTable, entry: Any, notes: list[Note]) -> Process:
    core = images.message(f"core-{entry.pid}.img")
    if core is None:
        notes.append(Note(f"core-{entry.pid}.img", f"Process {entry.pid} has no core image."))
        return Process(entry.pid, entry.ppid, entry.pgid, entry.sid, "unknown", "?")
    task = core.tc
    alive = task_state(task.task_state) != "zombie"
    arch = images.host.arch
    mm = images.message(f"mm-{entry.pid}.img") if alive else None
    fs = images.message(f"fs-{entry.pid}.img") if alive else None
    ids = images.message(f"ids-{entry.pid}.img") if alive else None
    if alive and mm is None:
        notes.append(Note(f"mm-{entry.pid}.img", f"Process {entry.pid} has no memory map."))
    return Process(
        pid=entry.pid,
        ppid=entry.ppid,
        pgid=entry.pgid,
        sid=entry.sid,
        state=task_state(task.task_state),
        comm=text(task.comm),
        exit_code=None if alive else task.exit_code,
        stop_signal=signal_name(task.stop_signo, arch) if task.HasField("stop_signo") else "",
        exe=table.path(mm.exe_file_id) if mm else "",
        exe_deleted=mm is not None and mm.exe_file_id in table.ghosts,
        cwd=table.path(fs.cwd_id) if fs else "",
        root=table.path(fs.root_id) if fs else "",
        personality=describe("personality", task.personality) if task.personality else "",
        umask=fs.umask if fs and fs.HasField("umask") else None,
        credentials=_credentials(images, entry.pid, core) if alive else None,
        threads=tuple(_threads(images, table, entry, core, ids, notes)) if alive else (),
        limits=_limits(images, entry.pid, task),
        handlers=_handlers(images, entry.pid, task),
        timers=tuple(_timers(task, arch)),
        namespaces=_namespaces(ids),
        cgroup_set=_cgroup_set(core),
        oom_score_adj=task.oom_score_adj if task.HasField("oom_score_adj") else None,
        files_id=ids.files_id if ids else None,
        auxv=auxiliary_vector(mm.mm_saved_auxv) if mm else {},
    )


def _threads(
    images: ImageDirectory, table: FileTable, entry: Any, leader: Any, ids: Any, notes: list[Note]
) -> Iterator[Thread]:
    """Yield the threads, leader first. Never called for a zombie: its thread list is garbage."""
    descriptors = _Descriptors(images, table, ids.files_id if ids is not None else None)
    filters, arch = images.message("seccomp.img"), images.host.arch
    missing = []
    for tid in dict.fromkeys((entry.pid, *entry.threads)):
        core = leader if tid == entry.pid else images.message(f"core-{tid}.img")
        if core is None:
            missing.append(tid)
            yield Thread(tid, "?")
            continue
        thread = core.thread_core
        mask = leader.tc.blk_sigset if tid == entry.pid else thread.blk_sigset
        pending = [*thread.signals_p.signals]
        if tid == entry.pid:
            pending += core.tc.signals_s.signals
        yield Thread(
            tid=tid,
            comm=text(thread.comm) or (text(leader.tc.comm) if tid == entry.pid else ""),
            registers=registers(core),
            blocked_in=call.text(descriptors.name) if (call := blocked_in(core)) else "",
            seccomp=seccomp_mode(core),
            seccomp_filters=filters_of(core, filters),
            scheduler=value_name("sched.policy", thread.sched_policy),
            nice=thread.sched_nice,
            blocked_signals=signal_names(mask, arch),
            pending_signals=tuple(_pending(p, images.host) for p in pending),
        )
    if missing:
        some = listed(map(str, missing), NAMED)
        notes.append(
            Note("pstree.img", f"Threads of process {entry.pid} have no core image: {some}.")
        )


NAMED = 8
"""Threads listed in a note; more are counted."""


class _Descriptors:
    """What the descriptors of a process are; looked up only if some thread waits for one."""

    def __init__(self, images: ImageDirectory, table: FileTable, files_id: int | None) -> None:
        self._images = images
        self._table = table
        self._files_id = files_id
        self._ids: dict[int, int] | None = None

    def name(self, fd: int) -> str:
        """Return the path of what a descriptor leads to, or the type; "" for none."""
        if not self._table.objects:
            return ""
        if self._ids is None:
            infos = self._images.messages(f"fdinfo-{self._files_id}.img")
            self._ids = {info.fd: info.id for info in infos}
        found = self._table.get(self._ids.get(fd, 0))
        return self._table.path(found.id) or found.type.lower() if found else ""


def registers(core: Any) -> dict[str, int]:
    """Return the general registers of a core image under CRIU's names, x0…x30 on aarch64."""
    for name in ("thread_info", "ti_arm", "ti_aarch64", "ti_ppc64", "ti_s390", "ti_mips"):
        if core.HasField(name):
            break
    else:
        name = next((n for n in ("ti_loongarch64", "ti_riscv64") if core.HasField(n)), "")
    if not name:
        return {}
    values: dict[str, int] = {}
    for field, value in getattr(core, name).gpregs.ListFields():
        if isinstance(value, int):
            values[field.name] = value
        elif not isinstance(value, str | bytes):
            letter = "x" if name == "ti_aarch64" else field.name
            values.update({f"{letter}{i}": v for i, v in enumerate(value)})
    return values


def _pending(siginfo: Any, host: Host) -> str:
    raw = siginfo.siginfo[:4]
    if len(raw) < 4:
        return "?"
    return signal_name(int.from_bytes(raw, host.byte_order), host.arch)


def _credentials(images: ImageDirectory, pid: int, core: Any) -> Credentials | None:
    creds = (
        core.thread_core.creds
        if core.thread_core.HasField("creds")
        else images.message(f"creds-{pid}.img")
    )
    if creds is None:
        return None
    return Credentials(
        uid=creds.uid,
        gid=creds.gid,
        euid=creds.euid,
        egid=creds.egid,
        groups=tuple(creds.groups),
        capabilities={
            name: capability_names(getattr(creds, field)) for name, field in CAPABILITY_SETS.items()
        },
        no_new_privs=bool(creds.no_new_privs),
        lsm_profile=text(creds.lsm_profile),
    )


def _limits(
    images: ImageDirectory, pid: int, task: Any
) -> Mapping[str, tuple[int | None, int | None]]:
    limits = task.rlimits.rlimits or images.messages(f"rlimit-{pid}.img")
    return {
        limit_name(index, images.host.arch): (
            None if limit.cur == UNLIMITED else limit.cur,
            None if limit.max == UNLIMITED else limit.max,
        )
        for index, limit in enumerate(limits)
    }


def _handlers(images: ImageDirectory, pid: int, task: Any) -> dict[str, str]:
    """Return what the process does with signals, where that is not the default."""
    actions = task.sigactions or images.messages(f"sigacts-{pid}.img")
    handlers = {}
    for index, action in enumerate(actions):
        if action.sigaction:
            what = "ignore" if action.sigaction == 1 else f"{action.sigaction:#x}"
            handlers[signal_name(sigaction_signal(index), images.host.arch)] = what
    return handlers


def _timers(task: Any, arch: str) -> Iterator[str]:
    for name in ("real", "virt", "prof"):
        timer = getattr(task.timers, name)
        if timer.isec or timer.iusec or timer.vsec or timer.vusec:
            yield (
                f"{name}: in {timer.vsec + timer.vusec / 1e6:g} s, "
                f"then every {timer.isec + timer.iusec / 1e6:g} s"
            )
    for timer in task.timers.posix:
        yield (
            f"posix {timer.it_id}: {value_name('timer.clock_id', timer.clock_id)}, "
            f"{signal_name(timer.si_signo, arch)} in {timer.vsec + timer.vnsec / 1e9:g} s, "
            f"then every {timer.isec + timer.insec / 1e9:g} s"
        )


def _namespaces(ids: Any) -> dict[str, int]:
    if ids is None:
        return {}
    return {
        kind: getattr(ids, field) for kind, field in NAMESPACE_FIELDS.items() if ids.HasField(field)
    }


def _cgroup_set(core: Any) -> int | None:
    if core.thread_core.HasField("cg_set"):
        return int(core.thread_core.cg_set)
    return int(core.tc.cg_set) if core.tc.HasField("cg_set") else None
