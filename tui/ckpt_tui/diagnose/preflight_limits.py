"""Do the limits and the settings of a host let CRIU restore: rights, descriptors, huge pages?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_bytes
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Evidence, Finding
from ckpt_tui.diagnose.host import HostProfile

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
    """Root on this host has the capability that CRIU asks for: in a container it may not."""
    host = _host(facts)
    if host.uid == 0 and host.may_restore is False:
        yield Finding(
            "not-root",
            "fails",
            "likely",
            "Root lacks CAP_SYS_ADMIN on the host",
            "CRIU refuses to restore without it or CAP_CHECKPOINT_RESTORE.",
            "Restore outside of the container that this is, or give it the capability.",
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
    """The kernel gives no process a higher limit of open files than fs.nr_open, root included
    (kernel/sys.c, do_prlimit)."""
    host, limits = _host(facts), descriptor_limits(facts)
    high = {pid: limit for pid, limit in limits.items() if 0 < host.nr_open < limit}
    if high:
        most = max(high.values())
        yield Finding(
            "rlimit-restore",
            "may-fail",
            "likely",
            f"A limit of {most} open files is needed, the host allows {host.nr_open}",
            "The kernel refuses a higher limit, even to root.",
            f"`sysctl fs.nr_open={most}` on the host.",
            "",
            some(Evidence(f"process {pid}", Ref.process(pid)) for pid in high),
        )


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
        if asked.get(option):
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
