"""One object of a checkpoint in words: a process, a file, a socket, a region, a mount, an image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from ckpt_tui.core.text import (
    exact_bytes,
    human_bytes,
    human_count,
    printable,
    shortened,
    some_bytes,
)
from ckpt_tui.views.facts import Fact, Section, and_more, known
from ckpt_tui.views.isolation import cgroup_sections, namespace_sections
from ckpt_tui.views.processes import SHOWN_COMMAND, command_line, exit_text, written

SHOWN_FILES = 200
"""Descriptors of one process listed beside it; the tab Files has all."""


IN_FILES = ", in the tab Files"


def process_sections(checkpoint: Checkpoint, process: Process, reveal: bool) -> list[Section]:
    """Return one process: its identity and state, arguments, environment, files, limits."""
    return [
        Section("", _identity(checkpoint, process, reveal)),
        Section("Arguments", list(_arguments(process.argv or (), reveal))),
        Section(
            "Environment",
            [Fact("", covered(printable(v, reveal=reveal), reveal)) for v in process.env or ()],
        ),
        Section("Threads", [_thread(t) for t in process.threads]),
        Section("Files", list(_files(checkpoint, process.pid))),
        Section("Memory", _memory(checkpoint, process.pid)),
        Section("Credentials", _credentials(process)),
        Section("Seccomp", list(_seccomp(checkpoint, process))),
        Section("Signals", _signals(process)),
        Section("Timers", [Fact("", t) for t in process.timers]),
        Section("Limits", [Fact(n, _limit(*v)) for n, v in process.limits.items()]),
        Section("Auxiliary vector", [Fact(n, _auxiliary(n, v)) for n, v in process.auxv.items()]),
        *_registers(process),
    ]


def _arguments(argv: Sequence[bytes], reveal: bool) -> Iterator[Fact]:
    shown = written(argv)
    arguments = [printable(argument, reveal=reveal) for argument in shown]
    for text in masked_arguments(arguments, reveal):
        yield Fact("", text or "(empty)")
    if rest := len(argv) - len(shown):
        yield Fact(
            "", styled((f"{rest} empty arguments: the process overwrote its command line", "muted"))
        )


def _identity(checkpoint: Checkpoint, process: Process, reveal: bool) -> list[Fact]:
    parent = index_of(checkpoint).process.get(process.ppid)
    who, leader = process.credentials, process.threads[0] if process.threads else None
    facts = known(
        ("command", shortened(command_line(process, reveal), SHOWN_COMMAND)),
        (
            "parent",
            f"{process.ppid} {printable(parent.comm)}" if parent else "not in this checkpoint",
        ),
        ("group, session", f"{process.pgid}, {process.sid}"),
    )
    if process.state == "zombie":
        return [*facts, Fact("state", f"zombie, {exit_text(process.exit_code)}")]
    lost = "not readable: the pages that held them are missing or damaged"
    return facts + known(
        ("state", " ".join(filter(None, (process.state, process.stop_signal)))),
        ("blocked in", printable(leader.blocked_in) if leader else ""),
        ("executable", printable(process.exe) + (" (deleted)" if process.exe_deleted else "")),
        ("directory", printable(process.cwd)),
        ("root", "" if process.root == "/" else printable(process.root)),
        ("personality", process.personality),
        ("umask", "" if process.umask is None else f"{process.umask:04o}"),
        ("user, group", f"{who.uid}, {who.gid}" if who else ""),
        ("arguments", lost if process.argv is None else ""),
    )


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


def _memory(checkpoint: Checkpoint, pid: int) -> list[Fact]:
    memory = index_of(checkpoint).memory.get(pid)
    if memory is None:
        return []
    virtual = f"{human_bytes(memory.virtual_bytes)} in {len(memory.regions)} regions"
    return known(
        ("dumped", human_bytes(memory.dumped_bytes)),
        ("virtual", virtual),
        ("shared", some_bytes(memory.shared_bytes)),
        ("in the parent dump", some_bytes(memory.parent_bytes)),
    )


def _credentials(process: Process) -> list[Fact]:
    who = process.credentials
    if who is None:
        return []
    return known(
        ("effective", f"user {who.euid}, group {who.egid}"),
        ("groups", " ".join(map(str, who.groups))),
        *((name, _short(of, "CAP_").lower()) for name, of in who.capabilities.items()),
        ("no new privileges", "set" if who.no_new_privs else ""),
        ("label", printable(who.lsm_profile)),
    )


def _short(names: Iterable[str], prefix: str) -> str:
    return " ".join(name.removeprefix(prefix) for name in names)


SHOWN_CALLS = 60
"""System calls named for one action of a filter; of more only the number is shown."""


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


def _signals(process: Process) -> list[Fact]:
    ignored = [s for s, what in process.handlers.items() if what == "ignore"]
    handled = [s for s, what in process.handlers.items() if what != "ignore"]
    leader = process.threads[0] if process.threads else None
    return known(
        ("handled", _short(handled, "SIG")),
        ("ignored", _short(ignored, "SIG")),
        ("blocked", _short(leader.blocked_signals if leader else (), "SIG")),
        ("pending", _short(leader.pending_signals if leader else (), "SIG")),
    )


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
    """Return one descriptor and the other holders of the same open file."""
    mount = index_of(checkpoint).mount_of(file)
    facts = known(
        ("kind", file.kind + (", path deleted" if file.deleted else "")),
        ("target", printable(file.target)),
        ("flags", " | ".join(file.flags) + (" | O_CLOEXEC" if file.close_on_exec else "")),
        ("position", "" if file.position is None else f"{file.position:,}"),
        ("size at the dump", "" if file.size is None else exact_bytes(file.size)),
        ("mode at the dump", "" if file.mode is None else f"{file.mode & 0o7777:04o}"),
        ("mount", printable(f"{mount.mountpoint} ({mount.fstype})") if mount else ""),
        ("id", str(file.object_id)),
    )
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
    facts = known(
        ("family", socket.family),
        ("type", f"{socket.type} {printable(socket.protocol)}".strip()),
        ("state", socket.state or "–"),
        ("local", printable(socket.local) or "(unnamed)"),
        ("remote", printable(socket.remote)),
        ("peer", "process {} fd {}".format(*socket.peer) if socket.peer else ""),
        ("queued", human_bytes(socket.queued)),
        ("inode", str(socket.inode)),
    )
    options = [Fact(n, printable(v)) for n, v in socket.options.items()]
    return [Section("", facts), Section("Options", options)]


def region_sections(_: Checkpoint, region: Region, _reveal: bool) -> list[Section]:
    """Return one memory region."""
    backing = f"{printable(region.path)} from byte {region.offset:,}"
    facts = known(
        ("addresses", f"{region.start:#x} – {region.end:#x}"),
        ("kind", f"{region.kind}, {region.protection}"),
        ("span", exact_bytes(region.end - region.start)),
        ("dumped", exact_bytes(region.dumped)),
        ("in the parent dump", some_bytes(region.parent)),
        ("left to lazy pages", some_bytes(region.lazy)),
        ("backed by", backing if region.path else ""),
        ("shared object", f"pagemap-shmem-{region.shared_id}.img" if region.shared_id else ""),
        ("flags", " | ".join(region.flags)),
    )
    return [Section("", facts)]


def mount_sections(checkpoint: Checkpoint, mount: Mount, reveal: bool) -> list[Section]:
    """Return one mount with the files open on it."""
    users = index_of(checkpoint).on_mount.get(mount.id, [])
    facts = known(
        ("mount point", printable(mount.mountpoint)),
        ("type", printable(mount.fstype)),
        ("source", masked(printable(mount.source, reveal=reveal), reveal)),
        ("root", printable(mount.root)),
        ("device", mount.device),
        ("flags", " | ".join(mount.flags)),
        ("options", masked(printable(mount.options, reveal=reveal), reveal)),
        ("external", printable(mount.external_key) or "no: CRIU mounts it itself"),
        ("in the image", some_bytes(mount.dumped_bytes) or "nothing"),
    )
    return [
        Section("", facts),
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
    written = "written: added, or changed against the base image"
    is_there = entry.change != "deleted"
    facts = known(
        ("path", printable(entry.path)),
        ("change", written if entry.change == "written" else entry.change),
        ("kind", entry.kind if is_there else ""),
        ("mode", f"{entry.mode:04o}" if is_there else ""),
        ("size", exact_bytes(entry.size) if is_there else ""),
        ("link to", printable(entry.link)),
    )
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
    "seccomp": lambda _checkpoint, found, _reveal: [Section("", [*filter_facts(found)])],
}
"""Kind of a part to its sections; what looks like a secret is covered unless it is to be shown."""


def count_line(checkpoint: Checkpoint) -> str:
    """Return `2 processes, 6 descriptors, 0 sockets`."""
    processes = human_count(len(checkpoint.processes), "process", "processes")
    if not checkpoint.has_descriptors:
        return f"{processes}; their descriptors are being read"
    descriptors = human_count(len(checkpoint.files), "descriptor")
    return f"{processes}, {descriptors}, {human_count(index_of(checkpoint).open_sockets, 'socket')}"
