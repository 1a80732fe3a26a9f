"""Can this host restore this checkpoint? Kernel, CRIU, memory, pids, ports, security modules."""

from __future__ import annotations

from collections.abc import Iterator

from ckpt_tui.checkpoint.ref import Ref
from ckpt_tui.core.text import human_bytes, human_count
from ckpt_tui.criu.values import text
from ckpt_tui.diagnose.facts import Facts, some
from ckpt_tui.diagnose.finding import Certainty, Evidence, Finding, Severity
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.log_header import version_tuple

MACHINES = {
    "x86_64": ("x86_64",),
    "aarch64": ("aarch64",),
    "arm": ("armv7l", "armv6l", "armv8l", "arm"),
    "ppc64": ("ppc64le", "ppc64"),
    "s390": ("s390x",),
    "mips": ("mips64", "mips"),
    "loongarch64": ("loongarch64",),
    "riscv64": ("riscv64",),
}
"""Architecture in the images to what uname calls it."""

TASK_SIZE = 1 << 47
"""End of the address space of a process on x86-64 with four levels of page tables."""

PROGRAMS_OF_CRIU = {
    "tar": "tmpfs-dev-",
    "ip": "ifaddr-",
    "iptables-restore": "iptables-",
    "nft": "nftables-",
    "apparmor_parser": "apparmor.img",
}
"""Program that CRIU calls at restore to the start of the names of the images that it is for."""


def _host_finding(
    finding_id: str,
    severity: Severity,
    certainty: Certainty,
    title: str,
    why: str,
    cure: str,
    evidence: tuple[Evidence, ...] = (),
) -> Finding:
    return Finding(finding_id, severity, certainty, title, why, cure, "", evidence)


def _host(facts: Facts) -> HostProfile:
    return facts.host or HostProfile()


def machine(facts: Facts) -> Iterator[Finding]:
    """Same architecture, same page size."""
    host, criu = _host(facts), facts.checkpoint.criu
    machines = MACHINES.get(criu.architecture, (criu.architecture,))
    if criu.architecture and host.machine and host.machine not in machines:
        yield _host_finding(
            "arch-mismatch",
            "fails",
            "certain",
            f"The checkpoint is of {criu.architecture}, the host is {host.machine}",
            "Registers and memory of one architecture mean nothing on another.",
            f"Restore on a host of {criu.architecture}.",
        )
        return
    if host.page_size and host.page_size != criu.page_size and facts.page_maps:
        yield _host_finding(
            "host-page-size",
            "fails",
            "certain",
            f"Pages have {criu.page_size} bytes in the checkpoint, {host.page_size} on the host",
            "CRIU puts whole pages back.",
            "Boot a kernel with the page size of the dump.",
        )


def criu_release(facts: Facts) -> Iterator[Finding]:
    """CRIU is there, and not older than the images."""
    host, criu = _host(facts), facts.checkpoint.criu
    if not host.criu:
        yield _host_finding(
            "rt-criu-missing",
            "may-fail",
            "likely",
            "No criu program was found on the host",
            "Every engine calls it, or its library, to restore.",
            "Install CRIU" + (f" {criu.at_least} or later." if criu.at_least else "."),
        )
        return
    if version_tuple(host.criu) and version_tuple(host.criu) < version_tuple(criu.at_least):
        pages = criu.at_least == "4.2"
        yield _host_finding(
            "img-version",
            "fails" if pages else "may-fail",
            "certain" if pages else "possible",
            f"The images are of CRIU {criu.at_least} or later, the host has {host.criu}",
            "The older release reads no page counts in them: they moved to another field."
            if pages
            else "The older release ignores what it does not know.",
            f"Install CRIU {criu.at_least} or later.",
        )


def kernel_and_criu(facts: Facts) -> Iterator[Finding]:
    """Pairs of kernel and CRIU that are known not to work together."""
    host = _host(facts)
    criu, kernel = version_tuple(host.criu), version_tuple(host.kernel)
    if not criu or not kernel:
        return
    if criu < (4, 1) and kernel >= (6, 13):
        yield _host_finding(
            "vdso-rt-bounds",
            "fails",
            "certain",
            f"CRIU {host.criu} does not start under Linux {host.kernel}",
            "Linux 6.13 split the vvar area, which CRIU before 4.1 does not expect.",
            "Install CRIU 4.1 or later.",
        )
    rseq = [tid for tid, c in facts.cores.items() if c.thread_core.rseq_entry.rseq_abi_pointer]
    if rseq and kernel < (4, 18):
        yield _host_finding(
            "rseq-restore-kernel",
            "fails",
            "likely",
            f"Linux {host.kernel} has no restartable sequences, which the programs use",
            "CRIU cannot register them again.",
            "Restore under Linux 4.18 or later.",
            some(Evidence(f"thread {tid}", Ref.image(f"core-{tid}.img")) for tid in rseq),
        )


def time_namespace(facts: Facts) -> Iterator[Finding]:
    """A dump of clocks is put back in a time namespace."""
    host = _host(facts)
    if facts.images.named("timens-") and host.namespaces and "time" not in host.namespaces:
        yield _host_finding(
            "timens",
            "may-fail",
            "possible",
            "The kernel of the host has no time namespaces",
            "CRIU keeps the monotonic clock of the processes going with one.",
            "A kernel of 5.6 or later with CONFIG_TIME_NS.",
        )


def cgroups(facts: Facts) -> Iterator[Finding]:
    """The same version of cgroups as at the dump."""
    host = _host(facts)
    names = {
        text(member.name)
        for entry in facts.images.messages("cgroup.img")
        for cgroup_set in entry.sets
        for member in cgroup_set.ctls
    }
    if not names or not host.cgroup:
        return
    dumped = "v2" if names == {""} else "hybrid" if "" in names else "v1"
    if dumped != host.cgroup and "v2" in (dumped, host.cgroup):
        yield _host_finding(
            "cgroup-path-missing",
            "may-fail",
            "possible" if dumped == "hybrid" else "likely",
            f"The dump was made with cgroup {dumped}, the host has {host.cgroup}",
            "CRIU writes the saved properties into folders that are not there.",
            "Boot the host with the same version, or restore with `--manage-cgroups=ignore`.",
            (Evidence("cgroup.img", Ref.image("cgroup.img")),),
        )


def security_modules(facts: Facts) -> Iterator[Finding]:
    """The security module that the labels are of, and the AppArmor profiles."""
    host, lsm = _host(facts), facts.checkpoint.criu.lsm
    if host.lsms is not None and lsm in ("SELINUX", "APPARMOR") and lsm.lower() not in host.lsms:
        yield _host_finding(
            "lsm-mismatch",
            "fails",
            "certain",
            f"The dump was made under {lsm.title()}, the host has it not",
            "CRIU stops where the labels of the processes cannot be set.",
            "Restore on a host with it, or let the engine give another label: `--lsm-profile`.",
            (Evidence("inventory.img", Ref.image("inventory.img")),),
        )
    if host.apparmor_profiles is None or lsm != "APPARMOR":
        return
    profiles = {
        p.credentials.lsm_profile: p.pid for p in facts.checkpoint.processes if p.credentials
    }
    for profile, pid in profiles.items():
        if profile and profile != "unconfined" and profile not in host.apparmor_profiles:
            yield _host_finding(
                "lsm-profile-write",
                "fails",
                "likely",
                f"The AppArmor profile {profile} is not loaded on the host",
                "CRIU stops where it cannot put a process under its profile.",
                "Load the profile on the host, or restore with another: `--lsm-profile`.",
                (Evidence(f"process {pid}", Ref.process(pid)),),
            )


def memory(facts: Facts) -> Iterator[Finding]:
    """Enough memory for the pages, enough room for the images, enough mappings."""
    host, page_size = _host(facts), facts.checkpoint.criu.page_size
    needed = sum(m.present for m in facts.page_maps.values()) * page_size
    if 0 < host.memory_free < needed:
        yield _host_finding(
            "mem-enomem",
            "may-fail",
            "likely",
            f"{human_bytes(needed)} of pages, {human_bytes(host.memory_free)} of memory free",
            "The kernel ends a process that runs out of memory, in the middle of the restore.",
            "Free memory, or restore on a larger host.",
        )
    size = facts.checkpoint.sizes.plain
    short = {path: free for path, free in host.disk_free.items() if free < size}
    if short:
        yield _host_finding(
            "storage-nospace",
            "may-fail",
            "possible",
            f"The checkpoint unpacks to {human_bytes(size)}, which {', '.join(short)} has not free",
            "Engines unpack a checkpoint before they restore it.",
            "Free space, or restore from an optimized image, which is mounted: `ckpt-tui convert`.",
            some(Evidence(f"{path}: {human_bytes(free)} free") for path, free in short.items()),
        )
    for process in facts.checkpoint.memory:
        if 0 < host.max_map_count < len(process.regions):
            yield _host_finding(
                "mem-enomem-mapping",
                "fails",
                "likely",
                f"Process {process.pid} has {len(process.regions)} mappings, the host allows "
                f"{host.max_map_count}",
                "The kernel refuses more.",
                f"`sysctl vm.max_map_count={2 * len(process.regions)}` on the host.",
                (Evidence(f"process {process.pid}", Ref.process(process.pid)),),
            )


def high_addresses(facts: Facts) -> Iterator[Finding]:
    """Mappings above 128 TiB need five levels of page tables."""
    host = _host(facts)
    if facts.checkpoint.criu.architecture != "x86_64" or not host.cpu_flags:
        return
    # the vsyscall page is at the very top, and never restored
    high = [(p, v) for p, v in facts.regions if TASK_SIZE < v.end < 1 << 63]
    if high and "la57" not in host.cpu_flags:
        pid, vma = high[0]
        yield _host_finding(
            "mem-high-region",
            "fails",
            "certain",
            f"Process {pid} has memory at {vma.start:#x}, beyond what the host can address",
            "The processor or kernel of the host has four levels of page tables only.",
            "Restore on a host with la57.",
            (Evidence(f"{vma.start:#x}", Ref.region(pid, vma.start)),),
        )


def pids(facts: Facts) -> Iterator[Finding]:
    """Pids are free, where the container has no pid namespace of its own; and small enough."""
    host = _host(facts)
    wanted = {task.pid for task in facts.tasks} | {t for task in facts.live for t in task.threads}
    taken = sorted(wanted & set(host.pids)) if facts.shares_host("pid") else []
    if taken:
        yield _host_finding(
            "pid-in-use",
            "fails",
            "certain",
            f"{human_count(len(taken), 'pid')} of the checkpoint are in use on the host",
            "The processes live in the host's pid namespace and must get the same pids.",
            "Stop those processes, or wait; give the container a pid namespace next time.",
            some(Evidence(f"pid {pid}", Ref.process(pid)) for pid in taken),
        )
    if host.pid_max and wanted and max(wanted) >= host.pid_max:
        yield _host_finding(
            "pid-max",
            "may-fail",
            "likely",
            f"The checkpoint has pid {max(wanted)}, the host allows less than {host.pid_max}",
            "The kernel refuses to make a process with a larger pid.",
            f"`sysctl kernel.pid_max={1 << max(wanted).bit_length()}` on the host.",
        )


def plugins(facts: Facts) -> Iterator[Finding]:
    """The plugins that saved devices are installed."""
    host = _host(facts)
    if host.plugins is None:
        return
    missing = [p for p in facts.checkpoint.criu.plugins or () if p not in host.plugins]
    if missing:
        yield _host_finding(
            "plugin-missing",
            "fails",
            "likely",
            f"The CRIU plugins {', '.join(missing)} are not on the host",
            "They saved devices of the container; CRIU stops if one is missing.",
            "Install them into /usr/lib/criu, or name their folder with `libdir`.",
            (Evidence("inventory.img", Ref.image("inventory.img")),),
        )


def helpers(facts: Facts) -> Iterator[Finding]:
    """Programs that CRIU calls for parts of the restore."""
    host = _host(facts)
    if host.helpers is None:
        return
    for program, names in helper_images(facts).items():
        if names and program not in host.helpers:
            yield Finding(
                "helper-exec",
                "fails",
                "likely",
                f"The program {program} is not on the host",
                f"CRIU runs it for {names[0]}.",
                f"Install {program}.",
                program,
                (Evidence(names[0], Ref.image(names[0])),),
            )


def helper_images(facts: Facts) -> dict[str, tuple[str, ...]]:
    """Return the programs that CRIU calls at restore, and for which images; an empty one needs
    none."""
    return {
        program: tuple(n for n in facts.images.named(start) if facts.images.size(n))
        for program, start in PROGRAMS_OF_CRIU.items()
    }


def devices(facts: Facts) -> Iterator[Finding]:
    """Kernel modules for open devices, and the limit on asynchronous I/O."""
    host = _host(facts)
    tunnels = list(facts.of_type("TUNF"))
    if tunnels and host.modules and "tun" not in host.modules:
        yield _host_finding(
            "tun-device",
            "may-fail",
            "possible",
            "A TUN device is open, and the host has no module tun loaded",
            "CRIU opens /dev/net/tun.",
            "`modprobe tun` on the host.",
            some(facts.file_evidence(found.id) for found in tunnels),
        )
    requests = needed_slots(facts)
    if requests and 0 < host.aio_max < requests:
        yield _host_finding(
            "mem-aio",
            "fails",
            "likely",
            f"{requests} slots for asynchronous I/O are needed, the host allows {host.aio_max}",
            "The kernel refuses to set up more.",
            f"`sysctl fs.aio-max-nr={2 * requests}` on the host.",
        )


def needed_slots(facts: Facts) -> int:
    """Return the slots for asynchronous I/O of all processes."""
    images = (facts.images.message(f"mm-{task.pid}.img") for task in facts.live)
    return sum(ring.nr_req for mm in images if mm is not None for ring in mm.aios)
