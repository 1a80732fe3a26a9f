"""One thing of a checkpoint in words: a process, a file, a socket, a region, a mount, an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ckpt_tui.checkpoint.index import index_of
from ckpt_tui.checkpoint.links import part_of
from ckpt_tui.checkpoint.model import (
    Checkpoint,
    DeltaEntry,
    Mount,
    OpenFile,
    Process,
    Region,
    SeccompFilter,
    Socket,
    Thread,
)
from ckpt_tui.checkpoint.ref import Kind, Ref
from ckpt_tui.core.masks import covered, masked, masked_arguments
from ckpt_tui.core.styled import styled
from ckpt_tui.core.text import human_bytes, human_count, printable, shortened
from ckpt_tui.views.facts import Fact, Section, and_more
from ckpt_tui.views.isolation import cgroup_sections, namespace_sections
from ckpt_tui.views.processes import SHOWN_COMMAND, command_line, exit_text, written

SHOWN_FILES = 200
"""Descriptors of one process listed beside it; the tab Files has all."""


IN_FILES = ", in the tab Files"


def process_sections(checkpoint: Checkpoint, process: Process, reveal: bool) -> list[Section]:
    """Return one process: who it is, what it was doing, arguments, environment, files, limits."""
    return [
        Section("", list(_identity(checkpoint, process, reveal))),
        Section("Arguments", list(_arguments(process.argv or (), reveal))),
        Section(
            "Environment",
            [Fact("", covered(printable(v), reveal)) for v in process.env or ()],
        ),
        Section("Threads", [_thread(t) for t in process.threads]),
        Section("Files", list(_files(checkpoint, process.pid))),
        Section("Memory", list(_memory(checkpoint, process.pid))),
        Section("Credentials", list(_credentials(process))),
        Section("Seccomp", list(_seccomp(checkpoint, process))),
        Section("Signals", list(_signals(process))),
        Section("Timers", [Fact("", t) for t in process.timers]),
        Section("Limits", [Fact(n, _limit(*v)) for n, v in process.limits.items()]),
        Section("Auxiliary vector", [Fact(n, _auxiliary(n, v)) for n, v in process.auxv.items()]),
        *_registers(process),
    ]


def _arguments(argv: Sequence[bytes], reveal: bool) -> Iterator[Fact]:
    shown = written(argv)
    for text in masked_arguments([printable(argument) for argument in shown], reveal):
        yield Fact("", text or "(empty)")
    if rest := len(argv) - len(shown):
        yield Fact(
            "", styled((f"{rest} empty ones: the process wrote over its arguments", "muted"))
        )


def _identity(checkpoint: Checkpoint, process: Process, reveal: bool) -> Iterator[Fact]:
    yield Fact("command", shortened(command_line(process, reveal), SHOWN_COMMAND))
    parent = index_of(checkpoint).process.get(process.ppid)
    yield Fact("parent", f"{process.ppid} {printable(parent.comm)}" if parent else "none here")
    yield Fact("group, session", f"{process.pgid}, {process.sid}")
    if process.state == "zombie":
        yield Fact("state", f"zombie, {exit_text(process.exit_code)}")
        return
    yield Fact("state", " ".join(filter(None, (process.state, process.stop_signal))))
    if process.threads and process.threads[0].blocked_in:
        yield Fact("blocked in", printable(process.threads[0].blocked_in))
    yield Fact("executable", printable(process.exe) + (" (deleted)" if process.exe_deleted else ""))
    yield Fact("directory", printable(process.cwd))
    if process.root not in ("", "/"):
        yield Fact("root", printable(process.root))
    if process.personality:
        yield Fact("personality", process.personality)
    if process.umask is not None:
        yield Fact("umask", f"{process.umask:04o}")
    if who := process.credentials:
        yield Fact("user, group", f"{who.uid}, {who.gid}")
    if process.argv is None:
        yield Fact("arguments", "not readable: the pages that held them are missing or damaged")


def _thread(thread: Thread) -> Fact:
    words = [printable(thread.comm)]
    if thread.blocked_in:
        words.append(f"in {printable(thread.blocked_in)}")
    if thread.scheduler and thread.scheduler not in ("OTHER", "NORMAL"):
        words.append(thread.scheduler)
    if thread.nice:
        words.append(f"nice {thread.nice}")
    if thread.seccomp:
        words.append(f"seccomp {thread.seccomp}")
    return Fact(str(thread.tid), "  ".join(filter(None, words)))


def _files(checkpoint: Checkpoint, pid: int) -> Iterator[Fact]:
    files = index_of(checkpoint).files.of(pid)
    for file in files[:SHOWN_FILES]:
        yield Fact(str(file.fd), file_text(file), link=Ref.file(file.pid, file.fd))
    yield from and_more(len(files) - SHOWN_FILES, IN_FILES)


def file_text(file: OpenFile) -> str:
    """Return a descriptor in one line: kind and target, and whether the path is gone."""
    target = printable(file.target)
    named = file.kind in ("regular", "directory", "device") or target.startswith(file.kind)
    words = target if named else f"{file.kind} {target}"
    return words.strip() + (" (deleted)" if file.deleted else "")


def _memory(checkpoint: Checkpoint, pid: int) -> Iterator[Fact]:
    memory = index_of(checkpoint).memory.get(pid)
    if memory is None:
        return
    yield Fact("dumped", human_bytes(memory.dumped_bytes))
    yield Fact("virtual", f"{human_bytes(memory.virtual_bytes)} in {len(memory.regions)} regions")
    if memory.shared_bytes:
        yield Fact("shared", human_bytes(memory.shared_bytes))
    if memory.parent_bytes:
        yield Fact("in the dump before", human_bytes(memory.parent_bytes))


def _credentials(process: Process) -> Iterator[Fact]:
    who = process.credentials
    if who is None:
        return
    yield Fact("effective", f"user {who.euid}, group {who.egid}")
    if who.groups:
        yield Fact("groups", " ".join(map(str, who.groups)))
    for name, capabilities in who.capabilities.items():
        if capabilities:
            short = " ".join(c.removeprefix("CAP_").lower() for c in capabilities)
            yield Fact(name, short)
    if who.no_new_privs:
        yield Fact("no new privileges", "set")
    if who.lsm_profile:
        yield Fact("label", printable(who.lsm_profile))


SHOWN_CALLS = 60
"""System calls named for one action of a filter; of more only the number is told."""


def _seccomp(checkpoint: Checkpoint, process: Process) -> Iterator[Fact]:
    """Yield what the filters of the main thread say to system calls."""
    main = process.threads[0] if process.threads else None
    if main is None or not main.seccomp:
        return
    if main.seccomp == "strict":
        yield Fact("mode", "strict: read, write, exit and sigreturn only")
        return
    found = [f for f in checkpoint.seccomp if set(f.numbers) & set(main.seccomp_filters)]
    if not found:
        yield Fact("mode", "filter, which is missing from seccomp.img")
    for one in found:
        number = next(n for n in one.numbers if n in main.seccomp_filters)
        yield Fact("filter", f"number {number} of seccomp.img")
        yield from filter_facts(one)


def filter_facts(one: SeccompFilter) -> Iterator[Fact]:
    """Yield what a filter says to system calls; where it lets most pass, how many."""
    flags = "".join(f", {flag}" for flag in one.flags)
    yield Fact("size", f"{human_count(one.instructions, 'instruction')}{flags}")
    for action, calls in one.verdicts.items():
        many = len(calls) > SHOWN_CALLS
        yield Fact(action, human_count(len(calls), "system call") if many else " ".join(calls))


def _signals(process: Process) -> Iterator[Fact]:
    ignored = [s for s, what in process.handlers.items() if what == "ignore"]
    handled = [s for s, what in process.handlers.items() if what != "ignore"]
    leader = process.threads[0] if process.threads else None
    for label, names in (
        ("handled", handled),
        ("ignored", ignored),
        ("blocked", leader.blocked_signals if leader else ()),
        ("pending", leader.pending_signals if leader else ()),
    ):
        if names:
            yield Fact(label, " ".join(n.removeprefix("SIG") for n in names))


def _limit(soft: int | None, hard: int | None) -> str:
    shown = ["unlimited" if v is None else f"{v:,}" for v in (soft, hard)]
    return shown[0] if soft == hard else " / ".join(shown)


PLAIN_AUXILIARY = (
    *("AT_PHENT", "AT_PHNUM", "AT_PAGESZ", "AT_UID", "AT_EUID", "AT_GID", "AT_EGID", "AT_CLKTCK"),
    *("AT_SECURE", "AT_MINSIGSTKSZ", "AT_RSEQ_FEATURE_SIZE", "AT_RSEQ_ALIGN", "AT_EXECFD"),
)
"""Numbers that people know in decimal; the others are addresses and bits."""


def _auxiliary(name: str, value: int) -> str:
    return f"{value:,}" if name in PLAIN_AUXILIARY else f"{value:#x}"


SHOWN_THREADS = 32
"""Threads whose registers are listed; the core image of each has them."""


def _registers(process: Process) -> Iterator[Section]:
    """Yield the registers of each thread, the leader's first."""
    for thread in process.threads[:SHOWN_THREADS]:
        title = "Registers" if thread.tid == process.pid else f"Registers of thread {thread.tid}"
        yield Section(title, [Fact(n, f"{v:#x}") for n, v in thread.registers.items()])


def file_sections(checkpoint: Checkpoint, file: OpenFile, _: bool) -> list[Section]:
    """Return one descriptor with everyone who holds the same open file."""
    mount = index_of(checkpoint).mount_of(file)
    facts = [
        Fact("kind", file.kind + (", path deleted" if file.deleted else "")),
        Fact("target", printable(file.target)),
        Fact("flags", " | ".join(file.flags) + (" | O_CLOEXEC" if file.close_on_exec else "")),
    ]
    if file.position is not None:
        facts.append(Fact("position", f"{file.position:,}"))
    if file.size is not None:
        facts.append(Fact("size at the dump", f"{human_bytes(file.size)} ({file.size:,})"))
    if file.mode is not None:
        facts.append(Fact("mode at the dump", f"{file.mode & 0o7777:04o}"))
    if mount:
        facts.append(Fact("mount", f"{printable(mount.mountpoint)} ({printable(mount.fstype)})"))
    facts.append(Fact("id", str(file.object_id)))
    return [
        Section("", facts),
        Section(
            "Also held by",
            [Fact(str(p), f"fd {f}", link=Ref.file(p, f)) for p, f in file.shared_with]
            + and_more(file.sharers - len(file.shared_with), IN_FILES),
            empty="no other process in this checkpoint",
        ),
    ]


def socket_sections(_: Checkpoint, socket: Socket, _reveal: bool) -> list[Section]:
    """Return one socket."""
    return [
        Section("", list(_socket(socket))),
        Section("Options", [Fact(n, printable(v)) for n, v in socket.options.items()]),
    ]


def _socket(socket: Socket) -> Iterator[Fact]:
    yield Fact("family", socket.family)
    yield Fact("type", f"{socket.type} {printable(socket.protocol)}".strip())
    yield Fact("state", socket.state or "–")
    yield Fact("local", printable(socket.local) or "(unnamed)")
    if socket.remote:
        yield Fact("remote", printable(socket.remote))
    if socket.peer:
        yield Fact("other end", "process {} fd {}".format(*socket.peer))
    yield Fact("in its queues", human_bytes(socket.queued))
    yield Fact("inode", str(socket.inode))


def region_sections(_: Checkpoint, region: Region, _reveal: bool) -> list[Section]:
    """Return one memory region."""
    return [Section("", list(_region(region)))]


def _region(region: Region) -> Iterator[Fact]:
    span = region.end - region.start
    yield Fact("addresses", f"{region.start:#x} – {region.end:#x}")
    yield Fact("kind", f"{region.kind}, {region.protection}")
    yield Fact("span", f"{human_bytes(span)} ({span:,})")
    yield Fact("dumped", f"{human_bytes(region.dumped)} ({region.dumped:,})")
    if region.parent:
        yield Fact("in the dump before", human_bytes(region.parent))
    if region.lazy:
        yield Fact("left to lazy pages", human_bytes(region.lazy))
    if region.path:
        yield Fact("backed by", f"{printable(region.path)} from byte {region.offset:,}")
    if region.shared_id:
        yield Fact("shared object", f"pagemap-shmem-{region.shared_id}.img")
    yield Fact("flags", " | ".join(region.flags))


def mount_sections(checkpoint: Checkpoint, mount: Mount, reveal: bool) -> list[Section]:
    """Return one mount with the files open on it."""
    users = index_of(checkpoint).on_mount.get(mount.id, [])
    facts = [
        Fact("mount point", printable(mount.mountpoint)),
        Fact("type", printable(mount.fstype)),
        Fact("source", masked(printable(mount.source), reveal)),
        Fact("root in it", printable(mount.root)),
        Fact("device", mount.device),
        Fact("flags", " | ".join(mount.flags)),
        Fact("options", masked(printable(mount.options), reveal)),
        Fact("external", printable(mount.external_key) or "no: CRIU mounts it itself"),
        Fact("in the image", human_bytes(mount.dumped_bytes) if mount.dumped_bytes else "nothing"),
    ]
    return [
        Section("", [f for f in facts if f.value]),
        Section(
            "Open on it",
            [
                Fact(str(f.pid), f"fd {f.fd}  {file_text(f)}", link=Ref.file(f.pid, f.fd))
                for f in users[:SHOWN_FILES]
            ]
            + and_more(len(users) - SHOWN_FILES, IN_FILES),
            empty="no descriptor",
        ),
    ]


def change_sections(_: Checkpoint, entry: DeltaEntry, _reveal: bool) -> list[Section]:
    """Return one change of the root filesystem."""
    words = {"written": "written: added, or changed against the base image"}
    facts = [
        Fact("path", printable(entry.path)),
        Fact("change", words.get(entry.change, entry.change)),
    ]
    if entry.change != "deleted":
        facts += [
            Fact("kind", entry.kind),
            Fact("mode", f"{entry.mode:04o}"),
            Fact("size", f"{human_bytes(entry.size)} ({entry.size:,})"),
        ]
    if entry.link:
        facts.append(Fact("link to", printable(entry.link)))
    return [Section("", facts)]


def ref_sections(checkpoint: Checkpoint, ref: object, reveal: bool) -> list[Section]:
    """Return the sections of what a row stands for; nothing if that is not a `Ref`."""
    if not isinstance(ref, Ref) or ref.kind not in DETAILS:
        return []
    part = part_of(checkpoint, ref)
    return [] if part is None else DETAILS[ref.kind](checkpoint, part, reveal)


DETAILS: Mapping[Kind, Callable[[Checkpoint, Any, bool], list[Section]]] = {
    "process": process_sections,
    "file": file_sections,
    "socket": socket_sections,
    "region": region_sections,
    "mount": mount_sections,
    "delta": change_sections,
    "namespace": namespace_sections,
    "cgroup": cgroup_sections,
}
"""Kind of a part to its sections; what looks like a secret is covered unless it is to be shown."""


def count_line(checkpoint: Checkpoint) -> str:
    """Return `2 processes, 6 descriptors, 0 sockets`."""
    if not checkpoint.has_descriptors:
        processes = human_count(len(checkpoint.processes), "process", "processes")
        return f"{processes}; their descriptors are being read"
    return ", ".join(
        (
            human_count(len(checkpoint.processes), "process", "processes"),
            human_count(len(checkpoint.files), "descriptor"),
            human_count(len(checkpoint.sockets), "socket"),
        )
    )
