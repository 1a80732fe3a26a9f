"""Do the limits and the settings of a host let CRIU restore: rights, descriptors, huge pages?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_bytes
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.log_header import version_tuple

RLIMIT_NOFILE = 7

INFINITY = (1 << 64) - 1

MAP_HUGETLB = 0x40000
HUGE_SHIFT, HUGE_MASK = 26, 0x3F
"""Where the flags of a mapping have the binary logarithm of its page size, 0 for the default
(Linux, include/uapi/asm-generic/hugetlb_encode.h)."""

DEFAULT_HUGE = 2 << 20

TCP, CLOSED, LISTEN = 6, 7, 10


def _host(facts: Facts) -> HostProfile:
    return facts.host or HostProfile()


def capabilities(facts: Facts) -> Iterator[Finding]:
    """Who restores has the capability that CRIU asks for: in a container root may not."""
    host = _host(facts)
    if host.may_restore is False:
        yield Finding(
            "not-root",
            "fails",
            "likely",
            "CAP_SYS_ADMIN cannot be had on the host",
            "CRIU refuses to restore without it or CAP_CHECKPOINT_RESTORE.",
            "Restore outside of the container that this is, or give it the capability.",
        )


ALWAYS_NEEDED = ("CAP_NET_ADMIN", "CAP_SYS_CHROOT")
"""What CRIU uses at each restore: for the buffers of its own sockets (criu/sockets.c) and to set
the root folder (criu/files.c)."""


def rights(facts: Facts) -> Iterator[Finding]:
    """Who restores has each capability that the processes have: none can be given that the giver
    lacks (criu/pie/restorer.c, restore_creds). In a user namespace of its own CRIU has all."""
    held = _host(facts).capabilities
    if held is None or _host(facts).uid != 0 or facts.images.named("userns-"):
        return
    needed: dict[str, int | None] = dict.fromkeys(ALWAYS_NEEDED)
    for process in facts.checkpoint.processes:
        sets = process.credentials.capabilities if process.credentials else {}
        for kind in ("effective", "permitted", "inheritable"):
            for name in sets.get(kind, ()):
                needed.setdefault(name, process.pid)
    missing = {name: pid for name, pid in needed.items() if name not in held}
    if missing and _host(facts).may_restore:
        pids = {pid for pid in missing.values() if pid is not None}
        yield Finding(
            "creds-caps",
            "fails",
            "likely",
            f"Root on the host lacks {', '.join(missing)}",
            "CRIU gives each process the capabilities that it had, and can give none that it has "
            "not itself.",
            "Restore with a root that has them, outside of the container that this is.",
            "",
            some(Evidence(f"process {pid}", Ref.process(pid)) for pid in pids),
        )


OWN_DESCRIPTORS = 50
"""Descriptors that CRIU needs above those of a process (criu/servicefd.c)."""


def highest_descriptor(facts: Facts) -> int:
    """Return the highest number of an open file of any process."""
    return max((opened.fd for opened in facts.checkpoint.files), default=0)


def descriptors(facts: Facts) -> Iterator[Finding]:
    """CRIU may open as many files as the processes had; it raises the limit itself, if it may."""
    host, highest = _host(facts), highest_descriptor(facts)
    if host.open_files is None or host.open_files < 0 or _may_raise(host):
        return
    if host.open_files < highest + OWN_DESCRIPTORS:
        yield Finding(
            "nofile-limit",
            "fails",
            "likely",
            f"A process has descriptor {highest}, and the hard limit of open files is "
            f"{host.open_files} here",
            "CRIU opens the files under their old numbers and needs some above them. Without "
            "CAP_SYS_RESOURCE it cannot raise the limit.",
            f"`ulimit -Hn {2 * (highest + OWN_DESCRIPTORS)}` in a shell that may, or LimitNOFILE "
            "of the service that restores.",
        )


def descriptor_limits(facts: Facts) -> dict[int, int]:
    """Return pid to the hard limit of open files, where there is one."""
    found: dict[int, int] = {}
    for task in facts.live:
        core = facts.cores.get(task.pid)
        limits = core.tc.rlimits.rlimits if core is not None else ()
        if len(limits) > RLIMIT_NOFILE and limits[RLIMIT_NOFILE].max != INFINITY:
            found[task.pid] = limits[RLIMIT_NOFILE].max
    return found


def open_files(facts: Facts) -> Iterator[Finding]:
    """The kernel gives no process a higher limit of open files than fs.nr_open (kernel/sys.c,
    do_prlimit), nor than that of who restores without CAP_SYS_RESOURCE. CRIU goes on then."""
    host, limits = _host(facts), descriptor_limits(facts)
    own = host.open_files if not _may_raise(host) else None
    allowed = min((n for n in (host.nr_open, own) if n is not None and n > 0), default=0)
    high = {pid: limit for pid, limit in limits.items() if 0 < allowed < limit}
    if high:
        most = max(high.values())
        yield Finding(
            "rlimit-restore",
            "advice",
            "likely",
            f"A process may open {most} files, and the limit on the host is {allowed}",
            "It is restored with the lower limit.",
            f"`sysctl fs.nr_open={most}` on the host."
            if allowed == host.nr_open
            else f"`ulimit -Hn {most}` in a shell that may, before the restore.",
            "",
            some(Evidence(f"process {pid}", Ref.process(pid)) for pid in high),
        )


def _may_raise(host: HostProfile) -> bool:
    """Tell whether who restores may raise limits, as far as is known."""
    return host.uid != 0 or host.capabilities is None or "CAP_SYS_RESOURCE" in host.capabilities


def huge_pages(facts: Facts) -> dict[int, int]:
    """Return the bytes of mappings of huge pages, by the size of the page."""
    found: defaultdict[int, int] = defaultdict(int)
    for _pid, vma in facts.regions:
        if vma.flags & MAP_HUGETLB:
            shift = vma.flags >> HUGE_SHIFT & HUGE_MASK
            found[1 << shift if shift else DEFAULT_HUGE] += vma.end - vma.start
    return found


def huge_memory(facts: Facts) -> Iterator[Finding]:
    """Enough huge pages are free for the mappings that need them."""
    free: Mapping[str, int] | None = _host(facts).hugepages
    for size, needed in sorted(huge_pages(facts).items()):
        pages = -(-needed // size)
        there = free.get(str(size // 1024), 0) if free is not None else pages
        if there < pages:
            yield Finding(
                "mem-hugepages",
                "fails",
                "likely",
                f"{pages} huge pages of {human_bytes(size)} are needed, {there} are free",
                "The kernel maps none of the memory that is not there.",
                f"`echo {pages} > /sys/kernel/mm/hugepages/hugepages-{size // 1024}kB/nr_hugepages`"
                " on the host.",
            )


def configured(facts: Facts) -> Iterator[Finding]:
    """What CRIU's configuration files on the host already say of connections and locks."""
    connected = any(
        found.message.proto == TCP and found.message.state not in (CLOSED, LISTEN)
        for found in facts.each(facts.of_type("INETSK"))
    )
    asked = {"tcp-established": connected, "tcp-close": connected}
    asked["file-locks"] = bool(facts.images.messages("filelocks.img"))
    for line in _host(facts).criu_options or ():
        path, _, option = line.partition(" ")
        if asked.get(option) and _is_read(facts, path):
            closed = option == "tcp-close"
            yield Finding(
                "criu-option-set",
                "advice",
                "certain",
                f"{path} on the host already has {option}",
                "Connections come back closed." if closed else "It need not be given again.",
                f"Remove the line to restore connections: `{path}`." if closed else "Nothing.",
                evidence=(Evidence(f"{path}: {option}"),),
            )


NO_CONFIGURATION = (1, 21)
"""The last release of crun that reads no configuration file of CRIU."""


def _is_read(facts: Facts, path: str) -> bool:
    """Tell whether a restore reads a configuration file of CRIU: criu itself those named default,
    whose options the calls of an engine override; a runtime its own, crun that of runc too."""
    name = path.rpartition("/")[2]
    if facts.is_bare:
        return name == "default.conf"
    runtime = facts.checkpoint.container.runtime or "runc"
    if runtime == "crun":
        release = version_tuple(_host(facts).runtimes.get("crun", ""))
        return name in ("crun.conf", "runc.conf") and release > NO_CONFIGURATION
    return name == "runc.conf"
