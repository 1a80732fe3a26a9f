"""REQUIREMENTS: what a checkpoint needs of a host, and whether the host has it; one table.

What a profile of the host does not say is unknown, and never counts as met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ckpt_tui.core.text import printable
from ckpt_tui.diagnose.facts import Facts
from ckpt_tui.diagnose.finding import Finding
from ckpt_tui.diagnose.host import HostProfile
from ckpt_tui.diagnose.preflight_engine import PROGRAMS
from ckpt_tui.diagnose.preflight_host import PROGRAMS_OF_CRIU, helper_images, needed_slots
from ckpt_tui.diagnose.preflight_limits import descriptor_limits, huge_pages
from ckpt_tui.diagnose.preflight_mounts import unseen_mounts

State = Literal["met", "unmet", "unknown"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One property of a host."""

    title: str
    needed: Callable[[Facts], object]
    """Whether this checkpoint needs it; anything that is true will do."""
    known: Callable[[HostProfile], object]
    """Whether the profile says it."""
    findings: tuple[str, ...]
    """Ids of the findings that tell that the host lacks it; `ID:PLACE` is that at one place."""


@dataclass(frozen=True, slots=True)
class RequirementState:
    """A requirement of one checkpoint, on one host."""

    title: str
    state: State


def _always(_facts: Facts) -> bool:
    return True


def _network(kinds: tuple[str, ...]) -> Callable[[Facts], bool]:
    """Return whether sockets of some kinds are in the network of the host."""
    return lambda facts: (
        facts.shares_host("net") and any(True for kind in kinds for _ in facts.of_type(kind))
    )


def _helper(program: str) -> Requirement:
    return Requirement(
        f"program {program}",
        lambda facts: helper_images(facts)[program],
        lambda host: host.helpers is not None,
        (f"helper-exec:{program}",),
    )


def _lsm(facts: Facts) -> bool:
    return facts.checkpoint.criu.lsm in ("SELINUX", "APPARMOR")


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement("processor architecture", _always, lambda h: h.machine, ("arch-mismatch",)),
    Requirement("page size", lambda f: f.page_maps, lambda h: h.page_size, ("host-page-size",)),
    Requirement(
        "processor features",
        lambda f: f.checkpoint.criu.architecture == "x86_64",
        lambda h: h.cpu_flags,
        ("cpu-fpu-missing", "mem-shstk", "cpu-capabilities", "mem-high-region"),
    ),
    Requirement(
        "release of CRIU",
        _always,
        lambda h: h.criu != "unknown",
        ("rt-criu-missing", "img-version", "vdso-rt-bounds"),
    ),
    Requirement(
        "release of the kernel",
        _always,
        lambda h: h.kernel,
        ("vdso-rt-bounds", "rseq-restore-kernel"),
    ),
    Requirement(
        "capabilities of who restores", _always, lambda h: h.may_restore, ("not-root", "creds-caps")
    ),
    Requirement(
        "time namespaces",
        lambda f: f.images.named("timens-"),
        lambda h: h.namespaces,
        ("timens",),
    ),
    Requirement(
        "version of cgroups",
        lambda f: f.images.named("cgroup.img"),
        lambda h: h.cgroup,
        ("cgroup-path-missing",),
    ),
    Requirement("security module", _lsm, lambda h: h.lsms is not None, ("lsm-mismatch",)),
    Requirement(
        "AppArmor profiles",
        lambda f: f.checkpoint.criu.lsm == "APPARMOR",
        lambda h: h.apparmor_profiles is not None,
        ("lsm-profile-write",),
    ),
    Requirement("free memory", lambda f: f.page_maps, lambda h: h.memory_free, ("mem-enomem",)),
    Requirement("free disk space", _always, lambda h: h.disk_free, ("storage-nospace",)),
    Requirement(
        "number of mappings",
        lambda f: f.checkpoint.memory,
        lambda h: h.max_map_count,
        ("mem-enomem-mapping",),
    ),
    Requirement("limit of open files", descriptor_limits, lambda h: h.nr_open, ("rlimit-restore",)),
    Requirement(
        "descriptors of CRIU", _always, lambda h: h.open_files is not None, ("nofile-limit",)
    ),
    Requirement("huge pages", huge_pages, lambda h: h.hugepages is not None, ("mem-hugepages",)),
    Requirement("largest pid", lambda f: f.tasks, lambda h: h.pid_max, ("pid-max",)),
    Requirement("free pids", lambda f: f.shares_host("pid"), lambda h: h.pids, ("pid-in-use",)),
    Requirement(
        "free ports",
        _network(("INETSK",)),
        lambda h: (h.sockets or h.ports) is not None,
        ("inet-bind-addr-in-use",),
    ),
    Requirement(
        "IP addresses",
        _network(("INETSK",)),
        lambda h: h.addresses is not None,
        ("inet-bind-addr-missing",),
    ),
    Requirement(
        "network interfaces",
        _network(("INETSK", "PACKETSK")),
        lambda h: h.interfaces is not None,
        ("inet-bind-device-missing", "packet-socket"),
    ),
    Requirement(
        "names of Unix sockets",
        _network(("UNIXSK",)),
        lambda h: h.sockets is not None,
        ("unix-connect-failed",),
    ),
    Requirement(
        "container engine",
        lambda f: f.checkpoint.format.engine in PROGRAMS,
        lambda h: h.runtimes,
        (
            "engine-missing",
            "rt-other-runtime",
            "rt-containerd-restore-removed",
            "rt-cri-unimplemented",
        ),
    ),
    Requirement(
        "CRIU plugins",
        lambda f: f.checkpoint.criu.plugins,
        lambda h: h.plugins is not None,
        ("plugin-missing",),
    ),
    *(_helper(program) for program in PROGRAMS_OF_CRIU),
    Requirement(
        "TUN device", lambda f: any(f.of_type("TUNF")), lambda h: h.modules, ("tun-device",)
    ),
    Requirement("slots for asynchronous I/O", needed_slots, lambda h: h.aio_max, ("mem-aio",)),
)


def requirement_states(facts: Facts, findings: Iterable[Finding]) -> tuple[RequirementState, ...]:
    """Return what the checkpoint needs of the host, and whether it has it; nothing without a
    host."""
    host = facts.host
    ids = {name for f in findings for name in (f.id, f"{f.id}:{f.where}")}
    if host is None:
        return ()

    def state(one: Requirement) -> State:
        if ids.intersection(one.findings):
            return "unmet"
        return "met" if one.known(host) else "unknown"

    return tuple(
        RequirementState(one.title, state(one)) for one in REQUIREMENTS if one.needed(facts)
    )


def unseen(facts: Facts, states: Sequence[RequirementState]) -> tuple[str, ...]:
    """Return what was not looked at, a phrase each, and yet a restore depends on it."""
    unknown = [one.title for one in states if one.state == "unknown"]
    if not facts.sees_files:
        bare = "files that CRIU opens on the host (--host this, on it)"
        unknown.append(bare if facts.is_bare else "files of the base image (--base)")
    unknown += [f"files on the mount {printable(place)}" for place in unseen_mounts(facts)]
    return tuple(unknown)
