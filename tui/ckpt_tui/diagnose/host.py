"""What a host offers a restore: read from /proc, /sys and the programs in PATH, or from a file.

Nothing of a checkpoint is run or believed here; the programs are asked for their version only.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.diagnose import host_network as network
from ckpt_tui.diagnose import host_reading as reading

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class HostProfile:
    """One host. What could not be found out is empty, zero or None, and is not checked."""

    kernel: str = ""
    machine: str = ""
    page_size: int = 0
    criu: str = ""
    """Release of CRIU."""
    runtimes: Mapping[str, str] = field(default_factory=dict)
    """Program to version."""
    helpers: tuple[str, ...] | None = None
    plugins: tuple[str, ...] | None = None
    """CRIU plugins installed, without `.so`."""
    cpu: str = ""
    cpu_flags: tuple[str, ...] = ()
    """As in /proc/cpuinfo."""
    cgroup: str = ""
    """v1, v2 or hybrid."""
    cgroup_controllers: tuple[str, ...] = ()
    lsms: tuple[str, ...] | None = None
    apparmor_profiles: tuple[str, ...] | None = None
    uid: int | None = None
    """User id that took the profile."""
    capabilities: tuple[str, ...] | None = None
    """Effective, of the user that took the profile."""
    bounding: tuple[str, ...] | None = None
    """Those that no program which that user starts can have more than."""
    open_files: int | None = None
    """Hard limit of open files of the user that took the profile, -1 for none."""
    modules: tuple[str, ...] = ()
    """Of `MODULES`, those loaded or built in."""
    memory_free: int = 0
    """Bytes the kernel deems available."""
    disk_free: Mapping[str, int] = field(default_factory=dict)
    """Folder of `STORAGE` to free bytes."""
    pids: tuple[int, ...] = ()
    """Of processes and threads; and of process groups and sessions, whose number stays taken."""
    pid_max: int = 0
    ports: tuple[str, ...] | None = None
    """`tcp 8080`, `udp 53`: bound in the host's network namespace."""
    sockets: tuple[str, ...] | None = None
    """What holds addresses there: `tcp listen 0.0.0.0:8080`, `tcp connected 10.0.0.5:39000`,
    `udp bound [::]:53`, and `unix bound PATH`, with @ before an abstract name."""
    addresses: tuple[str, ...] | None = None
    """IP addresses of its interfaces."""
    interfaces: Mapping[str, int] | None = None
    """Network interfaces by name, with their number, 0 where it is not known."""
    max_map_count: int = 0
    aio_max: int = 0
    nr_open: int = 0
    """Highest limit of open files that the kernel gives a process."""
    hugepages: Mapping[str, int] | None = None
    """Size of huge pages in KiB to how many are free."""
    criu_options: tuple[str, ...] | None = None
    """Options in CRIU's configuration files: `/etc/criu/runc.conf tcp-established`."""
    namespaces: tuple[str, ...] = ()
    """Kinds of namespaces the kernel has."""

    @property
    def may_restore(self) -> bool | None:
        """Whether the user that took the profile has a capability that CRIU accepts (criu/util.c,
        has_cap_checkpoint_restore); None where that is not known: root may restore instead, if it
        can get one."""
        if self.capabilities is None:
            return None
        wanted = {"CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"}
        if wanted.intersection(self.capabilities):
            return True
        is_open = self.bounding is None or wanted.intersection(self.bounding)
        return None if self.uid != 0 and is_open else False


def this_host(
    root: str | os.PathLike[str] = "/", ask: Callable[[str], str] | None = None
) -> HostProfile:
    """Return the profile of this host.

    `root` is where /proc, /sys and the rest are looked for, `ask` how a program is
    asked for its version.
    """
    base = Path(root)
    ask = ask or reading.version_of
    cpu, flags = reading.processor(reading.read_text(base / "proc/cpuinfo"))
    status = reading.read_text(base / "proc/self/status")
    return HostProfile(
        kernel=reading.read_text(base / "proc/sys/kernel/osrelease").strip() or os.uname().release,
        machine=os.uname().machine,
        page_size=os.sysconf("SC_PAGE_SIZE"),
        criu=ask("criu"),
        runtimes={name: found for name in reading.RUNTIMES if (found := ask(name))},
        helpers=tuple(n for n in reading.HELPERS if reading.is_program(base, n)),
        plugins=reading.plugins(base),
        cpu=cpu,
        cpu_flags=flags,
        cgroup=reading.cgroup_version(base),
        cgroup_controllers=reading.cgroup_controllers(base),
        lsms=reading.security_modules(base),
        apparmor_profiles=reading.apparmor_profiles(base),
        uid=os.geteuid(),
        capabilities=reading.capabilities(status, "Eff"),
        bounding=reading.capabilities(status, "Bnd"),
        open_files=reading.hard_limit(
            reading.read_text(base / "proc/self/limits"), "Max open files"
        ),
        modules=reading.kernel_modules(base),
        memory_free=reading.free_memory(reading.read_text(base / "proc/meminfo")),
        disk_free=dict(reading.free_space(base)),
        pids=reading.pids_in_use(base),
        pid_max=reading.read_number(base / "proc/sys/kernel/pid_max"),
        ports=network.ports(base),
        sockets=network.sockets(base),
        addresses=network.addresses(base),
        interfaces=network.interfaces(base),
        max_map_count=reading.read_number(base / "proc/sys/vm/max_map_count"),
        aio_max=reading.read_number(base / "proc/sys/fs/aio-max-nr"),
        nr_open=reading.read_number(base / "proc/sys/fs/nr_open"),
        hugepages=reading.huge_pages(base / "sys/kernel/mm/hugepages"),
        criu_options=tuple(reading.criu_options(base, os.environ.get("HOME", "/root"))),
        namespaces=reading.names_in(base / "proc/self/ns"),
    )


def to_json(host: HostProfile) -> dict[str, Any]:
    """Return the profile as the value that `ckpt-tui host` prints."""
    return {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(host)}


def from_json(data: bytes, name: str) -> HostProfile:
    """Read a profile that `to_json` made, keys of later versions left out.

    Raises:
        DamagedInput: it is not JSON, or a value is not of its type.
        CkptError: it is of a later major version.
    """
    document = parse_document(data, name)
    if not isinstance(document, dict) or not isinstance(document.get("schema_version"), int):
        raise DamagedInput(name, 0, "it is not a profile of a host: schema_version is missing.")
    if document["schema_version"] > SCHEMA_VERSION:
        raise CkptError(
            f"{name} cannot be read.",
            f"Its schema_version is {document['schema_version']}, this program knows "
            f"{SCHEMA_VERSION}.",
            "Take the profile with the same version of ckpt-tui.",
        )
    values = {}
    for entry in dataclasses.fields(HostProfile):
        if entry.name in document:
            values[entry.name] = _checked(entry, document[entry.name], name)
    return HostProfile(**values)


def _checked(entry: dataclasses.Field[Any], value: Any, name: str) -> Any:
    """Return one value of a profile in its own type; lists become tuples."""
    wanted = str(entry.type)
    item = int if "int" in wanted else str
    if value is None and "None" in wanted:
        return None
    if wanted.startswith("tuple"):
        if isinstance(value, list) and all(type(v) is item for v in value):
            return tuple(value)
    elif wanted.startswith("Mapping"):
        if isinstance(value, dict) and all(type(v) is item for v in value.values()):
            return value
    elif type(value) is item:
        return value
    raise DamagedInput(name, 0, f"{entry.name} is not of the type it should have.")
