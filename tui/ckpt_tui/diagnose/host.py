"""What a host offers a restore: read from /proc, /sys and the programs in PATH, or from a file.

Nothing of a checkpoint is run or believed here; the programs are asked for their version only.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ckpt_tui.core.document import parse_document
from ckpt_tui.core.errors import CkptError, DamagedInput
from ckpt_tui.criu.values import capability_names

SCHEMA_VERSION = 1

RUNTIMES = ("podman", "runc", "crun", "crio", "containerd", "docker")
HELPERS = ("tar", "ip", "iptables-restore", "ip6tables-restore", "nft", "apparmor_parser")
"""Programs that CRIU calls at restore."""

MODULES = ("tun", "overlay", "fuse", "nf_tables", "xt_mark", "unix_diag", "tcp_diag", "udp_diag")
"""Kernel modules that a restore may need, looked for among those loaded or built in."""

PLUGIN_FOLDERS = ("usr/lib/criu", "usr/lib64/criu", "usr/local/lib/criu")

STORAGE = ("var/lib/containers", "var/lib/containerd", "var/lib/docker", "var/tmp")
"""Where engines unpack checkpoints."""

SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin"
"""Where criu and runc are, which the PATH of a user may lack."""

CRIU_CONFIGS = ("etc/criu/default.conf", "etc/criu/runc.conf", "etc/criu/crun.conf")

TIMEOUT_S = 3.0
"""Seconds a program may take to say its version."""
MAX_PIDS = 100_000
MAX_TEXT = 4 << 20
"""Bytes read of one file of /proc."""
MAX_READ = 64 << 10
"""Bytes of one read. The kernel answers a read of 4 MiB or more from /proc/sys with ENOMEM
(fs/proc/proc_sysctl.c, proc_sys_call_handler)."""

LISTEN = "0A"
UDP_BOUND = "07"


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
    modules: tuple[str, ...] = ()
    """Of `MODULES`, those loaded or built in."""
    memory_free: int = 0
    """Bytes the kernel deems available."""
    disk_free: Mapping[str, int] = field(default_factory=dict)
    """Folder of `STORAGE` to free bytes."""
    pids: tuple[int, ...] = ()
    pid_max: int = 0
    ports: tuple[str, ...] | None = None
    """`tcp 8080`, `udp 53`: bound in the host's network namespace."""
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
        has_cap_checkpoint_restore); None where that is not known: another user may restore."""
        if self.capabilities is None:
            return None
        has = bool({"CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE"}.intersection(self.capabilities))
        return has if has or self.uid == 0 else None


def this_host(
    root: str | os.PathLike[str] = "/", ask: Callable[[str], str] | None = None
) -> HostProfile:
    """Return the profile of this host.

    `root` is where /proc, /sys and the rest are looked for, `ask` how a program is
    asked for its version.
    """
    base = Path(root)
    ask = ask or version_of
    cpu, flags = _cpu(_text(base / "proc/cpuinfo"))
    return HostProfile(
        kernel=_text(base / "proc/sys/kernel/osrelease").strip() or os.uname().release,
        machine=os.uname().machine,
        page_size=os.sysconf("SC_PAGE_SIZE"),
        criu=ask("criu"),
        runtimes={name: found for name in RUNTIMES if (found := ask(name))},
        helpers=tuple(n for n in HELPERS if _is_program(base, n)),
        plugins=_plugins(base),
        cpu=cpu,
        cpu_flags=flags,
        cgroup=_cgroup(base),
        cgroup_controllers=tuple(_text(base / "sys/fs/cgroup/cgroup.controllers").split()),
        lsms=_lsms(base),
        apparmor_profiles=_apparmor(base),
        uid=os.geteuid(),
        capabilities=_capabilities(_text(base / "proc/self/status")),
        modules=_modules(base),
        memory_free=_memory(_text(base / "proc/meminfo")),
        disk_free=dict(_disks(base)),
        pids=_pids(base),
        pid_max=_number(base / "proc/sys/kernel/pid_max"),
        ports=tuple(_ports(base)) if (base / "proc/net/tcp").exists() else None,
        max_map_count=_number(base / "proc/sys/vm/max_map_count"),
        aio_max=_number(base / "proc/sys/fs/aio-max-nr"),
        nr_open=_number(base / "proc/sys/fs/nr_open"),
        hugepages=_huge_pages(base / "sys/kernel/mm/hugepages"),
        criu_options=tuple(_criu_options(base)),
        namespaces=_names(base / "proc/self/ns"),
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


def version_of(program: str) -> str:
    """Return the version that a program prints, "" for none in PATH or among the system's.

    The program is run with --version and nothing else, for `TIMEOUT_S` seconds at most.
    """
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(rb"\d+\.\d+[\w.+~-]*", done.stdout[:4096])
    return found.group().decode() if found else "unknown"


def _text(path: Path) -> str:
    """Return the start of a file, "" where it cannot be read."""
    pieces: list[bytes] = []
    try:
        with path.open("rb", buffering=0) as file:
            while (left := MAX_TEXT - sum(map(len, pieces))) > 0:
                if not (piece := os.read(file.fileno(), min(left, MAX_READ))):
                    break
                pieces.append(piece)
    except OSError:
        return ""
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _number(path: Path) -> int:
    text = _text(path).strip()
    return int(text) if text.isascii() and text.isdigit() else 0


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()


def _cpu(text: str) -> tuple[str, tuple[str, ...]]:
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key.strip(), value.strip())
    flags = values.get("flags") or values.get("Features") or ""
    return values.get("model name", ""), tuple(sorted(flags.split()))


def _is_program(base: Path, name: str) -> bool:
    folders = ("usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin")
    return any(os.access(base / folder / name, os.X_OK) for folder in folders)


def _plugins(base: Path) -> tuple[str, ...]:
    found: set[str] = set()
    multiarch = [f"usr/lib/{n}/criu" for n in _names(base / "usr/lib") if "-linux-" in n]
    for folder in (*PLUGIN_FOLDERS, *multiarch):
        found |= {n.removesuffix(".so") for n in _names(base / folder) if n.endswith(".so")}
    return tuple(sorted(found))


def _cgroup(base: Path) -> str:
    if (base / "sys/fs/cgroup/cgroup.controllers").exists():
        return "v2"
    if (base / "sys/fs/cgroup/unified").exists():
        return "hybrid"
    return "v1" if _names(base / "sys/fs/cgroup") else ""


def _lsms(base: Path) -> tuple[str, ...] | None:
    text = _text(base / "sys/kernel/security/lsm").strip()
    return tuple(text.split(",")) if text else None


def _apparmor(base: Path) -> tuple[str, ...] | None:
    text = _text(base / "sys/kernel/security/apparmor/profiles")
    return tuple(line.rpartition(" (")[0] for line in text.splitlines()) if text else None


def _capabilities(status: str) -> tuple[str, ...] | None:
    found = re.search(r"^CapEff:\s*([0-9a-f]{1,16})$", status, re.MULTILINE)
    if found is None:
        return None
    value = int(found.group(1), 16)
    return capability_names([value & 0xFFFFFFFF, value >> 32])


def _modules(base: Path) -> tuple[str, ...]:
    loaded = {line.partition(" ")[0] for line in _text(base / "proc/modules").splitlines()}
    release = _text(base / "proc/sys/kernel/osrelease").strip()
    built_in = _text(base / "lib/modules" / release / "modules.builtin") if release else ""
    loaded |= {Path(line).name.partition(".")[0] for line in built_in.splitlines()}
    return tuple(name for name in MODULES if name in loaded)


def _memory(text: str) -> int:
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _disks(base: Path) -> Iterator[tuple[str, int]]:
    for folder in STORAGE:
        try:
            found = os.statvfs(base / folder)
        except OSError:
            continue
        yield f"/{folder}", found.f_bavail * found.f_frsize


def _huge_pages(folder: Path) -> dict[str, int] | None:
    names = [n for n in _names(folder) if re.fullmatch(r"hugepages-\d{1,9}kB", n)]
    if not names:
        return None
    return {n[10:-2]: _number(folder / n / "free_hugepages") for n in names}


def _criu_options(base: Path) -> Iterator[str]:
    """Yield file and option of each line; the files are those of criu(8) and of the runtimes."""
    for name in CRIU_CONFIGS:
        for line in _text(base / name).splitlines():
            option = line.partition("#")[0].strip().removeprefix("--")
            if option:
                yield f"/{name} {option.split()[0]}"


def _pids(base: Path) -> tuple[int, ...]:
    pids = sorted(int(name) for name in _names(base / "proc") if name.isdigit())
    return tuple(pids[:MAX_PIDS])


def _ports(base: Path) -> Iterator[str]:
    """Yield the ports that something is bound to; state numbers are the kernel's."""
    found: set[tuple[str, int]] = set()
    for table, protocol, state in (
        ("tcp", "tcp", LISTEN),
        ("tcp6", "tcp", LISTEN),
        ("udp", "udp", UDP_BOUND),
        ("udp6", "udp", UDP_BOUND),
    ):
        for line in _text(base / "proc/net" / table).splitlines()[1:]:
            words = line.split()
            port = words[1].rpartition(":")[2] if len(words) > 3 else ""
            if words[3:4] == [state] and re.fullmatch("[0-9A-F]{4}", port):
                found.add((protocol, int(port, 16)))
    return (f"{protocol} {port}" for protocol, port in sorted(found))
