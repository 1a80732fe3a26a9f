"""The checkpoint as a person thinks of it: frozen records, foreign text still raw.

Sizes are bytes, times are timezone-aware datetimes, pids are those inside the container. A part
that is damaged or missing is a `Note`, and the field that would hold it is empty or None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckpt_tui.checkpoint.isolation import Cgroup as Cgroup
from ckpt_tui.checkpoint.isolation import CgroupDirectory as CgroupDirectory
from ckpt_tui.checkpoint.isolation import Mount as Mount
from ckpt_tui.checkpoint.isolation import Namespace as Namespace
from ckpt_tui.checkpoint.records import ContainerFacts as ContainerFacts
from ckpt_tui.checkpoint.records import FormatFacts as FormatFacts
from ckpt_tui.checkpoint.records import ImageFile as ImageFile
from ckpt_tui.checkpoint.records import Note as Note


@dataclass(frozen=True, slots=True)
class CriuFacts:
    """inventory.img and stats-dump."""

    image_version: int | None = None
    at_least: str = ""
    """Oldest release of CRIU that can have written these images, judged by the fields in use."""
    version: str = ""
    """Release of CRIU where an annotation or a log names it."""
    lsm: str = ""
    network_lock: str = ""
    tcp_close: bool = False
    pre_dump: bool = False
    plugins: tuple[str, ...] | None = None
    """None: not recorded, any plugin may run."""
    run_id: str = ""
    architecture: str = ""
    page_size: int = 4096
    compressed_pages: bool = False
    encrypted: bool = False
    stats: Mapping[str, int] = field(default_factory=dict)
    """Fields of stats-dump under CRIU's names; times in microseconds, the rest in pages."""

    @property
    def packed_how(self) -> str:
        """How CRIU wrote the pages where their contents cannot be seen: encrypted or compressed."""
        return "encrypted" if self.encrypted else "compressed" if self.compressed_pages else ""


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread, from core-<tid>.img."""

    tid: int
    comm: str
    registers: Mapping[str, int] = field(default_factory=dict)
    blocked_in: str = ""
    """The system call it sleeps in, with its arguments; empty when it ran in user space."""
    seccomp: str = ""
    """strict, filter, or empty for none."""
    seccomp_filters: tuple[int, ...] = ()
    """Numbers of its filters, see `SeccompFilter`, in the order in which they were installed."""
    scheduler: str = ""
    nice: int = 0
    blocked_signals: tuple[str, ...] = ()
    pending_signals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeccompFilter:
    """A filter of system calls; the kernel takes the strictest of all that a thread has."""

    numbers: tuple[int, ...]
    """Its places in seccomp.img: equal filters are one."""
    instructions: int
    flags: tuple[str, ...] = ()
    verdicts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Action to the system calls that it is for, by the numbers of the dumped architecture:
    `fail with EPERM`; `allow or fail with EPERM` where the arguments decide."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a process is; ids are those inside the container's user namespace."""

    uid: int
    gid: int
    euid: int
    egid: int
    groups: tuple[int, ...] = ()
    capabilities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Set name (effective, permitted, inheritable, bounding, ambient) to capability names."""
    no_new_privs: bool = False
    lsm_profile: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the tree."""

    pid: int
    ppid: int
    pgid: int
    sid: int
    state: str
    """running, zombie or stopped."""
    comm: str
    exit_code: int | None = None
    """Wait status of a zombie."""
    stop_signal: str = ""
    exe: str = ""
    exe_deleted: bool = False
    cwd: str = ""
    root: str = ""
    personality: str = ""
    """Execution domain and its bits, where it is not plain Linux."""
    umask: int | None = None
    argv: tuple[bytes, ...] | None = None
    """None: not readable, a note says why."""
    env: tuple[bytes, ...] | None = None
    credentials: Credentials | None = None
    threads: tuple[Thread, ...] = ()
    limits: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """Resource to soft and hard limit; None is unlimited."""
    handlers: Mapping[str, str] = field(default_factory=dict)
    """Signal to `ignore` or the handler's address; default actions are left out."""
    timers: tuple[str, ...] = ()
    namespaces: Mapping[str, int] = field(default_factory=dict)
    """Kind (mnt, net, …) to CRIU's id."""
    cgroup_set: int | None = None
    oom_score_adj: int | None = None
    files_id: int | None = None
    auxv: Mapping[str, int] = field(default_factory=dict)
    """What the kernel told the program at its start: AT_PAGESZ, AT_PLATFORM …"""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """One descriptor of one process. `object_id` is equal where the open file is shared."""

    pid: int
    fd: int
    kind: str
    """regular, directory, device, pipe, fifo, tcp, udp, unix, eventfd, epoll, tty, memfd …"""
    target: str
    """Path, address or a few words."""
    flags: tuple[str, ...] = ()
    position: int | None = None
    size: int | None = None
    mode: int | None = None
    close_on_exec: bool = False
    deleted: bool = False
    object_id: int = 0
    shared_with: tuple[tuple[int, int], ...] = ()
    """The first other (pid, fd) pairs that hold the same open file, or an end of the same pipe."""
    sharers: int = 0
    """How many others there are in all."""
    mount_id: int | None = None


@dataclass(frozen=True, slots=True)
class Socket:
    """One socket descriptor."""

    pid: int
    fd: int
    family: str
    """IPv4, IPv6, unix, packet or netlink."""
    type: str
    protocol: str
    state: str
    local: str
    remote: str
    queued: int = 0
    """Bytes in its receive and send queues."""
    inode: int = 0
    peer: tuple[int, int] | None = None
    """(pid, fd) of the other end where it is in the checkpoint."""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Region:
    """One mapping of one process. The byte counts are of pages in the mapping."""

    pid: int
    start: int
    end: int
    kind: str
    """heap, stack, anonymous, file, shared, vdso, vvar, …"""
    protection: str
    """As in /proc/PID/maps: `rw-p`."""
    path: str = ""
    offset: int = 0
    flags: tuple[str, ...] = ()
    dumped: int = 0
    parent: int = 0
    """Bytes that lie in the previous dump of a chain."""
    lazy: int = 0
    """Bytes left to a lazy-pages server, in no file here."""
    shared_id: int = 0
    """Id of the shared object behind it, 0 if none."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """The memory of one process."""

    pid: int
    regions: tuple[Region, ...]
    dumped_bytes: int
    zero_bytes: int | None
    """Dumped pages that hold only zeros; None until they were counted."""
    shared_bytes: int
    virtual_bytes: int
    parent_bytes: int = 0
    pages_id: int | None = None
    """Names its page image, pages-<id>.img."""


@dataclass(frozen=True, slots=True)
class DeltaEntry:
    """One change of the root filesystem."""

    path: str
    change: str
    """added, changed or deleted; "written" where the base image is not at hand to tell the first
    two apart."""
    kind: str
    size: int = 0
    mode: int = 0
    link: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What the container changed on its root filesystem."""

    dialect: str
    """`files` (tar of additions and a list of deletions), `layer` (OCI layer) or `none`."""
    entries: Sequence[DeltaEntry] = ()
    bytes: int = 0
    """Of the nested tar or layer, as it is stored."""
    plain_bytes: int = 0
    """Of the nested tar, decompressed; 0 where it was not read."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One layer of an OCI image, or one part of a legacy archive."""

    digest: str
    media_type: str
    size: int
    plain_size: int | None
    role: str
    """metadata, criu, pages, delta, devshm, volumes, base, checkpoint …"""
    members: int = 0
    hidden: int = 0
    """Bytes of its files that layers above replace or delete: carried along for nothing."""


@dataclass(frozen=True, slots=True)
class Share:
    """A named part of a whole."""

    name: str
    bytes: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Where the bytes are."""

    packed: int
    """Bytes of the file or of all blobs as stored."""
    plain: int
    """Bytes of all members."""
    components: tuple[Share, ...] = ()
    """pages, images, metadata, delta, volumes, devshm."""
    images: tuple[Share, ...] = ()
    """By image kind."""
    processes: tuple[Share, ...] = ()
    memory: tuple[Share, ...] = ()
    """By kind of memory."""
    files: tuple[Share, ...] = ()
    """Largest members first."""
    layers: tuple[StoredPart, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything has been read."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Some parts have not been read yet, and are empty until then: see `build_checkpoint`."""

    descriptors: bool = False
    """Files, sockets and memory are missing."""
    changes: bool = False
    """The entries of the delta are still being added."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Checkpoint:
    """One container checkpoint."""

    source: str
    format: FormatFacts
    container: ContainerFacts
    criu: CriuFacts
    processes: tuple[Process, ...]
    files: Sequence[OpenFile]
    """Process by process; there may be a million, so that each is described when asked for."""
    sockets: Sequence[Socket]
    """Likewise."""
    mounts: tuple[Mount, ...]
    namespaces: tuple[Namespace, ...]
    cgroups: tuple[Cgroup, ...]
    memory: tuple[ProcessMemory, ...]
    delta: Delta
    images: tuple[ImageFile, ...]
    sizes: Sizes
    seccomp: tuple[SeccompFilter, ...] = ()
    cgroup_directories: tuple[CgroupDirectory, ...] = ()
    notes: tuple[Note, ...] = ()
    state: Loaded | Pending = Loaded()

    @property
    def has_descriptors(self) -> bool:
        """Whether files, sockets and memory have been read."""
        return isinstance(self.state, Loaded) or not self.state.descriptors

    @property
    def has_changes(self) -> bool:
        """Whether all entries of the delta have been read."""
        return isinstance(self.state, Loaded) or not self.state.changes

    @property
    def is_damaged(self) -> bool:
        """Whether damage was met where something was read; what was not read may be damaged."""
        return any(n.damaged for n in self.notes) or any(i.problem for i in self.images)

    @property
    def is_loaded(self) -> bool:
        """Whether everything has been read."""
        return isinstance(self.state, Loaded)

    def process(self, pid: int) -> Process | None:
        """Return the process of that pid, if there is one."""
        return next((p for p in self.processes if p.pid == pid), None)
