"""What a host says of itself: read from /proc, /sys and the programs in PATH.

Nothing of a checkpoint is run or believed here; the programs are asked for their version only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from ckpt_tui.criu.values import capability_names

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
USER_CONFIG = ".criu/default.conf"
"""In the home folder of who runs criu."""

TIMEOUT_S = 3.0
"""Seconds a program may take to say its version."""
MAX_PIDS = 100_000
MAX_TEXT = 4 << 20
"""Bytes read of one file of /proc."""
MAX_READ = 64 << 10
"""Bytes of one read. The kernel answers a read of 4 MiB or more from /proc/sys with ENOMEM
(fs/proc/proc_sysctl.c, proc_sys_call_handler)."""


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


def read_text(path: Path) -> str:
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


def read_number(path: Path) -> int:
    """Return the number that a file holds, 0 where it cannot be read."""
    text = read_text(path).strip()
    return int(text) if text.isascii() and text.isdigit() else 0


def names_in(folder: Path) -> tuple[str, ...]:
    """Return the names in a folder, sorted; none where it cannot be read."""
    try:
        return tuple(sorted(os.listdir(folder)))
    except OSError:
        return ()


def processor(text: str) -> tuple[str, tuple[str, ...]]:
    """Return the model of the processor and its flags."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key.strip(), value.strip())
    flags = values.get("flags") or values.get("Features") or ""
    return values.get("model name", ""), tuple(sorted(flags.split()))


def is_program(base: Path, name: str) -> bool:
    """Tell whether a program is in one of the usual folders."""
    folders = ("usr/sbin", "usr/bin", "sbin", "bin", "usr/local/sbin", "usr/local/bin")
    return any(os.access(base / folder / name, os.X_OK) for folder in folders)


def plugins(base: Path) -> tuple[str, ...]:
    """Return the CRIU plugins that are installed, without `.so`."""
    found: set[str] = set()
    multiarch = [f"usr/lib/{n}/criu" for n in names_in(base / "usr/lib") if "-linux-" in n]
    for folder in (*PLUGIN_FOLDERS, *multiarch):
        found |= {n.removesuffix(".so") for n in names_in(base / folder) if n.endswith(".so")}
    return tuple(sorted(found))


def cgroup_version(base: Path) -> str:
    """Return v1, v2 or hybrid, "" where there is none."""
    if (base / "sys/fs/cgroup/cgroup.controllers").exists():
        return "v2"
    if (base / "sys/fs/cgroup/unified").exists():
        return "hybrid"
    return "v1" if names_in(base / "sys/fs/cgroup") else ""


def cgroup_controllers(base: Path) -> tuple[str, ...]:
    """Return the controllers of version 2, and the hierarchies of version 1."""
    lines = (line.split(":", 2) for line in read_text(base / "proc/self/cgroup").splitlines())
    first = [name for words in lines if len(words) == 3 for name in words[1].split(",") if name]
    second = read_text(base / "sys/fs/cgroup/cgroup.controllers").split()
    return tuple(dict.fromkeys(second + first))


def security_modules(base: Path) -> tuple[str, ...] | None:
    """Return the security modules in use, None where they cannot be read."""
    text = read_text(base / "sys/kernel/security/lsm").strip()
    return tuple(text.split(",")) if text else None


def apparmor_profiles(base: Path) -> tuple[str, ...] | None:
    """Return the AppArmor profiles that are loaded, None where they cannot be read."""
    text = read_text(base / "sys/kernel/security/apparmor/profiles")
    return tuple(line.rpartition(" (")[0] for line in text.splitlines()) if text else None


def capabilities(status: str, which: str) -> tuple[str, ...] | None:
    """Return the capabilities in a set of /proc/PID/status, `Eff` or `Bnd`."""
    found = re.search(rf"^Cap{which}:\s*([0-9a-f]{{1,16}})$", status, re.MULTILINE)
    if found is None:
        return None
    value = int(found.group(1), 16)
    return capability_names([value & 0xFFFFFFFF, value >> 32])


def hard_limit(text: str, name: str) -> int | None:
    """Return a hard limit of /proc/PID/limits, -1 for none."""
    found = re.search(rf"^{name} +\S+ +(\S+) ", text, re.MULTILINE)
    if found is None:
        return None
    return int(found.group(1)) if found.group(1).isdigit() else -1


def kernel_modules(base: Path) -> tuple[str, ...]:
    """Return those of `MODULES` that are loaded or built in."""
    loaded = {line.partition(" ")[0] for line in read_text(base / "proc/modules").splitlines()}
    release = read_text(base / "proc/sys/kernel/osrelease").strip()
    built_in = read_text(base / "lib/modules" / release / "modules.builtin") if release else ""
    loaded |= {Path(line).name.partition(".")[0] for line in built_in.splitlines()}
    return tuple(name for name in MODULES if name in loaded)


def free_memory(text: str) -> int:
    """Return the bytes that the kernel deems available."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def free_space(base: Path) -> Iterator[tuple[str, int]]:
    """Yield the folders of `STORAGE` and their free bytes."""
    for folder in STORAGE:
        try:
            found = os.statvfs(base / folder)
        except OSError:
            continue
        yield f"/{folder}", found.f_bavail * found.f_frsize


def huge_pages(folder: Path) -> dict[str, int] | None:
    """Return the free huge pages by their size in KiB."""
    names = [n for n in names_in(folder) if re.fullmatch(r"hugepages-\d{1,9}kB", n)]
    if not names:
        return None
    return {n[10:-2]: read_number(folder / n / "free_hugepages") for n in names}


def criu_options(base: Path, home: str) -> Iterator[str]:
    """Yield file and option of each line; the files are those of criu(8) and of the runtimes."""
    for name in (*CRIU_CONFIGS, f"{home.lstrip('/')}/{USER_CONFIG}"):
        for line in read_text(base / name).splitlines():
            option = line.partition("#")[0].strip().removeprefix("--")
            if option:
                yield f"/{name} {option.split()[0]}"


def pids_in_use(base: Path) -> tuple[int, ...]:
    """Return the numbers that no new process or thread can have: those of processes, of their
    threads, and of process groups and sessions, which outlive their leader."""
    found: set[int] = set()
    for name in names_in(base / "proc"):
        if name.isdigit() and len(found) < MAX_PIDS:
            found.add(int(name))
            found |= {int(tid) for tid in names_in(base / "proc" / name / "task")}
            after_name = read_text(base / "proc" / name / "stat").rpartition(")")[2].split()
            found |= {int(word) for word in after_name[2:4] if word.isdigit()}
    return tuple(sorted(found - {0}))
